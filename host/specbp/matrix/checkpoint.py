"""Checkpoints of cells in flight, so that a killed matrix goes on where it was.

The rows of the frame `steps` are written once, in parts; the rest is small and written anew each
time. A checkpoint counts from the moment its state file is in place.
"""

from __future__ import annotations

import io
import pickle
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import torch

from specbp.errors import UsageError
from specbp.frames import arrow_schema, table


@dataclass(frozen=True)
class Saved:
    """What a checkpoint holds of a session.

    Attributes:
        session: name of the session.
        started: when it began, UTC.
        round: rounds done.
        arms: for each cell, by hash, what its arm needs to go on.
    """

    session: str
    started: str
    round: int
    arms: Mapping[str, Mapping[str, Any]]


class Checkpoint:
    """The checkpoint in `folder`, which need not exist yet."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._state_file = folder / "state.pt"
        self._parts = 0

    def read(self) -> Saved | None:
        """Return what was saved last, None where nothing was.

        Raises:
            UsageError: the checkpoint is damaged.
        """
        if not self._state_file.exists():
            return None
        try:
            state = torch.load(self._state_file, weights_only=True)
            self._parts = state.pop("parts")
            return Saved(**state)
        except (RuntimeError, pickle.UnpicklingError, EOFError, KeyError, TypeError) as error:
            raise UsageError(
                f"{self._state_file}: damaged: delete the folder {self._folder} "
                "to train its cells from the start"
            ) from error

    def write(self, saved: Saved, new_steps: Mapping[str, list[dict[str, Any]]]) -> None:
        """Save the state of all arms, and the rows of `steps` since the last checkpoint."""
        self._folder.mkdir(parents=True, exist_ok=True)
        for cell, rows in new_steps.items():
            with self._part(cell, self._parts).open("wb") as file:  # by path: taken for a URI
                pq.write_table(table("steps", rows), file)
        self._parts += 1
        temporary = self._state_file.with_suffix(".new")
        state = {field.name: getattr(saved, field.name) for field in fields(Saved)}
        content = io.BytesIO()  # PyTorch says nothing useful where a file cannot be written
        torch.save({**state, "parts": self._parts}, content)
        temporary.write_bytes(content.getvalue())
        temporary.replace(self._state_file)

    def steps(self, cell: str) -> pa.Table:
        """Return all rows of `steps` saved for `cell`."""
        paths = [self._part(cell, number) for number in range(self._parts)]
        schema = arrow_schema("steps")
        tables = [pq.read_table(io.BytesIO(path.read_bytes()), schema=schema) for path in paths]
        return pa.concat_tables([arrow_schema("steps").empty_table(), *tables])

    def delete(self) -> None:
        """Remove the checkpoint, so that the next one written is the first."""
        shutil.rmtree(self._folder, ignore_errors=True)
        self._parts = 0

    def _part(self, cell: str, number: int) -> Path:
        return self._folder / f"{cell}-{number:05d}.parquet"
