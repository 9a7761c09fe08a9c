"""`specbp plan`: a training step as data: its tasks, what they need, when they could run."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from specbp.cli.arguments import DataRoot, require_writable
from specbp.cli.number_options import real, whole
from specbp.cli.options import with_experiment_options
from specbp.cli.terminal import say, say_json, show
from specbp.errors import UsageError
from specbp.experiment import Experiment, experiment_from

if TYPE_CHECKING:
    from specbp.plan.bound import Costs
    from specbp.plan.outline import Outline
    from specbp.plan.tasks import Plan
    from specbp.plan.timetable import Entry

PICTURES = (".svg", ".png", ".pdf")
WARM_STEPS = 20
"""Steps before those that are measured."""


@with_experiment_options
def plan(
    given: dict[str, Any],
    accept_rate: Annotated[
        float, real("share of the samples that the gate accepts", least=0, most=1)
    ] = 1.0,
    measure: Annotated[
        int, whole("steps to train and take the times of tasks from; 0: by their work", least=0)
    ] = 0,
    draw: Annotated[Path | None, typer.Option(help="picture to write: .svg, .png or .pdf")] = None,
    data_root: DataRoot = None,
    json_output: Annotated[bool, typer.Option("--json", help="print the plan as JSON")] = False,
) -> None:
    """Show a training step as a plan: tasks, what each needs, and when it could run.

    Times are the work of the layers unless they are measured. A plan that is shown was checked:
    its tasks have an order, none races another, and nothing is read before it is written. Examples:

    specbp plan --schedule speculative --reuse replay

    specbp plan --schedule pipelined --measure 50 --draw pipelined.svg
    """
    from specbp.datasets.catalog import describe
    from specbp.initial import initial
    from specbp.plan.bound import bound
    from specbp.plan.checks import check
    from specbp.plan.choosing import main_plan
    from specbp.plan.timetable import length, timetable
    from specbp.runtime.outlines import outline_of

    experiment = experiment_from(given, "plan")
    if draw is not None:
        if draw.suffix not in PICTURES:
            raise UsageError(f"--draw {draw}: take one of {', '.join(PICTURES)}")
        require_writable(draw)
    if measure:
        outline, costs, unit = _measured(experiment, measure, data_root)
    else:
        network = initial(experiment.model, describe(experiment.dataset), experiment.seed).network
        outline = outline_of(network)
        costs, unit = _by_work(outline), "by the work of its layers"
    chosen = main_plan(experiment, outline)
    check(chosen)
    entries = timetable(chosen, costs, accept_rate)
    alone = _sequential(outline, costs)
    least = bound(chosen, costs, accept_rate)
    if json_output:
        say_json(
            {
                "plan": chosen.name,
                "engines": chosen.engines,
                "tasks": [asdict(task) for task in chosen.tasks],
                "timetable": [asdict(entry) for entry in entries],
                "sequential": alone,
                "bound": least,
            }
        )
    else:
        show(_table(chosen, entries, alone))
        say(
            f"\n{experiment.arm}: {len(chosen.tasks)} tasks on {chosen.engines} "
            f"{'engines' if chosen.engines > 1 else 'engine'}; every order of execution gives the "
            f"same bits. It could take {length(entries) / alone:.3f} of the sequential step on one "
            f"engine, {unit}; bound {least / alone:.3f}"
        )
    if draw is not None:
        from specbp.report.plan_figure import draw_plan

        title = f"{experiment.arm}: {experiment.model}, batch {experiment.batch_size}"
        draw_plan(chosen, entries, least, alone, title, draw)
        say(f"{draw}: the picture")


def _by_work(outline: Outline) -> Costs:
    """Return costs by multiply-accumulates: each pass takes as long as the forward, the rest 0."""
    from specbp.plan.bound import Passes, costs_of_passes

    forward = sum(node.work for node in outline.nodes)
    below = sum(node.work for node in outline.nodes[outline.first_trained + 1 :])
    return costs_of_passes(outline, Passes(forward, below, forward, 0.0))


def _measured(
    experiment: Experiment, steps: int, data_root: Path | None
) -> tuple[Outline, Costs, str]:
    """Train some steps on the CPU, and return the outline and the median times of its tasks, s."""
    from specbp.backends.cpu.training import CpuTraining
    from specbp.matrix.run import dataset_reader
    from specbp.runtime.costs import measured_costs

    if experiment.backend != "cpu":
        raise UsageError(
            f"--measure takes times on the CPU: leave out --backend {experiment.backend}"
        )
    training = CpuTraining(experiment, dataset_reader(data_root)(experiment))
    try:
        training.advance(WARM_STEPS)
        training.advance(steps)
        assert training.results is not None
        return training.outline, measured_costs(training.results), "by the times measured"
    finally:
        training.close()


def _sequential(outline: Outline, costs: Costs) -> float:
    from specbp.plan.bound import sequential_time
    from specbp.plan.sequential import sequential

    return sequential_time(sequential(outline), costs)


def _table(plan: Plan, entries: list[Entry], alone: float) -> Table:
    """Return a line for each task, in the order in which they could begin."""
    shown = Table(box=None, pad_edge=False)
    for heading in ("task", "kind", "layer", "samples", "engine"):
        shown.add_column(heading, no_wrap=True)
    for heading in ("begins", "ends"):
        shown.add_column(heading, justify="right", no_wrap=True)
    shown.add_column("needs")
    for entry in entries:
        task = plan.tasks[entry.task]
        layer = plan.outline.nodes[task.node].name if task.node >= 0 else ""
        shown.add_row(
            str(entry.task),
            task.kind.replace("_", " "),
            f"part {task.node}" if task.kind == "update" else layer,
            task.rows,
            str(entry.engine) if task.engine is not None else f"{entry.engine} (any)",
            f"{entry.started / alone:.3f}",
            f"{entry.ended / alone:.3f}",
            ", ".join(map(str, task.needs)),
        )
    return shown
