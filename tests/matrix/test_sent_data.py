"""Data sets of workers: found by their hash, or sent once and kept."""

from pathlib import Path

import pytest

from specbp.datasets.loading import load
from specbp.errors import UsageError
from specbp.experiment import Experiment
from specbp.matrix.sent_data import hashed, send_lacking

EXPERIMENT = Experiment(dataset="digits", train=32, test=8, batch_size=8)


class SameMachine:
    """Stands for a connection to a cluster: what is submitted runs at once, and is counted."""

    def __init__(self):
        self.ran = []

    def submit(self, function, *arguments, workers, pure):
        self.ran.append(function.__name__)
        self._result = function(*arguments)
        return self

    def scatter(self, value, workers):
        return value

    def result(self):
        return self._result


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("SPECBP_CACHE", str(tmp_path))
    return tmp_path


def of(sizes):
    def loaded(experiment):
        return load("digits", **sizes)

    return loaded


def test_what_is_there_is_not_sent():
    client, data = SameMachine(), hashed([EXPERIMENT], None, of({"train": 32, "test": 8}))
    send_lacking(client, "there", data, of({}))
    assert client.ran == ["lacking"]
    assert data()(EXPERIMENT).dataset_sha256 in data.examples


def test_another_one_is_sent_once_and_trained_on(cache):
    """Kind: a worker whose files of that name are others, or are not there."""
    other = of({"train": 48, "test": 8, "subset_seed": 3})
    client, data = SameMachine(), hashed([EXPERIMENT], None, other)
    with pytest.raises(UsageError, match="another one on this worker"):
        data()(EXPERIMENT)
    for _ in range(2):
        send_lacking(client, "there", data, other)
    assert client.ran == ["lacking", "receive", "lacking"]
    assert data()(EXPERIMENT).dataset_sha256 == other(EXPERIMENT).sha256


def test_a_file_that_was_damaged_is_sent_again(cache):
    other = of({"train": 48, "test": 8, "subset_seed": 3})
    client, data = SameMachine(), hashed([EXPERIMENT], None, other)
    send_lacking(client, "there", data, other)
    sent = next(Path(cache).glob("data/*.pt"))
    sent.write_bytes(sent.read_bytes()[:100])
    send_lacking(client, "there", data, other)
    assert client.ran == ["lacking", "receive", "lacking", "receive"]
    assert data()(EXPERIMENT).dataset_sha256 == other(EXPERIMENT).sha256
