"""An experiment for verbs that always mean the overlay."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from specbp.errors import UsageError
from specbp.experiment import Experiment, experiment_from


def overlay_experiment(given: Mapping[str, Any], where: str, because: str) -> Experiment:
    """Return the experiment of `given` fields on the overlay.

    Args:
        given: fields as they were set.
        where: the verb, for messages.
        because: why the fields that name the backend say nothing there.

    Raises:
        UsageError: such a field was set, or another is wrong.
    """
    for name in ("backend", "arithmetic"):
        if name in given:
            raise UsageError(f"--{name} says nothing here: {because}")
    return experiment_from({**given, "backend": "sim:model"}, where)
