"""`specbp overlay`: what the overlay makes of a network."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from specbp.cli.arguments import DataRoot, require_writable
from specbp.cli.number_options import whole
from specbp.cli.on_overlay import overlay_experiment
from specbp.cli.options import with_experiment_options
from specbp.cli.overlay_build import build
from specbp.cli.overlay_coverage import coverage
from specbp.cli.overlay_link import link
from specbp.cli.overlay_resources import resources
from specbp.cli.overlay_timing import timing
from specbp.cli.overlay_waves import waves
from specbp.cli.terminal import say, say_json, show
from specbp.errors import UsageError

if TYPE_CHECKING:
    from specbp.backends.overlay.explained import Explained, ExplainedStep
    from specbp.experiment import Experiment
    from specbp.overlay.cycles import Prediction
    from specbp.overlay.usage import Usage

Rejects = Annotated[int, whole("samples that the gate rejects in the step")]

overlay = typer.Typer(
    help="The overlay: what it makes of a network, and its bitstreams.", no_args_is_help=True
)


overlay.command()(build)
overlay.command()(coverage)
overlay.command()(link)
overlay.command()(resources)
overlay.command()(timing)
overlay.command()(waves)


@overlay.command()
@with_experiment_options
def info(
    given: dict[str, Any],
    listing: Annotated[
        bool, typer.Option("--listing", help="print the program, a line for each descriptor")
    ] = False,
    rejects: Rejects = 0,
    data_root: DataRoot = None,
    json_output: Annotated[bool, typer.Option("--json", help="print JSON")] = False,
) -> None:
    """Compile a training step and print what each pass takes.

    Cycles are predicted; useful is the share of the lanes' multiplications that the layer asks
    for; the memory bound is the cycles that a pass needs to move its words. On two cores the step
    is held against the same on one core, and against the least that its passes allow. Examples:

    specbp overlay info --model lenet5 --dataset fashion-mnist --lanes 32

    specbp overlay info --schedule speculative --reuse replay --rejects 8
    """
    if listing and json_output:
        raise UsageError("--json has no effect on --listing: leave one of them out")
    experiment = overlay_experiment(given, "overlay info", because="the overlay has its own")

    from specbp.overlay.listing import lines
    from specbp.overlay.usage import usage

    found = _explained(experiment, data_root, rejects)
    compiled = found.programs.of(rejects)
    if listing:
        for core in range(len(compiled.programs)):
            for line in lines(compiled, core):
                say(line)
        return
    if experiment.engines == 2:
        _show_two_cores(experiment, found.step(rejects), rejects, json_output)
        return
    used = usage(compiled)
    if json_output:
        say_json(used.as_dict())
        return

    show(_table(used))
    say(
        f"\n{experiment.model}, batch {experiment.batch_size}, {experiment.lanes} lanes: "
        f"{used.cycles:,} cycles a step, {used.milliseconds:.2f} ms at {used.clock_mhz:g} MHz; "
        f"{used.descriptors:,} descriptors, {used.memory_bytes:,} bytes of tensors"
    )


@overlay.command()
@with_experiment_options
def timeline(
    given: dict[str, Any],
    output: Annotated[Path, typer.Option(help="trace to write, JSON")] = Path("overlay.json"),
    rejects: Rejects = 0,
    data_root: DataRoot = None,
) -> None:
    """Write what each core does in a training step: descriptor, layer, pass, samples, waits.

    A microsecond of the trace is a clock cycle, as predicted. The trace opens in
    https://ui.perfetto.dev. Example:

    specbp overlay timeline --schedule speculative --rejects 8
    """
    require_writable(output)
    where = "overlay timeline"
    experiment = overlay_experiment(given, where, because="the overlay has its own")

    from specbp.overlay.trace import overlay_trace

    step = _explained(experiment, data_root, rejects).step(rejects)
    try:
        output.write_text(json.dumps(overlay_trace(step.compiled, step.prediction, rejects)))
    except OSError as error:
        raise UsageError(f"{output} cannot be written: {error.strerror}") from error
    say(
        f"{output}: {step.cycles:,} cycles on {len(step.compiled.programs)} cores; open it in "
        "https://ui.perfetto.dev"
    )


def _explained(experiment: Experiment, data_root: Path | None, rejects: int) -> Explained:
    """Return the steps of an experiment, compiled, where so many samples can be rejected."""
    from specbp.backends.overlay.explained import explained
    from specbp.backends.recipe import Recipe
    from specbp.matrix.run import dataset_reader

    if rejects and experiment.schedule != "speculative":
        raise UsageError("--rejects says nothing here: only a speculative step rejects samples")
    if rejects > experiment.batch_size:
        raise UsageError(f"--rejects {rejects}: the batch has {experiment.batch_size} samples")
    recipe = Recipe(experiment, dataset_reader(data_root)(experiment))
    return explained(experiment, recipe.network, recipe.scales())


def _show_two_cores(
    experiment: Experiment,
    step: ExplainedStep,
    rejects: int,
    json_output: bool,
) -> None:
    """Print a step on two cores beside the same on one."""
    from dataclasses import asdict

    sequential, share = step.sequential, step.over_sequential
    if json_output:
        found = {
            "cycles": step.cycles,
            "sequential": asdict(sequential) | {"total": sequential.total},
            "over_sequential": share,
            "bound": step.bound,
            "papers_bound": sequential.papers_bound,
            "cores": [asdict(one) for one in step.times],
        }
        say_json(found)
        return
    show(_passes_of_cores(step.prediction))
    say()
    show(_times_of_cores(step))
    forward, deltas = sequential.forward, sequential.deltas
    say(
        f"\n{experiment.arm}: {experiment.model}, batch {experiment.batch_size}, {rejects} "
        f"rejected: {step.cycles:,} cycles a step, {share:.3f} of {sequential.total:,} in "
        f"sequence on one core (F {forward:,}, D {deltas:,}, W {sequential.weight_gradients:,}, "
        f"U {sequential.updates:,})\n"
        f"bound {step.bound:.3f}: {share / step.bound - 1:+.1%}; max(F, B)/(F + B) is "
        f"{sequential.papers_bound:.3f}"
    )


def _passes_of_cores(prediction: Prediction) -> Table:
    shown = Table(box=None, pad_edge=False)
    for heading in ("core", "layer", "pass"):
        shown.add_column(heading)
    shown.add_column("cycles", justify="right", no_wrap=True)
    for number, core in enumerate(prediction.cores):
        for one in core.passes:
            if one.cycles:
                shown.add_row(str(number), one.tag.layer, one.tag.work, f"{one.cycles:,}")
    return shown


def _times_of_cores(step: ExplainedStep) -> Table:
    """Return where the cycles of each core go."""
    times = step.times
    shown = Table(box=None, pad_edge=False)
    shown.add_column("where the cycles go")
    for number in range(len(times)):
        shown.add_column(f"core {number}", justify="right", no_wrap=True)
    rows = {
        "computes": [one.computing for one in times],
        "waits for its own memory, barriers, descriptors": [one.memory for one in times],
        "waits for the other core": [one.other_core for one in times],
        "has ended before the other": [one.ended for one in times],
    }
    for name, values in rows.items():
        shown.add_row(name, *(f"{value / step.cycles:.1%}" for value in values))
    slower = [f"{one.contention:,} cycles" for one in times]
    shown.add_row("transfers last longer beside the other's", *slower)
    return shown


def _table(found: Usage) -> Table:
    """Return a line for each pass."""
    shown = Table(box=None, pad_edge=False)
    shown.add_column("layer")
    shown.add_column("pass")
    for heading in ("cycles", "of step", "multiplying", "useful", "memory bound"):
        shown.add_column(heading, justify="right", no_wrap=True)
    for one in found.passes:
        shown.add_row(
            one.layer,
            one.work,
            f"{one.cycles:,}",
            f"{one.cycles / found.cycles:.1%}",
            f"{one.multiplying:.0%}" if one.multiplying else "",
            f"{one.useful:.0%}" if one.useful is not None else "",
            f"{one.memory_bound:,}",
        )
    return shown
