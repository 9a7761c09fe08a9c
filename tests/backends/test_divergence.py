"""Trainings that diverge or stand still fail with the step and the reason, on every backend."""

import numpy as np
import pytest
import torch

from specbp.backends.cpu.training import CpuTraining
from specbp.backends.cuda.feed import Tally
from specbp.backends.cuda.training import CudaTraining
from specbp.backends.divergence import LARGEST_SATURATED_SHARE, require_sound_weights
from specbp.backends.overlay.model import ModelTraining
from specbp.backends.overlay.training import OverlayTraining
from specbp.backends.recipe import Recipe, count_correct
from specbp.datasets.loading import load
from specbp.errors import UsageError
from specbp.experiment import experiment_from
from specbp.overlay.executors import InterpreterExecutor
from specbp.schedules.step import BatchGradients, sequential_times

SCHEDULES = [
    {"schedule": "sequential"},
    {"schedule": "data-parallel"},
    {"schedule": "pipelined"},
    {"schedule": "pipelined", "weight_prediction": True},
    {"schedule": "speculative"},
    {"schedule": "selective"},
]
ON_GPU = [
    pytest.param(
        {"backend": "cuda", **fields},
        marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="PyTorch sees no GPU"),
    )
    for fields in SCHEDULES[:5]
]
IN_FLOAT32 = [*SCHEDULES, *ON_GPU]
IN_INT16 = [
    {"arithmetic": "int16"},
    {"arithmetic": "int16", "schedule": "pipelined"},
    {"backend": "sim:model"},
    {"backend": "sim:rtl"},
]


def opened(samples, **fields):
    experiment = experiment_from({"train": samples, "test": 50, "epochs": 1, **fields})
    dataset = load("digits", train=samples, test=50)
    if experiment.backend == "sim:rtl":
        return OverlayTraining(experiment, dataset, lambda built, _: InterpreterExecutor(built))
    if experiment.backend == "sim:model":
        return ModelTraining(experiment, dataset)
    return (CpuTraining if experiment.backend == "cpu" else CudaTraining)(experiment, dataset)


@pytest.mark.parametrize("fields", IN_FLOAT32, ids=str)
def test_weights_that_diverge_in_the_last_step_are_not_evaluated(fields):
    """Kind: what only the last step breaks, which no loss shows any more."""
    training = opened(10, batch_size=10, learning_rate=1e14, **fields)
    training.advance(1)
    with pytest.raises(FloatingPointError, match="after 1 steps: the training has diverged"):
        training.test_accuracy()
    training.close()


@pytest.mark.parametrize("fields", IN_FLOAT32, ids=str)
@pytest.mark.parametrize("learning_rate", [1e13, 1e38])
def test_an_infinite_loss_ends_the_training(fields, learning_rate):
    """Kind: infinite is not a number to average either."""
    training = opened(40, batch_size=10, learning_rate=learning_rate, **fields)
    with pytest.raises(FloatingPointError, match=r"(at step [123]|after 4 steps): the training"):
        training.advance(4)
        training.test_accuracy()
    training.close()


@pytest.mark.parametrize("broken", [float("nan"), float("inf")])
def test_weights_that_are_no_numbers_are_named(digits, broken):
    training = CpuTraining(experiment_from({}), digits)
    training.advance(3)
    state = training.state()
    state["weights"][1][1][0] = broken
    with pytest.raises(FloatingPointError, match="weights of 3:Conv2d are not finite after 3 ste"):
        training.test_accuracy()
    training.close()


@pytest.mark.parametrize("fields", IN_INT16, ids=str)
def test_integers_at_their_limit_are_a_divergence(fields):
    """Kind: a format without infinity saturates instead."""
    training = opened(64, batch_size=16, learning_rate=8.0, **fields)
    training.advance(4)
    with pytest.raises(FloatingPointError, match="at the limit of the number format after 4 steps"):
        training.test_accuracy()
    training.close()


def test_a_few_integers_at_their_limit_are_not(digits):
    training = CpuTraining(experiment_from({"arithmetic": "int16"}), digits)
    network, limit = Recipe(experiment_from({}), digits).network, 2.0**31 - 1
    weights = training.state()["weights"]
    size = sum(part.numel() for part in weights[2])
    for share, fails in ((0.9, False), (1.1, True)):
        weights[2][0].view(-1)[: int(share * LARGEST_SATURATED_SHARE * size) + fails] = -limit
        if fails:
            with pytest.raises(FloatingPointError, match="7:Linear"):
                require_sound_weights(network, weights, limit, 1)
        else:
            require_sound_weights(network, weights, limit, 1)


@pytest.mark.parametrize("fields", [*IN_FLOAT32, *IN_INT16], ids=str)
def test_a_training_that_moves_no_weight_fails(fields):
    """Kind: nothing trained in silence; the learning rate is lost in rounding."""
    rate = 5e-10 if fields in IN_INT16 else 1e-30
    training = opened(64, batch_size=16, learning_rate=rate, **fields)
    training.advance(4)
    with pytest.raises(FloatingPointError, match="no weight has moved in 4 steps"):
        training.test_accuracy()
    training.close()


def test_a_training_that_skips_every_sample_fails(digits):
    training = CpuTraining(experiment_from({"schedule": "selective", "skip_loss": 100.0}), digits)
    training.advance(2)
    with pytest.raises(FloatingPointError, match="or no sample had a backward"):
        training.test_accuracy()


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"learning_rate": 1e-14}, "learning_rate = 1e-14 is too small for int16"),
        ({"momentum": 1e-6}, "momentum = 1e-06 is too small"),
        ({"weight_decay": 1e-16}, "weight_decay = 1e-16 is too small"),
        ({"learning_rate": 1000.0}, "too large for the scales"),
    ],
)
@pytest.mark.parametrize("backend", ["cpu", "sim:model", "sim:rtl"])
def test_what_int16_cannot_express_is_refused_before_the_first_step(backend, fields, message):
    with pytest.raises(UsageError, match=message):
        opened(64, batch_size=16, backend=backend, arithmetic="int16", **fields)


@pytest.mark.parametrize("as_tensor", [torch.tensor, np.array])
def test_what_is_not_a_number_is_no_class(as_tensor):
    """Kind: argmax of nan is an index as well, and of all nan the first."""
    nan = float("nan")
    probabilities = as_tensor([[nan, nan], [nan, 0.5], [0.5, nan], [0.9, 0.1]])
    assert count_correct(probabilities, as_tensor([0, 0, 1, 0])) == 1
    assert count_correct(probabilities, as_tensor([0, 1, 0, 1])) == 0


def test_what_is_not_a_number_is_no_class_in_a_tally():
    nan = float("nan")
    probabilities = torch.tensor([[nan, nan], [nan, 0.5], [0.5, nan], [0.9, 0.1]])
    tally = Tally(1)
    tally.put(BatchGradients([], probabilities, torch.ones(4), [], sequential_times))
    ((_, correct, _),) = tally.take(torch.tensor([[0, 0, 1, 0]]))
    assert correct == 1
