"""A schedule of a GPU goes on from what it saved, and from nothing else; tried on the processor."""

import pytest

from specbp.backends.cuda.state import schedule_state
from specbp.experiment import experiment_from
from specbp.saved_state import StateError
from tests.fuzzing import altered, leaves, wrong_values

KINDS = [
    {"schedule": "sequential"},
    {"schedule": "data-parallel"},
    {"schedule": "pipelined"},
    {"schedule": "speculative", "key": "bucket", "buckets": 3, "epochs": 2},
    {"schedule": "speculative", "reuse": "outcomes", "gate_threshold": 0.3},
    {"schedule": "speculative", "reuse": "replay", "gate_threshold": 0.3, "refresh": 2},
    {"schedule": "speculative", "reuse": "replay", "gate_target": 0.6},
]
LABELS = [0, 1, 2, 3]


@pytest.mark.parametrize("fields", KINDS, ids=str)
def test_what_was_saved_is_read_and_nothing_else(bench, fields):
    """Kind: a check that refuses what is right, or believes what is wrong; before the first step
    and after some."""
    given = {"backend": "cuda", "batch_size": len(LABELS), **fields}
    experiment, found = experiment_from(given), (bench.network, bench.arithmetic)
    schedule = bench.schedule(**{**given, "backend": "cpu"})
    for steps in range(3):
        state = {"schedule": schedule.state()}
        schedule.restore(schedule_state(state["schedule"], experiment, *found))
        for path in leaves(state):
            for value in wrong_values(state, path):
                with pytest.raises(StateError):
                    schedule_state(altered(state, path, value)["schedule"], experiment, *found)
                    pytest.fail(f"after {steps}: {path} = {str(value)[:200]} was believed")
        images, labels = bench.batch(steps, LABELS)
        schedule.gradients(bench.step_weights, images, labels)
