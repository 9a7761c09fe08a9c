"""An experiment for verbs that always mean the overlay."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from specbp.errors import UsageError
from specbp.experiment import Experiment, experiment_from

if TYPE_CHECKING:
    from specbp.backends.recipe import Recipe
    from specbp.lockstep.sides import OverlaySide
    from specbp.overlay.parameters import Parameters
    from specbp.simulation.verilated import Model


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


def open_checked(recipe: Recipe) -> tuple[OverlaySide, Model]:
    """Return the training of `recipe` on the checked build of the simulation, and its model."""
    from specbp.backends.overlay.steps import parameters_of
    from specbp.lockstep.sides import OverlaySide
    from specbp.simulation.executor import SimulatedExecutor

    executors: list[SimulatedExecutor] = []

    def checked(parameters: Parameters, size: int) -> SimulatedExecutor:
        executors.append(SimulatedExecutor(parameters, size, kind="checked"))
        return executors[0]

    side = OverlaySide(recipe, parameters_of(recipe.experiment), checked)
    return side, executors[0].device.model
