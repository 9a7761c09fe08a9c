"""A results folder: frames on disk, one folder per cell, each there as a whole or not at all.

results/
format.json                 version of this layout
cells/HASH/runs.parquet     also epochs.parquet and steps.parquet
cells/HASH/traceback.txt    of a failed cell
unfinished/WORKLOAD/        checkpoints of cells in flight
"""

from __future__ import annotations

import io
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from filelock import FileLock, Timeout

from specbp.errors import UsageError
from specbp.frames import FORMAT, SCHEMAS, Frames, arrow_schema, empty, table
from specbp.provenance import installed_version


class Store:
    """The results folder at `path`.

    Use `create` to write and `open` to read; both check the folder's format.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._cells = path / "cells"
        self.unfinished = path / "unfinished"

    @classmethod
    def create(cls, path: Path) -> Store:
        """Open the results folder at `path`, making it where it is missing.

        Raises:
            UsageError: it cannot be written, holds something else, or is of another version.
        """
        store = cls(path)
        try:
            if path.is_dir() and any(path.iterdir()):
                store._check_format()
            store._cells.mkdir(parents=True, exist_ok=True)
            if not store._format_file.exists():
                about = {"format": FORMAT, "specbp": installed_version("specbp")}
                _write_atomically(store._format_file, json.dumps(about).encode())
            probe = path / f".writable-{os.getpid()}"
            probe.touch()
            probe.unlink()
        except OSError as error:
            raise UsageError(f"{path}: cannot write results there: {error.strerror}") from error
        return store

    @classmethod
    def open(cls, path: Path) -> Store:
        """Open the results folder at `path` for reading.

        Raises:
            UsageError: there is none, or it is of another version.
        """
        store = cls(path)
        if not path.is_dir():
            raise UsageError(f"{path}: there is no such results folder")
        store._check_format()
        return store

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep others from writing to the folder meanwhile.

        Raises:
            UsageError: another process is writing to it.
        """
        try:
            with FileLock(self.path / ".lock", timeout=0):
                yield
        except Timeout:
            raise UsageError(
                f"{self.path}: another specbp is writing there: wait for it, or use --results"
            ) from None

    def statuses(self) -> dict[str, str]:
        """Return the status of every finished cell, by hash."""
        return self.column("status")

    def column(self, name: str) -> dict[str, Any]:
        """Return a column of the frame `runs` of every finished cell, by hash."""
        return {
            folder.name: _read(folder / "runs.parquet", "runs").column(name)[0].as_py()
            for folder in self._folders()
        }

    def write(
        self,
        run: Mapping[str, Any],
        epochs: list[dict[str, Any]],
        steps: pa.Table,
        traceback: str | None = None,
    ) -> None:
        """Write the frames of one cell, replacing any it had; all of them appear at once."""
        cell = run["cell"]
        temporary = self._cells / f".{cell}-{os.getpid()}"
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir()
        frames = {
            "runs": table("runs", [dict(run)]),
            "epochs": table("epochs", epochs),
            "steps": steps.cast(arrow_schema("steps")),
        }
        for name, frame in frames.items():
            with (temporary / f"{name}.parquet").open("wb") as file:
                pq.write_table(frame, file)
        if traceback:
            (temporary / "traceback.txt").write_text(traceback)
        final = self._cells / cell
        shutil.rmtree(final, ignore_errors=True)
        temporary.rename(final)

    def delete(self, cell: str) -> None:
        """Remove the frames of the cell with this hash, if there are any."""
        shutil.rmtree(self._cells / cell, ignore_errors=True)

    def load(self) -> Frames:
        """Return all finished cells as pandas frames.

        Raises:
            UsageError: a file is damaged; the message names it.
        """

        def frame(name: str) -> pd.DataFrame:
            tables = [_read(folder / f"{name}.parquet", name) for folder in self._folders()]
            if not tables:
                return empty(name)
            loaded: pd.DataFrame = pa.concat_tables(tables).to_pandas()
            return loaded

        return Frames(*(frame(name) for name in SCHEMAS))

    @property
    def _format_file(self) -> Path:
        return self.path / "format.json"

    def _folders(self) -> list[Path]:
        return sorted(path for path in self._cells.iterdir() if not path.name.startswith("."))

    def _check_format(self) -> None:
        try:
            found = json.loads(self._format_file.read_text())["format"]
        except FileNotFoundError:
            raise UsageError(
                f"{self.path}: this folder is not a results folder of specbp (no format.json)"
            ) from None
        except (ValueError, KeyError, TypeError) as error:
            raise UsageError(f"{self._format_file}: damaged: {error}") from error
        if found != FORMAT:
            raise UsageError(
                f"{self.path}: written in results format {found}, this specbp reads {FORMAT}: "
                "use another folder with --results, or the specbp that wrote it"
            )


def load(path: str | Path) -> Frames:
    """Return the frames `runs`, `epochs` and `steps` of the results folder at `path`."""
    return Store.open(Path(path)).load()


def _read(path: Path, frame: str) -> pa.Table:
    try:
        return pq.read_table(io.BytesIO(path.read_bytes()), schema=arrow_schema(frame))
    except (OSError, pa.ArrowInvalid) as error:
        raise UsageError(
            f"{path}: damaged or missing: delete the folder {path.parent} and run the matrix again"
        ) from error


def _write_atomically(path: Path, content: bytes) -> None:
    temporary = path.with_name(f".{path.name}-{os.getpid()}")
    temporary.write_bytes(content)
    temporary.replace(path)
