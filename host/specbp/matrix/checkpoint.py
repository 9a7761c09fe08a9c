"""Checkpoints of cells in flight, so that a killed matrix goes on where it was.

The rows of the frame `steps` are written once, in parts; the rest is small and written anew each
time. A checkpoint counts from the moment its state file is in place; that ends with its own
checksum and holds those of the parts.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import torch

from specbp import durable
from specbp.durable import DamagedError, HalfMadeError
from specbp.errors import UsageError
from specbp.frames import arrow_schema, table
from specbp.matrix.store import parquet, read_parquet

FROM_THE_START = (
    "train its cells from the start with --fresh (of a matrix, nothing but these with --again)"
)
"""What to do about a checkpoint that is of no use."""


@dataclass(frozen=True)
class Failure:
    """Why a cell failed.

    Attributes:
        reason: one line.
        traceback: traceback of the error.
    """

    reason: str
    traceback: str


@dataclass(frozen=True)
class Saved:
    """What a checkpoint holds of a session.

    Attributes:
        session: name of the session.
        started: when it began, UTC.
        round: number of rounds done.
        matrix: name of the matrix that its cells belong to.
        origin: what must be the same to go on; see `specbp.provenance.origin`.
        process: name of the process that began it.
        arms: for each cell in training, by hash, what its arm needs to go on.
        failures: for each cell that failed, by hash, why.
    """

    session: str
    started: str
    round: int
    matrix: str
    origin: Mapping[str, Any]
    process: str = ""
    arms: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    failures: Mapping[str, Failure] = field(default_factory=dict)

    @property
    def cells(self) -> set[str]:
        """The hashes of all cells that take turns."""
        return {*self.arms, *self.failures}


class Checkpoint:
    """The checkpoint in `folder`, which need not exist yet."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._state_file = folder / "state.pt"
        self._parts: list[str] = []

    def read(self) -> Saved | None:
        """Return what was saved last, None where nothing was.

        Raises:
            UsageError: a file of the checkpoint is damaged or missing.
        """
        self._parts = []
        try:
            content = durable.read_sealed(self._state_file)
        except HalfMadeError:
            return None
        except DamagedError as error:
            raise self._damaged(str(error)) from error
        try:
            state = torch.load(io.BytesIO(content), weights_only=True)
            parts = state.pop("parts")
            saved = _checked(state)
            if not isinstance(parts, list) or not all(isinstance(one, str) for one in parts):
                raise ValueError("its parts are not a list of checksums")
            self._parts = parts
        except Exception as error:  # whatever a file of another form makes of PyTorch's reader
            reason = f"{error}".partition("\n")[0]
            raise self._damaged(f"{self._state_file}: damaged: {reason}") from error
        self._check_steps(saved)
        return saved

    def write(self, saved: Saved, new_steps: Sequence[Mapping[str, Any]]) -> None:
        """Save the state of all arms, and the rows of `steps` since the last checkpoint."""
        durable.make_folder(self._folder)
        parts = list(self._parts)
        if new_steps:
            rows = [dict(row) for row in new_steps]
            content = parquet(table("steps", rows))
            durable.write(self._part(len(parts)), content)
            parts.append(durable.sha256(content))
        state = {one.name: getattr(saved, one.name) for one in fields(Saved)}
        state["failures"] = {cell: asdict(failure) for cell, failure in saved.failures.items()}
        written = io.BytesIO()
        torch.save({**state, "parts": parts}, written)
        durable.write(self._state_file, durable.sealed(written.getvalue()))
        self._parts = parts

    def steps(self) -> pa.Table:
        """Return all rows of `steps` that were saved.

        Raises:
            UsageError: a part is damaged or missing.
        """
        tables = [arrow_schema("steps").empty_table()]
        for number, checksum in enumerate(self._parts):
            path = self._part(number)
            try:
                tables.append(read_parquet(durable.read_checked(path, checksum), "steps"))
            except (DamagedError, ValueError) as error:
                raise self._damaged(str(error)) from error
        return pa.concat_tables(tables)

    def delete(self) -> None:
        """Remove the checkpoint, so that the next one written is the first."""
        durable.discard(self._folder)
        self._parts = []

    def _check_steps(self, saved: Saved) -> None:
        """Refuse a checkpoint whose rows of `steps` are not those of the steps done."""
        rows = steps_by_cell(self.steps())
        for cell, arm in saved.arms.items():
            numbers = rows[cell].column("step").to_pylist() if cell in rows else []
            if numbers != list(range(arm["training"]["step"])):
                raise self._damaged(
                    f"{self._folder}: damaged: steps of the cell {cell} are missing"
                )

    def _part(self, number: int) -> Path:
        return self._folder / f"steps-{number:05d}.parquet"

    def _damaged(self, what: str) -> UsageError:
        return UsageError(f"{what}: {FROM_THE_START}")


def steps_by_cell(steps: pa.Table) -> dict[str, pa.Table]:
    """Return the rows of the frame `steps` of each cell, by hash."""
    cells = steps.column("cell").unique().to_pylist()
    return {cell: steps.filter(pc.equal(steps.column("cell"), cell)) for cell in cells}


def _checked(state: Mapping[str, Any]) -> Saved:
    """Return what a state file holds.

    Raises:
        ValueError: it is not of the form in which it is written.
    """
    failures = {cell: Failure(**failure) for cell, failure in state["failures"].items()}
    saved = Saved(**{**state, "failures": failures})
    for name in ("session", "started", "matrix", "process"):
        if not isinstance(getattr(saved, name), str):
            raise ValueError(f"{name} is not text")
    if type(saved.round) is not int or saved.round < 0:
        raise ValueError("round is not a whole number from 0")
    for failure in failures.values():
        if not (isinstance(failure.reason, str) and isinstance(failure.traceback, str)):
            raise ValueError("the reason of a failure is not text")
    for arm in saved.arms.values():
        step = arm["training"]["step"]
        if type(step) is not int or step < 0:
            raise ValueError("step is not a whole number from 0")
    if not isinstance(saved.origin, dict):
        raise ValueError("origin is not a table")
    return saved
