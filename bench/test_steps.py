"""Time of one step of every schedule, `cifar-cnn` on random images."""

import pytest

ARMS = {
    "sequential-1-thread": {"schedule": "sequential"},
    "sequential-2-threads": {"schedule": "sequential", "threads": 2},
    "outcomes": {"schedule": "speculative", "reuse": "outcomes", "gate_metric": "none"},
    "replay": {"schedule": "speculative", "reuse": "replay", "gate_metric": "none"},
    "replay-all-rejected": {"schedule": "speculative", "reuse": "replay", "gate_threshold": 0},
    "pipelined": {"schedule": "pipelined"},
    "pipelined-not-balanced": {"schedule": "pipelined", "balanced": False},
    "buckets": {"schedule": "speculative", "key": "bucket", "warmup_epochs": 0},
    "data-parallel": {"schedule": "data-parallel"},
}


@pytest.mark.parametrize("batch_size", [1, 8, 32])
@pytest.mark.parametrize("arm", ARMS)
def test_step(benchmark, open_training, arm, batch_size):
    if arm == "data-parallel" and batch_size == 1:
        pytest.skip("a batch of one sample cannot be split")
    training = open_training(batch_size=batch_size, **ARMS[arm])
    training.advance(10)
    benchmark.pedantic(training.advance, args=(1,), rounds=30)
