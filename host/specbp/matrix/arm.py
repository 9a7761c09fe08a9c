"""One cell in training: its rows so far, and what becomes of them when it ends."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from specbp.backends import Training
from specbp.datasets.catalog import describe
from specbp.energy.meter import Meter, long_enough
from specbp.energy.opening import open_meter
from specbp.errors import UsageError
from specbp.experiment import Experiment
from specbp.frames import table
from specbp.initial import initial
from specbp.matrix.expand import Cell
from specbp.plan.bound import Passes, costs_of_passes, mean_bound
from specbp.plan.choosing import step_plans
from specbp.plan.tasks import StepPlans
from specbp.runtime.accounting import ACCOUNTS, ideal_shares
from specbp.runtime.outlines import outline_of


class Arm:
    """A training and the rows of its frames.

    Args:
        cell: what is trained.
        training: the training in progress.
        peak_mib: memory that it takes at most, where that was counted.

    Attributes:
        cell: what is trained.
        training: the training in progress.
        epochs: rows of the frame `epochs`.
        unsaved_steps: rows of the frame `steps` since the last checkpoint.
    """

    def __init__(self, cell: Cell, training: Training, peak_mib: float | None = None) -> None:
        self.cell = cell
        self.training = training
        self._peak_mib = peak_mib
        self.epochs: list[dict[str, Any]] = []
        self.unsaved_steps: list[dict[str, Any]] = []
        self._train_s = 0.0
        self._sums = _no_sums()
        self._meter = open_meter(cell.experiment.backend)

    @property
    def total_steps(self) -> int:
        """Steps of the whole training."""
        return self.training.steps_per_epoch * self.cell.experiment.epochs

    def advance(self, steps: int, round_number: int) -> None:
        """Train `steps` steps, and evaluate where an epoch ends with them."""
        before = self._meter.read()
        rows = self.training.advance(steps)
        after = self._meter.read()
        joules = None if before is None or after is None else (after - before) / len(rows)
        for row in rows:
            place = {"cell": self.cell.hash, "round": round_number}
            self.unsaved_steps.append({**place, "joules": joules, **row})
            self._train_s += row["step_ms"] / 1e3
            for name in self._sums:
                self._sums[name] += row[name] or 0
        if self.training.step % self.training.steps_per_epoch == 0:
            self._end_epoch()

    def state(self) -> dict[str, Any]:
        """Return what is needed to go on later."""
        return {
            "training": self.training.state(),
            "dataset_sha256": self.training.dataset_sha256,
            "epochs": self.epochs,
            "train_s": self._train_s,
            "sums": self._sums,
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from `state`.

        Raises:
            UsageError: `state` comes from other data. (The cell's hash knows the network.)
            ValueError: `state` is not of this cell's training.
        """
        if state["dataset_sha256"] != self.training.dataset_sha256:
            raise UsageError(
                f"{self.cell.experiment.dataset} has changed since the half-trained cell "
                f"{self.cell.hash} was begun: bring the data back, or start over with --fresh"
            )
        step = state["training"]["step"]
        if step > self.total_steps:
            raise ValueError(f"{step} steps are done of {self.total_steps}")
        epochs = table("epochs", state["epochs"])
        done = step // self.training.steps_per_epoch
        if epochs.column("epoch").to_pylist() != list(range(1, done + 1)):
            raise ValueError(f"its epochs are not those of {step} steps")
        if set(epochs.column("cell").to_pylist()) - {self.cell.hash}:
            raise ValueError("its epochs are those of another cell")
        sums = {name: float(state["sums"][name]) for name in self._sums}
        if set(state["sums"]) != set(sums) or not state["train_s"] >= 0:
            raise ValueError("its sums are not those of an epoch")
        self.training.restore(state["training"])
        self.epochs = state["epochs"]
        self._train_s = state["train_s"]
        self._sums = state["sums"]

    def run_row(self, steps: pa.Table, reference: pa.Table) -> dict[str, Any]:
        """Return what is known at the end for the frame `runs`.

        Args:
            steps: all rows of the frame `steps`.
            reference: those of the sequential training that the bound is held against.
        """
        times = steps.column("step_ms").to_numpy()
        accept_rate = _accept_rate(_total(steps, "accepts"), _total(steps, "rejects"))
        return {
            "steps": len(times),
            "train_s": self._train_s,
            "peak_memory_mib": self._peak_mib,
            **_energy(steps, self._meter, self._train_s),
            **_on_overlay(steps),
            **self.training.about,
            "step_ms": float(np.median(times)),
            "step_ms_p05": float(np.percentile(times, 5)),
            "step_ms_p95": float(np.percentile(times, 95)),
            "test_accuracy": self.epochs[-1]["test_accuracy"],
            "best_test_accuracy": max(epoch["test_accuracy"] for epoch in self.epochs),
            "accept_rate": accept_rate,
            **_bounds(self.cell.experiment, steps, reference, accept_rate),
            "sample_order_sha256": self.training.sample_order_sha256,
            "final_weights_sha256": self.training.weights_sha256(),
            "dataset_sha256": self.training.dataset_sha256,
        }

    def _end_epoch(self) -> None:
        steps = self.training.steps_per_epoch
        samples = steps * self.cell.experiment.batch_size
        accept_rate = self._sums["accepts"] / samples
        self.epochs.append(
            {
                "cell": self.cell.hash,
                "epoch": len(self.epochs) + 1,
                "loss": self._sums["loss"] / steps,
                "train_accuracy": self._sums["correct"] / samples,
                "test_accuracy": self.training.test_accuracy(),
                "accept_rate": accept_rate if self.cell.experiment.speculates else None,
                "train_s": self._train_s,
            }
        )
        self._sums = _no_sums()


