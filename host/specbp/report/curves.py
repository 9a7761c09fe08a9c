"""What the figures show: accuracy and accept rate by epoch, and where the time of a step goes."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from specbp.frames import Frames
from specbp.report.pairing import Arm, Comparison
from specbp.report.published import STEPS

ENGINE_0 = ("load", "forward", "gate", "backward", "redo", "update", "wait")
"""Parts of a step on engine 0 of two, the caller's."""

ENGINE_1 = ("recall", "forward", "backward", "store")
"""Parts of a step on engine 1."""

ONE_ENGINE = ("load", "recall", "forward", "gate", "backward", "redo", "store", "update", "wait")
"""Parts of a step that follow one another when there is one engine."""

REST = "rest"

_PASSES = ("forward", "input_gradient", "weight_gradient")


@dataclass(frozen=True)
class Bar:
    """Where the time of one engine goes in a mean step.

    Attributes:
        engine: 0 is the caller's.
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
        """Return the mean time of the part called `name` on all engines, ms, if it was measured."""
        found = [ms for bar in self.bars for part, ms in bar.parts if part == name]
        return sum(found) if found else None


def epoch_curves(frames: Frames, comparison: Comparison) -> pd.DataFrame:
    """Return one row per arm, seed and epoch, in percent, with the time of training so far.

    Columns: arm, seed, epoch, train_s, loss, train_percent, test_percent, accept_percent.
    Accuracies and losses of synthetic data are left null.
    """
    labels = pd.DataFrame(
        [
            {"cell": run["cell"], "arm": arm.name, "seed": run["seed"]}
            for arm in comparison.arms
            for run in arm.once_per_seed
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
    """Return the mean step of every arm whose parts were timed, engine by engine."""
    found = (_breakdown(frames, arm) for arm in comparison.arms)
    return tuple(breakdown for breakdown in found if breakdown is not None)


def _mean_step(timed: pd.DataFrame, steps: pd.DataFrame) -> pd.Series[float]:
    """Return the mean of each time over the steps, also where a row is the sum of several."""
    timed = timed.astype("float64")
    if STEPS not in steps:
        return timed.mean()
    return timed.sum(min_count=1) / timed.notna().mul(steps[STEPS], axis=0).sum()


def _breakdown(frames: Frames, arm: Arm) -> Breakdown | None:
    steps = frames.steps[frames.steps["cell"].isin(arm.cells)]
    timed = steps[[name for name in steps.columns if str(name).endswith("_ms")]]
    means = {str(name): float(value) for name, value in _mean_step(timed, steps).items()}

    def mean(part: str) -> float | None:
        value = means[f"{part}_ms"]
        return None if pd.isna(value) else value

    if mean("forward") is None or mean("step") is None:
        return None

    def parts(names: tuple[str, ...], means: dict[str, float]) -> tuple[tuple[str, float], ...]:
        return tuple((name, means[name]) for name in names if means.get(name, 0) > 0)

    step_ms = means["step_ms"]
    known = {name: ms for name in ONE_ENGINE if (ms := mean(name)) is not None}
    if arm.engines == 1:
        first, bars = parts(ONE_ENGINE, known), []
    else:
        second = {name: mean(f"engine_1_{name}") for name in _PASSES}
        if None in second.values():
            return None  # measured before frames said which engine did what
        on_1 = {
            "forward": second["forward"] or 0.0,
            "backward": (second["input_gradient"] or 0.0) + (second["weight_gradient"] or 0.0),
        }
        on_0 = {name: ms - on_1.get(name, 0.0) for name, ms in known.items()}
        first, bars = parts(ENGINE_0, on_0), [Bar(1, parts(ENGINE_1, known | on_1))]
    rest = step_ms - sum(ms for _, ms in first)
    bars = [Bar(0, (*first, (REST, rest)) if rest > 0 else first), *bars]
    return Breakdown(arm.name, step_ms, tuple(bars), mean("weight_gradient"))
