"""The cycle model against the RTL, whole steps and pass by pass. Prints a table for each model.

Counts, not times: a busy machine does no harm.
"""

import pytest

pytest.importorskip("pynq", reason="needs the extra fpga")

from specbp.arithmetic.int16 import Int16
from specbp.backends.overlay.pass_cycles import measure_passes, measure_step
from specbp.backends.overlay.step import OverlayStep
from specbp.network.models import build
from specbp.overlay.parameters import Parameters
from specbp.simulation.executor import SimulatedExecutor
from tests.overlay.networks import SmallRecipe

CASES = [
    ("digits-cnn", (1, 8, 8), 10, 16, 8),
    ("lenet5", (1, 28, 28), 10, 16, 4),
    ("cifar-cnn", (3, 32, 32), 100, 32, 1),
]
WITHIN = 0.02
A_FEW = 150
"""Cycles that do not count: in a pass of some thousands how fetches and loads meet is chance."""


@pytest.mark.parametrize(("model", "shape", "classes", "lanes", "batch"), CASES)
def test_predicted_cycles(model, shape, classes, lanes, batch):
    recipe = SmallRecipe(build(model, shape[0], classes, seed=0), shape, classes, batch)
    step = OverlayStep(
        recipe.network,
        Int16(recipe.network, recipe.scales()),
        Parameters(lanes=lanes),
        SimulatedExecutor,
    )
    assert isinstance(step.executor, SimulatedExecutor)
    try:
        passes = list(measure_passes(step.compiled, step.executor))
        whole = measure_step(step.compiled, step.executor)
    finally:
        step.executor.close()
    print(f"\n{model}, batch {batch}, {lanes} lanes")
    for one in passes:
        print(
            f"{one.tag.layer:14}{one.tag.work:18}{one.cycles:10,}{one.predicted:10,}"
            f"{one.error:8.1%}{one.multiplying / max(one.cycles, 1):6.0%}"
        )
    print(f"{'step':32}{whole.cycles:10,}{whole.predicted:10,}{whole.error:8.2%}")
    assert abs(whole.error) <= WITHIN
    beyond = [
        one for one in passes if abs(one.predicted - one.cycles) > max(WITHIN * one.cycles, A_FEW)
    ]
    assert not beyond