def _plans(experiment: Experiment) -> StepPlans | None:
    """Return the plans of the steps of `experiment`, None where they have no bound.

    A plan knows engines, not how intra-op threads share a task. What `selective` saves depends on
    the losses, and cores of the overlay split every pass.
    """
    if experiment.schedule == "selective":
        return None
    if experiment.schedule == "sequential" and (experiment.threads > 1 or experiment.on_overlay):
        return None
    network = initial(experiment.model, describe(experiment.dataset), experiment.seed).network
    return step_plans(experiment, outline_of(network))


def _bounds(
    experiment: Experiment, steps: pa.Table, reference: pa.Table, accept_rate: float | None
) -> dict[str, float | None]:
    """Return the columns about the bound of a step, and about what it took beyond, split.

    The bound is held against median passes; what the steps took beyond it against means, since
    the parts of a mean step add up and those of a median one do not.
    """
    median = passes_of(reference)
    # The network is built for its plans only where its passes were timed.
    plans = None if math.isnan(median.sequential) else _plans(experiment)
    if plans is None:
        return {"bound": None}
    rate = 1.0 if accept_rate is None else accept_rate
    outline = plans.hit.outline
    bound = mean_bound(plans, costs_of_passes(outline, median), rate) / median.sequential
    shares = {
        account: _average_known(steps, f"share_{account}_ms", np.mean) for account in ACCOUNTS
    }
    if any(map(math.isnan, shares.values())):
        return {"bound": bound}
    costs = costs_of_passes(outline, passes_of(reference, np.mean))
    ideal = ideal_shares(plans, costs, rate)
    over = {f"over_{account}_ms": shares[account] - ideal[account] for account in ACCOUNTS}
    return {"bound": bound, "bound_ms": mean_bound(plans, costs, rate), **over}


def _energy(steps: pa.Table, meter: Meter, train_s: float) -> dict[str, Any]:
    """Return what a step took of the meter's energy, or why that is not known."""
    joules = steps.column("joules").drop_null().to_numpy()
    rounds = len(set(steps.column("round").to_pylist()))
    reason = meter.reason or long_enough(meter, train_s / max(rounds, 1))
    if reason or not len(joules):
        return {"energy_reason": reason or "no step was measured"}
    return {"joules_per_step": float(np.mean(joules)), "energy_source": meter.source}


def _on_overlay(steps: pa.Table) -> dict[str, Any]:
    """Return what the steps took by the overlay's clock, nothing for who has none."""
    cycles = _total(steps, "cycles")
    if cycles is None:
        return {}
    clock_mhz = float(steps.column("clock_mhz")[0].as_py())
    return {
        "cycles": int(cycles),
        "clock_mhz": clock_mhz,
        "simulated_s": cycles / (clock_mhz * 1e6),
    }


def passes_of(steps: pa.Table, average: Callable[[Any], Any] = np.median) -> Passes:
    """Return the average times of the passes, in ms, from rows of the frame `steps`.

    A GPU times them in some steps only, an overlay in none: then they are not a number.
    """
    forward, backward, weight_gradients, update = (
        _average_known(steps, f"{name}_ms", average)
        for name in ("forward", "backward", "weight_gradient", "update")
    )
    return Passes(forward, backward - weight_gradients, weight_gradients, update)


def _no_sums() -> dict[str, float]:
    return {"loss": 0.0, "correct": 0, "accepts": 0}


def _total(steps: pa.Table, column: str) -> float | None:
    values = steps.column(column)
    return None if values.null_count else float(np.sum(values.to_numpy()))


def _average_known(steps: pa.Table, column: str, average: Callable[[Any], Any]) -> float:
    """Return the average of the rows that have a value, not a number where none has."""
    values = steps.column(column).drop_null()
    return float(average(values.to_numpy())) if len(values) else math.nan


def _accept_rate(accepts: float | None, rejects: float | None) -> float | None:
    if accepts is None or rejects is None:
        return None
    return accepts / (accepts + rejects)
