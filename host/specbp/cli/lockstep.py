"""`specbp lockstep`: two backends, compared tensor by tensor."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from specbp.cli.arguments import DataRoot
from specbp.cli.number_options import real, whole
from specbp.cli.on_overlay import overlay_experiment
from specbp.cli.options import with_experiment_options
from specbp.cli.terminal import note, say
from specbp.errors import SpecbpError, UsageError, nearest
from specbp.experiment import Experiment

if TYPE_CHECKING:
    from specbp.backends.recipe import Recipe
    from specbp.lockstep.sides import Side
    from specbp.overlay.parameters import Parameters

BACKENDS = ("cpu+int16", "sim:rtl", "interpreter")
OPTIONS_OF = {"stalls": "sim:rtl", "delays": "sim:rtl", "races": "interpreter"}
"""The one backend that looks at each of these options."""
REPORT_EVERY_S = 10.0


@with_experiment_options
def lockstep(
    given: dict[str, Any],
    first: Annotated[str, typer.Argument(help=" | ".join(BACKENDS), metavar="A")],
    second: Annotated[str, typer.Argument(help="likewise", metavar="B")],
    steps: Annotated[int, whole("training steps to compare", least=1)] = 10,
    stalls: Annotated[
        float,
        real("chance of every memory channel to pause in a cycle", least=0, most=0.99),
    ] = 0.0,
    delays: Annotated[
        int,
        whole("most cycles by which a core starts late, at random in each step", most=65535),
    ] = 0,
    races: Annotated[
        bool, typer.Option("--races", help="the interpreter looks for races, which takes time")
    ] = False,
    data_root: DataRoot = None,
) -> None:
    """Train on two backends step by step and compare every tensor, to the bit.

    Compared are the gate's decisions, the outputs of all layers, softmax, deltas, gradients,
    weights and momenta.
    At the first difference its step, layer, tensor, index and both values are named,
    and the exit code is 1. Example:

    specbp lockstep cpu+int16 sim:rtl --model lenet5 --dataset fashion-mnist --steps 50

    specbp lockstep cpu+int16 sim:rtl --schedule speculative --reuse replay --stalls 0.2
    """
    for name in (first, second):
        if name not in BACKENDS:
            choices = ", ".join(BACKENDS)
            raise UsageError(
                f'unknown backend "{name}"{nearest(name, BACKENDS)}: choose one of {choices}'
            )
    _require_effect((first, second), {"stalls": stalls, "delays": delays, "races": races})
    experiment = overlay_experiment(
        given, "lockstep", because="A and B name backends, both in int16"
    )

    from specbp.backends.recipe import Recipe
    from specbp.lockstep.compare import Difference, compare
    from specbp.matrix.run import dataset_reader

    dataset = dataset_reader(data_root)(experiment)
    one, other = (
        _side(name, Recipe(experiment, dataset), experiment, stalls, delays, races)
        for name in (first, second)
    )
    started = reported = time.monotonic()
    try:
        for found in compare(one, other, steps):
            if isinstance(found, Difference):
                raise SpecbpError(f"{first} and {second} differ: {found}")
            last = found
            if time.monotonic() - reported > REPORT_EVERY_S:
                reported = time.monotonic()
                note(f"{found.steps} of {steps} steps are identical")
    finally:
        for side in (one, other):
            side.close()
    say(
        f"{first} and {second} are identical: {experiment.model} on {experiment.dataset}, "
        f"batch {experiment.batch_size}, {last.steps} steps, {last.tensors:,} tensors, "
        f"{last.elements:,} values{_decided(one)}, {time.monotonic() - started:.1f} s"
    )


def _require_effect(backends: Sequence[str], options: Mapping[str, float]) -> None:
    """Reject an option that was set and that neither of `backends` looks at."""
    for name, backend in OPTIONS_OF.items():
        if options[name] and backend not in backends:
            raise UsageError(f"--{name} has no effect: neither A nor B is {backend}: leave it out")


def _decided(side: Side) -> str:
    if not side.accepts and not side.rejects:
        return ""
    return f", {side.accepts:,} samples accepted and {side.rejects:,} rejected by both"


def _side(
    name: str, recipe: Recipe, experiment: Experiment, stalls: float, delay: int, races: bool
) -> Side:
    import numpy as np

    from specbp.backends.overlay.steps import parameters_of
    from specbp.boards.installed import require_simulation
    from specbp.lockstep.sides import OverlaySide, PytorchSide
    from specbp.overlay.executors import InterpreterExecutor
    from specbp.simulation.executor import SimulatedExecutor

    if name == "cpu+int16":
        return PytorchSide(recipe)
    parameters = parameters_of(experiment)
    if name == "interpreter":
        return OverlaySide(
            recipe, parameters, lambda built, size: InterpreterExecutor(built, races)
        )
    require_simulation()
    random = np.random.default_rng(experiment.seed)

    def simulated(built: Parameters, size: int) -> SimulatedExecutor:
        executor = SimulatedExecutor(
            built, size, lambda: random.integers(0, delay + 1, built.cores).tolist()
        )
        executor.device.model.set_stalls(experiment.seed + 1, stalls)
        return executor

    return OverlaySide(recipe, parameters, simulated)
