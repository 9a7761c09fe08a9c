"""Data sets of a matrix on the workers of a cluster: found there by their hash, or sent there once.

What is sent is kept in the cache folder of the worker's machine, under its hash, for later runs.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from specbp import durable
from specbp.compiling import cache_folder
from specbp.datasets.catalog import describe
from specbp.datasets.loading import Dataset
from specbp.errors import UsageError
from specbp.experiment import Experiment
from specbp.matrix.run import backend_opener, dataset_reader
from specbp.matrix.session import OpenTraining

if TYPE_CHECKING:
    from distributed import Client

Loader = Callable[[Experiment], Dataset]


@dataclass(frozen=True)
class HashedData:
    """An opener of trainings on data sets of known content; it can be sent to another machine.

    Attributes:
        root: folder of the data sets; None for where each machine has them.
        examples: for each data set, by SHA-256, an experiment that is trained on it.
        of: SHA-256 of the data set of each experiment, by the hash of the experiment.
    """

    root: Path | None
    examples: Mapping[str, Experiment]
    of: Mapping[str, str]

    def __call__(self) -> OpenTraining:
        """Return what opens trainings, on this machine."""
        kept = cache(self._load)
        return backend_opener(lambda experiment: kept(self.of[experiment.hash]))

    def lacking(self) -> list[str]:
        """Return the hashes of the data sets that this machine does not have."""
        return [sha256 for sha256 in self.examples if not self._is_here(sha256)]

    def _is_here(self, sha256: str) -> bool:
        try:
            self._load(sha256)
        except UsageError:
            return False
        return True

    def _load(self, sha256: str) -> Dataset:
        """Return a data set.

        Raises:
            UsageError: it is not here, or is another one than the one asked for.
        """
        experiment = self.examples[sha256]
        sent = _sent_file(sha256)
        if sent.is_file():
            found = _read(sent, experiment.dataset)
        else:
            found = dataset_reader(self.root)(experiment)
        if found.sha256 != sha256:
            raise UsageError(
                f"{experiment.dataset} is another one on this worker than on the machine that asks"
            )
        return found


def hashed(experiments: Sequence[Experiment], root: Path | None, load: Loader) -> HashedData:
    """Return what opens trainings of `experiments` on the data that `load` gives here."""
    of = {experiment.hash: load(experiment).sha256 for experiment in experiments}
    examples = {of[experiment.hash]: experiment for experiment in experiments}
    return HashedData(root, examples, of)


def send_lacking(client: Client, address: str, data: HashedData, load: Loader) -> None:
    """Send a worker the data sets that it does not have.

    Args:
        client: connection to the scheduler.
        address: address of the worker.
        data: data sets that it needs.
        load: loads the data set of an experiment here.
    """
    lacks = client.submit(data.lacking, workers=[address], pure=False).result()
    for sha256 in lacks:
        content = client.scatter(_written(load(data.examples[sha256])), workers=[address])
        client.submit(receive, sha256, content, workers=[address], pure=False).result()


def receive(sha256: str, content: bytes) -> None:
    """Keep a data set that was sent to this machine."""
    path = _sent_file(sha256)
    durable.make_folder(path.parent)
    durable.write(path, content)


def _sent_file(sha256: str) -> Path:
    return cache_folder() / "data" / f"{sha256}.pt"


def _written(dataset: Dataset) -> bytes:
    tensors = {one.name: getattr(dataset, one.name) for one in fields(Dataset)}
    del tensors["info"]
    written = io.BytesIO()
    torch.save(tensors, written)
    return written.getvalue()


def _read(path: Path, name: str) -> Dataset:
    """Return the data set in a file that was sent.

    Raises:
        UsageError: the file is damaged.
    """
    try:
        return Dataset(describe(name), **torch.load(path, weights_only=True))
    except Exception as error:  # whatever a damaged file makes of PyTorch's reader
        raise UsageError(f"{path}: damaged: delete it: {error}".splitlines()[0]) from error
