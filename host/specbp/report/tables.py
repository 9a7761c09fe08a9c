"""The tables of a report beside the summary: plain strings, for every rendering."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from specbp.report.curves import ONE_ENGINE, REST, Breakdown, mean_over_seeds
from specbp.report.cycles import StepCycles
from specbp.report.energy import StepEnergy
from specbp.report.overlay_steps import NotPredicted, TwoCoreStep
from specbp.report.provenance import Provenance
from specbp.report.summary import ArmComparison, ArmSummary, ComparisonSummary, LeftOut
from specbp.report.wording import milliseconds, number_words

DASH = "\N{EN DASH}"
MOST_EPOCHS = 4
"""Epochs of which a table has rows; the frames have all."""


@dataclass(frozen=True)
class Table:
    """A heading for each column and rows of as many strings."""

    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def left_out_table(left_out: Sequence[LeftOut]) -> Table:
    """Return the cells that were not measured, with their reasons."""
    return Table(
        ("comparison", "arm", "seed", "status", "reason"),
        tuple(
            (item.comparison, item.arm, str(item.seed), item.status, item.reason)
            for item in left_out
        ),
    )


def cycles_table(rows: Sequence[StepCycles]) -> Table:
    """Return cycles of a step as predicted, simulated and measured, with their ratio."""

    def shown(value: float | None) -> str:
        return DASH if value is None else f"{value:,.0f}"

    return Table(
        ("comparison", "method", "model", "RTL", "board's counter", "predicted / real", "board"),
        tuple(
            (
                row.comparison,
                row.method,
                shown(row.predicted),
                shown(row.simulated),
                shown(row.measured),
                DASH if row.ratio is None else f"{row.ratio:.4f}",
                row.board or DASH,
            )
            for row in rows
        ),
    )


def energy_table(rows: Sequence[StepEnergy]) -> Table:
    """Return time and energy of a step of each arm, and what counted it."""
    return Table(
        ("comparison", "arm", "step, ms", "step, J", "mean power, W", "counted by, or why not"),
        tuple(
            (
                row.comparison,
                row.arm,
                milliseconds(row.milliseconds),
                DASH if row.joules is None else f"{row.joules:.3g}",
                DASH if row.joules is None else f"{1e3 * row.joules / row.milliseconds:.3g}",
                row.source or DASH,
            )
            for row in rows
        ),
    )


def machine_table(found: Provenance) -> Table:
    """Return the machines that contributed."""
    return Table(
        ("processor", "cores", "memory, GiB", "system", "runs"),
        tuple(
            (item.cpu, item.cores, item.memory_gib, item.platform, str(item.runs))
            for item in found.machines
        ),
    )


def software_table(found: Provenance) -> Table:
    """Return the sets of versions that contributed."""
    return Table(
        ("specbp", "commit", "Python", "PyTorch", "NumPy", "runs"),
        tuple(
            (item.specbp, item.commit, item.python, item.torch, item.numpy, str(item.runs))
            for item in found.software
        ),
    )


def work_table(comparison: ComparisonSummary) -> Table:
    """Return every field that the arms share."""
    return Table(
        ("field", "value"),
        tuple(
            (
                name,
                DASH if value is None else f"{value:g}" if isinstance(value, float) else str(value),
            )
            for name, value in comparison.work.items()
        ),
    )


def hash_table(comparison: ComparisonSummary) -> Table:
    """Return the hashes that all arms have in common, seed by seed."""
    names = tuple(name for name in comparison.hashes[0] if name != "seed")
    return Table(
        ("seed", *(name.removesuffix("_sha256").replace("_", " ") + ", SHA-256" for name in names)),
        tuple((str(row["seed"]), *(str(row[name]) for name in names)) for row in comparison.hashes),
    )


def epoch_table(curves: pd.DataFrame) -> Table:
    """Return the means over seeds behind the curves, of the last epoch and a few before it."""
    columns = {
        "train_s": ("time so far, s", "{:.2f}"),
        "loss": ("loss, nat", "{:.4f}"),
        "train_percent": ("training accuracy, %", "{:.2f}"),
        "test_percent": ("test accuracy, %", "{:.2f}"),
        "accept_percent": ("accepted, %", "{:.1f}"),
    }
    kept = {name: what for name, what in columns.items() if curves[name].notna().any()}
    means = mean_over_seeds(curves)
    epochs = sorted(means["epoch"].unique(), reverse=True)
    means = means[means["epoch"].isin(epochs[:: -(-len(epochs) // MOST_EPOCHS)])]
    return Table(
        ("arm", "epoch", *(heading for heading, _ in kept.values())),
        tuple(
            (
                str(row["arm"]),
                str(row["epoch"]),
                *(
                    DASH if pd.isna(row[name]) else form.format(row[name])
                    for name, (_, form) in kept.items()
                ),
            )
            for row in means.to_dict("records")
        ),
    )


def repeats_table(comparison: ComparisonSummary) -> Table:
    """Return the ratio of total time of every repeat, where there is more than one."""
    return Table(
        (
            "arm",
            "held against",
            "repeats",
            "processes",
            "total time of the arm over that of the other, repeat by repeat",
            "within a repeat, 95%",
        ),
        tuple(
            (
                arm.name,
                against.baseline,
                str(len(against.time.by_repeat)),
                "not recorded" if against.processes is None else str(against.processes),
                ", ".join(f"{ratio:.3f}" for ratio in against.time.by_repeat),
                DASH if against.time.within is None else f"\u00b1{100 * against.time.within:.1f}%",
            )
            for arm in comparison.arms
            for against in (arm.one_thread, arm.equal_resources)
            if isinstance(against, ArmComparison) and len(against.time.by_repeat) > 1
        ),
    )


def costs_table(comparison: ComparisonSummary) -> Table:
    """Return what an arm costs beside its steps: memory, and work of the loop between them."""
    rows = []
    for arm in comparison.arms:
        against = arm.one_thread
        loop = against.whole_loop if isinstance(against, ArmComparison) else None
        between = arm.between_ms
        share = None if between is None else between / (arm.step_ms + between)
        rows.append(
            (
                arm.name,
                DASH if arm.peak_memory_mib is None else f"{arm.peak_memory_mib:.1f}",
                milliseconds(arm.step_ms),
                DASH if between is None else milliseconds(between),
                DASH if share is None else f"{100 * share:.1f}%",
                DASH if loop is None else f"{loop.ratio:.3f}",
            )
        )
    headings = (
        "arm",
        "peak memory, MiB",
        "mean step, ms",
        "between steps, ms",
        "share of the loop",
        "whole loop / sequential, 1 thread",
    )
    known = any(row[1] != DASH or row[3] != DASH for row in rows)
    return Table(headings, tuple(rows) if known else ())


def over_bound_table(arms: Sequence[ArmSummary]) -> Table:
    """Return what lies between the bound and the mean step of every arm that has it, ms."""
    known = [(arm.name, arm.over_bound) for arm in arms if arm.over_bound is not None]
    parts = [name for name, _ in known[0][1].parts] if known else []
    return Table(
        ("arm", "bound", *(f"+ {name}" for name in parts), "= mean step", "over the bound"),
        tuple(
            (
                name,
                milliseconds(over.bound_ms),
                *(number_words(ms, "{:+.3f}") for _, ms in over.parts),
                milliseconds(over.step_ms),
                number_words(100 * (over.step_ms / over.bound_ms - 1), "{:+.0f}") + "%",
            )
            for name, over in known
        ),
    )


def breakdown_table(breakdowns: Sequence[Breakdown]) -> Table:
    """Return the mean parts of a step, ms, also those that no bar shows."""

    def shown(value: float | None) -> str:
        return DASH if value is None else milliseconds(value)

    return Table(
        (
            "arm",
            "whole step",
            *ONE_ENGINE,
            REST,
            "of backward: weight gradient",
        ),
        tuple(
            (
                item.arm,
                shown(item.step_ms),
                *(shown(item.part(name)) for name in (*ONE_ENGINE, REST)),
                shown(item.weight_gradient_ms),
            )
            for item in breakdowns
        ),
    )


def core_bounds_table(steps: Sequence[TwoCoreStep | NotPredicted]) -> Table:
    """Return the bounds of each step on two cores, and what lies between bound and step, cycles."""
    headings = (
        "arm",
        "rejected samples",
        "in sequence on one core",
        "max(F, B)/(F + B)",
        "balanced",
        "bound",
        "+ cores that wait",
        "+ gate",
        "+ longer passes (of them contention, at most)",
        "= predicted",
        "as run",
        "as run / predicted",
        "as run / one core",
        "mean of all steps as run",
    )
    return Table(headings, tuple(_bound_row(one, len(headings)) for one in steps))


def _bound_row(one: TwoCoreStep | NotPredicted, columns: int) -> tuple[str, ...]:
    if isinstance(one, NotPredicted):
        return (f"{one.arm}: {one.reason}", *[DASH] * (columns - 1))
    step, over = one.predicted, one.predicted.over_bound
    one_core, papers = step.sequential.total, step.sequential.papers_bound
    return (
        one.arm,
        DASH if one.rejects is None else str(one.rejects),
        f"{one_core:,}",
        f"{papers * one_core:,.0f} ({papers:.3f})",
        f"{step.balanced_bound * one_core:,.0f} ({step.balanced_bound:.3f})",
        f"{step.bound_cycles:,.0f} ({step.bound:.3f})",
        number_words(over.waiting, "{:+,.0f}"),
        number_words(over.gate, "{:+,.0f}"),
        f"{number_words(over.passes, '{:+,.0f}')} ({over.contention:,.0f})",
        f"{step.cycles:,} ({step.over_sequential:.3f})",
        f"{one.usual_cycles:,.0f}",
        f"{one.usual_cycles / step.cycles:.4f}",
        f"{one.usual_cycles / one_core:.3f}",
        f"{one.mean_cycles:,.0f}",
    )


def core_times_table(steps: Sequence[TwoCoreStep | NotPredicted]) -> Table:
    """Return where the cycles of each predicted step on two cores go, of core 0 and of core 1."""
    rows = []
    for one in steps:
        if isinstance(one, TwoCoreStep):
            times, total = one.predicted.times, one.predicted.cycles
            shares = (
                [time.computing for time in times],
                [time.memory for time in times],
                [time.other_core for time in times],
                [time.ended for time in times],
            )
            words = (" / ".join(f"{cycles / total:.1%}" for cycles in both) for both in shares)
            slower = " / ".join(f"{time.contention:,}" for time in times)
            rows.append((one.arm, *words, slower))
    return Table(
        (
            "arm",
            "computes",
            "waits for its own memory, barriers, descriptors",
            "waits for the other core",
            "has ended before the other",
            "transfers last longer beside the other's, cycles",
        ),
        tuple(rows),
    )
