"""A step on streams, with their slots, division and masks, gives what its plan gives on the CPU."""

import pytest
import torch

from tests.runtime.conftest import Steps


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
def test_streams_give_what_plans_give(bench, method):
    planned = Steps(bench, schedule="speculative", **method)
    streams = bench.schedule(schedule="speculative", **method)
    accepts = set()
    for seed in range(8):
        images, labels = bench.batch(seed, [0, 1, 2, 3, seed % 4])
        one = planned.step(images, labels)
        other = streams.gradients(bench.step_weights, images, labels)
        assert one.accepts == other.accepts
        accepts.add(one.accepts)
        torch.testing.assert_close(one.gradient, bench.flat(other.gradients))
    assert "gate_threshold" not in method or len(accepts) > 2, "the gate should do both"
    planned.runtime.close()
