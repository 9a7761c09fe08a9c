"""Cycles of a speculative step against its accept rate: simulated, and on the predicted line.

The gate accepts whatever has a cached outcome, and as many samples as wanted have a label that was
never seen. Counts, not times: a busy machine does no harm.
"""

import pytest
import torch

pytest.importorskip("pynq", reason="needs the extra fpga")

from specbp.arithmetic.int16 import Int16
from specbp.backends.overlay.speculative_step import SpeculativeStep
from specbp.network.models import build
from specbp.overlay.cycles import predict
from specbp.overlay.parameters import Parameters
from specbp.simulation.executor import SimulatedExecutor
from tests.overlay.networks import SmallRecipe

BATCH = 32
MODELS = {"digits-cnn": (1, 8, 8), "lenet5": (1, 28, 28)}
WITHIN = 0.03


@pytest.mark.parametrize("balanced", [False, True])
@pytest.mark.parametrize("reuse", ["outcomes", "replay"])
@pytest.mark.parametrize("model", MODELS)
def test_cycles_lie_on_the_predicted_line(model, reuse, balanced):
    shape = MODELS[model]
    recipe = SmallRecipe(
        build(model, shape[0], 10, seed=0),
        shape,
        10,
        BATCH,
        schedule="speculative",
        reuse=reuse,
        gate_threshold=1.0,
        balanced=balanced,
    )
    arithmetic = Int16(recipe.network, recipe.scales())
    step = SpeculativeStep(
        recipe.network,
        arithmetic,
        recipe.experiment,
        Parameters(lanes=32, cores=2),
        SimulatedExecutor,
    )
    print(f"\n{model}, batch {BATCH}, 2 x 32 lanes, {reuse}, balanced: {balanced}")
    try:
        known, *new = range(10)

        def take(number, labels):
            """Take a step on samples with `labels`; return its cycles."""
            pixels, _ = recipe.batch(number)
            images = recipe.images(arithmetic, pixels)
            return step.run(images, torch.tensor(labels), recipe.rule(number))

        take(0, [known] * BATCH)
        for place, rejects in enumerate((0, 8, 16, 24, 32)):
            labels = [new[place]] * rejects + [known] * (BATCH - rejects)
            cycles = take(place + 1, labels)
            assert BATCH - step.accepted.sum() == rejects
            predicted = predict(step.speculation.gated, rejects=rejects).total
            print(
                f"accepted {1 - rejects / BATCH:4.0%} {cycles:10,} cycles, predicted "
                f"{predicted:10,} {predicted / cycles - 1:7.2%}"
            )
            assert predicted == pytest.approx(cycles, rel=WITHIN)
    finally:
        step.executor.close()
