"""What a device brings along, such as slots, division, masks, makes no difference to the result."""

import time

import pytest
import torch

from specbp.experiment import experiment_from
from specbp.schedules import build
from specbp.schedules.cache import BatchSlots
from specbp.schedules.chain import Chain
from specbp.schedules.device import Device
from specbp.schedules.engines import Done, SameEngine
from specbp.schedules.sharing import DividedWork
from specbp.schedules.verdict import decided

LIKE_A_GPU = Device(
    place=torch.device("cpu"),
    now=time.perf_counter,
    open_chain=Chain,
    open_engine=lambda threads: SameEngine(),
    open_work=lambda *given: DividedWork(*given, mark=lambda: Done(None)),
    open_batch_cache=lambda: BatchSlots(SameEngine()),
    decide=decided,
)


@pytest.mark.parametrize(
    "method",
    [
        {"key": "batch", "reuse": "replay", "gate_metric": "none"},
        {"key": "batch", "reuse": "replay", "gate_metric": "none", "balanced": False},
        {"key": "batch", "reuse": "outcomes", "gate_metric": "none"},
        {"key": "bucket", "buckets": 3},
        {"key": "label", "reuse": "replay", "gate_threshold": 0.1, "refresh": 1},
        {"key": "label", "reuse": "outcomes", "gate_threshold": 0.1},
        {"key": "label", "reuse": "outcomes", "gate_target": 0.5},
    ],
    ids=str,
)
def test_a_schedule_gives_the_same_on_both(bench, method):
    experiment = experiment_from({"schedule": "speculative", **method})
    ours = build(experiment, bench.network, bench.arithmetic)
    theirs = build(experiment, bench.network, bench.arithmetic, LIKE_A_GPU)
    accepts = set()
    for seed in range(8):
        images, labels = bench.batch(seed, [0, 1, 2, 3, seed % 4])
        one, other = (
            schedule.gradients(bench.step_weights, lambda images=images: images, labels)
            for schedule in (ours, theirs)
        )
        assert one.accepts == other.accepts
        accepts.add(one.accepts)
        torch.testing.assert_close(bench.flat(one.gradients), bench.flat(other.gradients))
    assert "gate_threshold" not in method or len(accepts) > 2, "the gate should do both"
    ours.close()
