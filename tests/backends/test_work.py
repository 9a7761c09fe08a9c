"""The hashes of work are those of what ran: recomputed here from the model and the data alone."""

import hashlib

import pytest
import torch

from specbp.backends.opening import open_training
from specbp.backends.work import WorkRecord
from specbp.datasets.loading import load
from specbp.experiment import experiment_from
from specbp.network.models import build
from specbp.saved_state import StateError

FIELDS = {
    "dataset": "digits", "model": "digits-cnn", "train": 100, "test": 20, "batch_size": 8,
    "epochs": 2, "seed": 3,
}  # fmt: skip
STEPS = 12
"""Of an epoch: 100 samples are 12 batches of 8, and four are left over."""
ARMS = {
    "sequential": {},
    "sequential, 2 threads": {"threads": 2},
    "data-parallel": {"schedule": "data-parallel"},
    "pipelined": {"schedule": "pipelined"},
    "weight prediction": {"schedule": "pipelined", "weight_prediction": True},
    "label key": {"schedule": "speculative", "warmup_epochs": 1},
    "selective": {"schedule": "selective"},
}


@pytest.fixture(scope="module")
def data():
    return load("digits", train=FIELDS["train"], test=FIELDS["test"])


def expected_samples(data, steps):
    """The chained hash of the samples of the first steps, by nothing but PyTorch's generator."""
    digest = bytes(32)
    for step in range(steps):
        epoch, number = divmod(step, STEPS)
        generator = torch.Generator().manual_seed(FIELDS["seed"] * 1_000_003 + epoch)
        order = torch.randperm(len(data.train_labels), generator=generator)
        batch = order[number * 8 : number * 8 + 8]
        digest = hashlib.sha256(digest + batch.numpy().tobytes()).digest()
    return digest.hex()


def expected_weights():
    digest = hashlib.sha256()
    for parameter in build("digits-cnn", 1, 10, FIELDS["seed"]).parameters():
        digest.update(parameter.detach().numpy().tobytes())
    return digest.hexdigest()


@pytest.mark.parametrize("arm", ARMS)
def test_a_training_worked_on_the_models_weights_and_on_every_sample_in_order(data, arm):
    """Kind: other initial weights, or fewer samples, under the same hash of the recipe."""
    training = open_training(experiment_from(FIELDS | ARMS[arm]), data)
    assert training.steps_per_epoch == STEPS
    training.advance(5)
    training.advance(2 * STEPS - 5)
    training.close()
    assert training.about["first_weights_sha256"] == expected_weights()
    assert training.about["first_weights_sha256"] == training.initial_weights_sha256
    assert training.about["samples_sha256"] == expected_samples(data, 2 * STEPS)


def test_what_was_worked_on_goes_on_after_a_checkpoint(data):
    before, after = (open_training(experiment_from(FIELDS), data) for _ in range(2))
    before.advance(STEPS + 3)
    after.restore(before.state())
    after.advance(2)
    assert after.about["first_weights_sha256"] == expected_weights()
    assert after.about["samples_sha256"] == expected_samples(data, STEPS + 5)
    for training in (before, after):
        training.close()


def test_the_overlays_integers_are_the_same_work_on_every_backend(data):
    """First weights are hashed as they are read: on the overlay from its memory."""
    pytest.importorskip("pynq")
    fields = FIELDS | {"arithmetic": "int16", "train": 16, "epochs": 1}
    few = load("digits", train=16, test=FIELDS["test"])
    found = set()
    for backend in ("cpu", "sim:model"):
        training = open_training(experiment_from(fields | {"backend": backend}), few)
        training.advance(2)
        training.close()
        found.add(tuple(training.about[name] for name in WorkRecord().columns))
    assert len(found) == 1


@pytest.mark.parametrize("state", [None, {}, {"first_weights_sha256": "a", "samples_sha256": "b"}])
def test_a_state_that_holds_no_hashes_is_refused(state):
    with pytest.raises(StateError, match="work does not hold"):
        WorkRecord().restore(state)


def test_one_sample_or_weight_of_another_value_is_another_hash():
    def record(weight, sample, steps=1):
        work = WorkRecord()
        work.begin(0, [(torch.tensor([weight]), torch.zeros(1))])
        for _ in range(steps):
            work.begin(1, [(torch.tensor([9.0]), torch.zeros(1))])
            work.add(torch.tensor([[1, sample]]))
        return tuple(work.columns.values())

    assert record(1.0, 2) == record(1.0, 2)
    assert len({record(1.0, 2), record(1.5, 2), record(1.0, 3), record(1.0, 2, steps=2)}) == 4
