"""Every schedule learns the digits with the hyperparameters that an experiment has by default."""

import pytest

from specbp.backends.cpu.training import CpuTraining
from specbp.experiment import experiment_from

SPECULATIVE = [
    {"key": key, "reuse": reuse}
    for key in ("label", "other-label", "bucket", "batch")
    for reuse in ("outcomes", "replay")
]
ARMS = [
    {},
    {"schedule": "selective"},
    {"schedule": "data-parallel"},
    {"schedule": "pipelined", "engines": 1},
    {"schedule": "pipelined", "engines": 1, "weight_prediction": True},
    {"schedule": "pipelined"},
    *({"schedule": "speculative", "engines": 1, **fields} for fields in SPECULATIVE),
    {"arithmetic": "int16"},
    {"arithmetic": "int16", "schedule": "pipelined", "engines": 1},
    {"arithmetic": "int16", "schedule": "speculative", "engines": 1},
]


@pytest.mark.parametrize("arm", ARMS, ids=str)
def test_the_defaults_train_every_schedule_on_digits(digits, arm):
    """Kind: defaults that do not train what the README shows; one engine gives the same weights."""
    training = CpuTraining(experiment_from(arm), digits)
    training.advance(10 * training.steps_per_epoch)
    accuracy = training.test_accuracy()
    training.close()
    print(f"{accuracy:.3f} {arm}")
    assert accuracy >= 0.9
