"""Opens the training of an experiment on the backend that it names."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from specbp.backends import TracedTraining, Training
from specbp.backends.record import named_function
from specbp.errors import UsageError

if TYPE_CHECKING:
    from specbp.datasets.loading import Dataset
    from specbp.experiment import Experiment


def open_training(experiment: Experiment, dataset: Dataset) -> Training:
    """Return the training of `experiment`.

    Args:
        experiment: what to train, and how.
        dataset: the loaded data set of the experiment.

    Raises:
        UsageError: the model does not fit the data or the backend, or the backend is not
            installed.
    """
    training: Training = named_function(experiment.backend_record.opens)(experiment, dataset)
    return training


def open_traced(experiment: Experiment, dataset: Dataset) -> TracedTraining:
    """Return the training of `experiment`, which shows what its engines did.

    Args:
        experiment: what to train, and how.
        dataset: the loaded data set of the experiment.

    Raises:
        UsageError: the model or backend cannot be used, or the experiment is for the overlay.
    """
    if experiment.on_overlay:
        raise UsageError(f"{experiment.backend} is an overlay: choose cpu or cuda")
    return cast("TracedTraining", open_training(experiment, dataset))
