"""Programs for two cores give what PyTorch's int16 gives in every bit, and nothing races."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from specbp.errors import UsageError
from specbp.lockstep.compare import Progress, compare
from specbp.lockstep.sides import OverlaySide, PytorchSide
from specbp.overlay.compiler import Method, compile_on_two_cores, compile_speculation
from specbp.overlay.executors import InterpreterExecutor
from specbp.overlay.instructions import Nop, Semaphores, Skip, Store
from specbp.overlay.parameters import Parameters
from specbp.overlay.races import RaceError
from tests.overlay.networks import SmallRecipe

CORES = Parameters(cores=2)
BATCH = 8


def recipe(**method):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        model = nn.Sequential(
            nn.Conv2d(2, 6, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
            nn.Flatten(), nn.Linear(54, 9), nn.ReLU(), nn.Linear(9, 5),
        )  # fmt: skip
    return SmallRecipe(model, (2, 6, 6), 5, BATCH, **method)


def checked(parameters, size):
    return InterpreterExecutor(parameters, detect_races=True)


def lockstep(steps=4, **method):
    """Return the overlay's side, after steps that were identical."""
    given = recipe(**method)
    ours = OverlaySide(given, CORES, checked)
    *_, last = compare(PytorchSide(given), ours, steps)
    assert isinstance(last, Progress), last
    assert last.steps == steps
    return ours


@pytest.mark.parametrize("reuse", ["outcomes", "replay"])
@pytest.mark.parametrize("balanced", [False, True])
@pytest.mark.parametrize(
    ("metric", "threshold", "refresh"), [("max", 0.05, 0), ("tv", 0.08, 1), ("mean", 0.03, 2)]
)
def test_label_key_accepts_some_and_rejects_some(reuse, balanced, metric, threshold, refresh):
    ours = lockstep(
        schedule="speculative", reuse=reuse, balanced=balanced, refresh=refresh,
        gate_metric=metric, gate_threshold=threshold,
    )  # fmt: skip
    assert ours.accepts and ours.rejects


@pytest.mark.parametrize("balanced", [False, True])
def test_without_a_gate_everything_comes_from_the_cache(balanced):
    ours = lockstep(schedule="pipelined", balanced=balanced, refresh=1)
    assert (ours.accepts, ours.rejects) == (3 * BATCH, BATCH)


def test_a_threshold_of_zero_never_accepts():
    ours = lockstep(steps=2, schedule="speculative", reuse="replay", gate_threshold=0.0)
    assert ours.accepts == 0


def test_previous_batch_with_a_gate():
    ours = lockstep(schedule="speculative", key="batch", gate_metric="max", gate_threshold=0.05)
    assert ours.accepts and ours.rejects


def test_sequential_on_two_cores():
    lockstep(steps=2, engines=2)


def test_sequential_on_two_cores_refuses_what_it_cannot_split():
    given = recipe()
    with pytest.raises(UsageError, match="batch_size = 4 is too small"):
        compile_on_two_cores(given.network, given.scales(), 4, CORES)


@pytest.fixture(scope="module")
def speculation():
    given = recipe()
    method = Method(replay=True, refresh=1, total=False, balanced=True, keys=5)
    return compile_speculation(given.network, given.scales(), BATCH, CORES, method)


def run(compiled, programs):
    executor = InterpreterExecutor(CORES, detect_races=True)
    base, memory = executor.allocate(compiled.memory.size)
    moved = compiled.at(base)
    records = moved.memory.view(memory, "network", "records")
    records[:, 0] = np.arange(BATCH) % 5
    records[:, 1], records[:, 2] = np.arange(BATCH) % 5, 5 + np.arange(BATCH)
    program = type("Programs", (), {"descriptors": programs(moved)})
    executor.run(program)


def descriptors(compiled):
    return [[one.descriptor for one in program] for program in compiled.programs]


def test_no_signal_between_cores_can_be_left_out():
    """Without a wait and its signal the cores race; the interpreter says so."""
    # Deltas of some samples and a part of the convolution's gradient go to the other core.
    model = nn.Sequential(nn.Conv2d(4, 8, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(288, 5))
    given = SmallRecipe(model, (4, 6, 6), 5, BATCH)
    method = Method(replay=True, refresh=1, total=False, balanced=True, keys=5)
    scales = given.scales()
    gated = compile_speculation(given.network, scales, BATCH, CORES, method).gated
    run(gated, descriptors)
    numbers = {
        one.order.shared_wait
        for program in descriptors(gated)
        for one in program
        if one.unit and one.order.shared_wait
    }
    assert len(numbers) >= 6

    def without(number):
        def bare(order):
            return replace(
                order,
                shared_wait=0 if order.shared_wait == number else order.shared_wait,
                shared_signal=0 if order.shared_signal == number else order.shared_signal,
            )

        return lambda compiled: [
            [replace(one, order=bare(one.order)) if one.unit else one for one in program]
            for program in descriptors(compiled)
        ]

    def races(number):
        try:
            run(gated, without(number))
        except RaceError:
            return True
        return False

    unneeded = [number for number in sorted(numbers) if not races(number)]
    # Of a joint gradient one core may update no more than what it made itself.
    assert len(unneeded) <= 1


def test_what_may_be_skipped_needs_nothing_from_outside(speculation):
    for program in descriptors(speculation.gated):
        for place, one in enumerate(program):
            if isinstance(one, Skip):
                region = program[place + 1 : place + 1 + one.count]
                assert isinstance(region[-1], Nop)
                orders = [other.order for other in region if other.unit]
                assert any(isinstance(other, Store) for other in region)
                for name in ("shared_wait", "shared_signal"):
                    assert not any(getattr(order, name) for order in orders)
                waits = sorted(number for order in orders for number in order.waits)
                signals = sorted(number for order in orders for number in order.signals)
                assert waits == signals
                assert orders != [Semaphores()] * len(orders)
