"""Prints finished cells: a table for people, JSON for scripts."""

from __future__ import annotations

import json
from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import pandas as pd
from rich.table import Table

from specbp.cli.terminal import note, say, say_json, show
from specbp.frames import OVER_BOUND


def print_json(runs: pd.DataFrame) -> None:
    """Print rows of the frame `runs` as a JSON list."""
    say_json(json.loads(runs.to_json(orient="records")))


def print_table(runs: pd.DataFrame) -> None:
    """Print rows of the frame `runs` as a table, one line of numbers each."""
    table = Table(box=None, pad_edge=False)
    table.add_column("arm", overflow="fold")
    for heading in ("seed", "ms/step", "5%..95%", "train s", "accepted", "bound", "test right"):
        table.add_column(heading, justify="right", no_wrap=True)
    clocked = bool(runs["simulated_s"].notna().any())
    if clocked:
        for heading in ("cycles", "MHz", "overlay s"):
            table.add_column(heading, justify="right", no_wrap=True)
    for row in runs.to_dict("records"):
        if row["status"] == "ok":
            table.add_row(
                row["arm"],
                str(row["seed"]),
                f"{row['step_ms']:.2f}",
                f"{row['step_ms_p05']:.2f}..{row['step_ms_p95']:.2f}",
                f"{row['train_s']:.1f}",
                _share(row["accept_rate"]),
                "" if pd.isna(row["bound"]) else f"{row['bound']:.2f}",
                "synthetic" if row["synthetic"] else _share(row["test_accuracy"]),
                *(_on_the_overlay(row) if clocked else ()),
            )
        else:
            table.add_row(row["arm"], str(row["seed"]), row["status"])
    show(table)


def _on_the_overlay(row: Mapping[Hashable, Any]) -> tuple[str, ...]:
    """Return what the overlay takes, by its own clock; the times before are those of the host."""
    if pd.isna(row["simulated_s"]):
        return "", "", ""
    return f"{row['cycles']:,.0f}", f"{row['clock_mhz']:g}", f"{row['simulated_s']:.3f}"


def print_over_bound(runs: pd.DataFrame) -> None:
    """Say of each row that has a bound what its mean step takes beyond it, and where."""
    for row in runs.to_dict("records"):
        if not pd.isna(row["bound_ms"]):
            parts = {name: row[f"over_{account}_ms"] for account, name in OVER_BOUND.items()}
            step_ms = row["bound_ms"] + sum(parts.values())
            words = "; ".join(f"{name} {ms:+.3f}" for name, ms in parts.items())
            say(
                f"mean step {step_ms:.2f} ms, {step_ms / row['bound_ms'] - 1:+.0%} to its bound "
                f"of {row['bound_ms']:.2f} ms: {words}"
            )


def print_cautions(runs: pd.DataFrame, arms: Sequence[str] | None = None) -> None:
    """Name the rows of the frame `runs` whose accuracy or time is not what it looks like.

    Args:
        runs: rows of the frame.
        arms: names of the arms that are looked at; None for all.
    """
    from specbp.report.cores import core_sentences
    from specbp.report.learning import learning_notes, learning_sentences
    from specbp.report.pairing import comparisons

    for comparison in comparisons(runs):
        asked = [arm for arm in comparison.arms if arms is None or arm.name in arms]
        names = {arm.name for arm in asked}
        notes = [one for one in learning_notes(comparison) if one.arm in names]
        for sentence in (*learning_sentences(notes), *core_sentences(asked)):
            note(f"{comparison.title}: {sentence}")


def _share(value: float) -> str:
    return "" if pd.isna(value) else f"{value:.1%}"
