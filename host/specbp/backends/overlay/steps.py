"""Which step an experiment trains with on the overlay, and on which overlay."""

from __future__ import annotations

from specbp.arithmetic.int16 import Int16
from specbp.backends.overlay.speculative_step import SpeculativeStep
from specbp.backends.overlay.step import OverlayStep, Step
from specbp.backends.recipe import Recipe
from specbp.experiment import Experiment
from specbp.overlay.executors import OpenExecutor
from specbp.overlay.parameters import Parameters


def parameters_of(experiment: Experiment) -> Parameters:
    """Return the overlay that an experiment asks for: a core for each engine."""
    assert experiment.lanes is not None
    return Parameters(lanes=experiment.lanes, cores=experiment.engines)


def open_step(
    recipe: Recipe, arithmetic: Int16, parameters: Parameters, open_executor: OpenExecutor
) -> Step:
    """Return what does training steps of an experiment on the overlay.

    Args:
        recipe: what to train on, and how.
        arithmetic: number format of the training.
        parameters: parameters of the overlay.
        open_executor: opens what runs the programs.

    Raises:
        UsageError: the network does not fit the overlay.
    """
    if recipe.experiment.schedule == "speculative":
        return SpeculativeStep(
            recipe.network, arithmetic, recipe.experiment, parameters, open_executor
        )
    return OverlayStep(recipe.network, arithmetic, parameters, open_executor)
