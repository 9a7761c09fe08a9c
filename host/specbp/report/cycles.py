"""Prediction against measurement: cycles of a step by model, by simulated RTL, on a board."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from specbp.report.pairing import Comparison, Row

MODEL, RTL = "sim:model", "sim:rtl"


@dataclass(frozen=True)
class StepCycles:
    """Clock cycles of a mean training step, by who says so; ``None`` where it was not asked.

    Attributes:
        comparison: title of the comparison.
        method: schedule and lanes, the same for all columns.
        predicted: by the cycle model.
        simulated: by the RTL, clock for clock.
        measured: by the counter of a board.
        board: which board, in its own words; with its backend.
    """

    comparison: str
    method: str
    predicted: float | None
    simulated: float | None
    measured: float | None
    board: str | None

    @property
    def ratio(self) -> float | None:
        """Predicted over measured; over simulated where there is no board."""
        real = self.measured if self.measured is not None else self.simulated
        if self.predicted is None or real is None:
            return None
        return self.predicted / real


def step_cycles(comparisons: Iterable[Comparison]) -> tuple[StepCycles, ...]:
    """Return a row for each method of each comparison on the overlay, and for each board of it."""
    return tuple(row for comparison in comparisons for row in _of(comparison))


def _of(comparison: Comparison) -> Iterable[StepCycles]:
    found: dict[str, dict[str, tuple[float, Row]]] = {}
    for arm in comparison.arms:
        run = arm.runs[0]
        if run["cycles"] is not None:
            cycles = [one["cycles"] / one["steps"] for one in arm.runs]
            mean = sum(cycles) / len(cycles)
            found.setdefault(arm.method, {})[arm.backend] = mean, run
    for method, sides in found.items():
        predicted, simulated = _cycles(sides, MODEL), _cycles(sides, RTL)
        boards: list[str | None] = [one for one in sides if one not in (MODEL, RTL)]
        for backend in boards or [None]:
            measured, name = None, None
            if backend is not None:
                measured, run = sides[backend]
                simulation = " (its FPGA is simulated)" if run["simulated"] else ""
                name = f"{backend}: {run['board']}{simulation}"
            yield StepCycles(comparison.title, method, predicted, simulated, measured, name)


def _cycles(sides: Mapping[str, tuple[float, Any]], backend: str) -> float | None:
    return sides[backend][0] if backend in sides else None
