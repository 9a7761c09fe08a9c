"""What the figures show: accuracy and accept rate by epoch, and where the time of a step goes."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from specbp.frames import Frames
from specbp.report.pairing import Arm, Comparison

FORWARD_ENGINE = ("load", "forward", "gate", "redo", "update", "wait")
"""Parts of a step that follow one another on engine 0 when a second engine runs backward."""

BACKWARD_ENGINE = ("recall", "backward", "store")
"""Parts of a step that follow one another on that second engine."""

ONE_ENGINE = ("load", "recall", "forward", "gate", "backward", "redo", "store", "update", "wait")
"""Parts of a step that follow one another when there is one engine."""

REST = "rest"


@dataclass(frozen=True)
class Bar:
    """Where the time of one engine goes in a mean step.

    Attributes:
        engine: 0 runs forward, 1 the speculated backward.
        parts: name and mean time of each part, ms, in the order they are stacked.
    """

    engine: int
    parts: tuple[tuple[str, float], ...]


@dataclass(frozen=True)
class Breakdown:
    """The mean step of one arm; means, because the parts of a mean add up.

    Attributes:
        arm: name of the arm.
        step_ms: mean wall time of a step, ms.
        bars: one per engine.
        weight_gradient_ms: the part of backward that computes weight gradients, ms.
    """

    arm: str
    step_ms: float
    bars: tuple[Bar, ...]
    weight_gradient_ms: float | None

    def part(self, name: str) -> float | None:
        """Return the mean time of the part called `name`, ms, if it was measured."""
        return next((ms for bar in self.bars for part, ms in bar.parts if part == name), None)


def epoch_curves(frames: Frames, comparison: Comparison) -> pd.DataFrame:
    """Return one row per arm, seed and epoch, in percent, with the time of training so far.

    Columns: arm, seed, epoch, train_s, loss, train_percent, test_percent, accept_percent.
    Accuracies and losses of synthetic data are left null.
    """
    labels = pd.DataFrame(
        [
            {"cell": cell, "arm": arm.name, "seed": seed}
            for arm in comparison.arms
            for cell, seed in zip(arm.cells, arm.seeds, strict=True)
        ]
    )
    curves = labels.merge(frames.epochs, on="cell", how="inner")
    for name, source in (
        ("train_percent", "train_accuracy"),
        ("test_percent", "test_accuracy"),
        ("accept_percent", "accept_rate"),
    ):
        curves[name] = 100.0 * curves[source].astype("float64")
    if comparison.synthetic:
        curves[["loss", "train_percent", "test_percent"]] = float("nan")
    return curves.drop(columns=["cell", "train_accuracy", "test_accuracy", "accept_rate"])


def mean_over_seeds(curves: pd.DataFrame) -> pd.DataFrame:
    """Return one row per arm and epoch: the mean of every other column over the seeds."""
    means = curves.drop(columns="seed").groupby(["arm", "epoch"], sort=False)
    return means.mean().reset_index()


def breakdowns(frames: Frames, comparison: Comparison) -> tuple[Breakdown, ...]:
    """Return the mean step of every arm whose parts were timed."""
    found = (_breakdown(frames, arm) for arm in comparison.arms)
    return tuple(breakdown for breakdown in found if breakdown is not None)


def _breakdown(frames: Frames, arm: Arm) -> Breakdown | None:
    steps = frames.steps[frames.steps["cell"].isin(arm.cells)]
    timed = steps[[name for name in steps.columns if str(name).endswith("_ms")]]
    means = {str(name): float(value) for name, value in timed.astype("float64").mean().items()}

    def mean(part: str) -> float | None:
        value = means[f"{part}_ms"]
        return None if pd.isna(value) else value

    if mean("forward") is None or mean("step") is None:
        return None

    def parts(names: tuple[str, ...]) -> tuple[tuple[str, float], ...]:
        return tuple((name, ms) for name in names if (ms := mean(name)) is not None and ms > 0)

    step_ms = means["step_ms"]
    first = parts(ONE_ENGINE if arm.engines == 1 else FORWARD_ENGINE)
    rest = step_ms - sum(ms for _, ms in first)
    bars = [Bar(0, (*first, (REST, rest)) if rest > 0 else first)]
    if arm.engines == 2:
        bars.append(Bar(1, parts(BACKWARD_ENGINE)))
    return Breakdown(arm.name, step_ms, tuple(bars), mean("weight_gradient"))
