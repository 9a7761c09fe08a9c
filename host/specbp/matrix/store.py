"""A results folder: frames on disk, one folder per cell; comparisons appear whole or not at all.

results/
format.json                 version of this layout
cells/HASH/runs.parquet     also epochs.parquet and steps.parquet
cells/HASH/weights.safetensors    trained weights, where they are kept
cells/HASH/traceback.txt    of a failed cell
cells/HASH/SHA256SUMS       checksums of these, for sha256sum
locks/WORKLOAD              held by the process that trains a comparison
asked/MATRIX.json           the cells that a run was asked for
unfinished/WORKLOAD/        checkpoint of cells in flight
unfinished/WORKLOAD/finished/HASH/    cells of a comparison that move to cells/ one by one
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from filelock import FileLock, Timeout

from specbp import durable
from specbp.durable import DamagedError, HalfMadeError
from specbp.errors import UsageError
from specbp.frames import FORMAT, SCHEMAS, Frames, arrow_schema, empty, table
from specbp.provenance import installed_version

STATUSES = ("ok", "failed", "skipped")
WEIGHTS = "weights.safetensors"
"""Name of the file of trained weights beside the frames of a cell."""
_OWN = ("format.json", "cells", "unfinished", "asked", "locks", "report")
_FINISHED = "finished"
_LAST_BLOCK_S = 60.0
"""Patience with processes that train although the one that asked them is gone."""
_READS = 5
"""Attempts to read while another process may be moving cells to their place."""


@dataclass(frozen=True)
class FinishedCell:
    """The frames of one cell.

    Attributes:
        run: row of the frame `runs`.
        epochs: rows of the frame `epochs`.
        steps: the frame `steps`.
        weights: content of the file of trained weights, where they are kept.
        traceback: traceback of a failed cell.
    """

    run: Mapping[str, Any]
    epochs: Sequence[Mapping[str, Any]] = ()
    steps: pa.Table = field(default_factory=lambda: table("steps", []))
    weights: bytes | None = None
    traceback: str | None = None

    @property
    def files(self) -> dict[str, bytes | memoryview]:
        """The cell's files, by name."""
        files: dict[str, bytes | memoryview] = {
            "runs.parquet": parquet(table("runs", [dict(self.run)])),
            "epochs.parquet": parquet(table("epochs", [dict(row) for row in self.epochs])),
            "steps.parquet": parquet(self.steps.cast(arrow_schema("steps"))),
        }
        if self.weights is not None:
            files[WEIGHTS] = self.weights
        if self.traceback:
            files["traceback.txt"] = self.traceback.encode()
        return files


@dataclass(frozen=True)
class StoredRuns:
    """What a results folder has.

    Attributes:
        runs: row of the frame `runs` of every finished cell, by hash.
        half_made: folders of cells that are not whole, which count as missing.
    """

    runs: Mapping[str, Mapping[str, Any]]
    half_made: Sequence[Path]


class Store:
    """The results folder at `path`.

    Use `create` to write and `open` to read; both check the folder's format.

    Args:
        path: the folder.
        keeps_weights: keep trained weights beside the frames.
    """

    def __init__(self, path: Path, keeps_weights: bool = False) -> None:
        self.path = path
        self.keeps_weights = keeps_weights
        self._cells = path / "cells"
        self.unfinished = path / "unfinished"
        self._locks = path / "locks"

    @classmethod
    def create(cls, path: Path, keeps_weights: bool = False) -> Store:
        """Open the results folder at `path`, making it where it is missing.

        Raises:
            UsageError: it cannot be written, holds something else, or is of another version.
        """
        store = cls(path, keeps_weights)
        try:
            durable.make_folder(path)
            if not store._has_format():
                about = {"format": FORMAT, "specbp": installed_version("specbp")}
                durable.write(store._format_file, json.dumps(about).encode())
            durable.make_folder(store._cells)
            durable.make_folder(store.unfinished)
            with (path / ".lock").open("ab"):
                pass
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
        if not store._has_format() and not store._cells.is_dir():
            raise UsageError(
                f"{path}: this folder is not a results folder of specbp (no format.json)"
            )
        return store

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other processes from writing; finish and tidy what a killed one left.

        Raises:
            UsageError: another process is writing to it.
        """
        try:
            with FileLock(self.path / ".lock", timeout=0):
                for lock in sorted(self._locks.glob("*")):
                    with FileLock(lock, timeout=_LAST_BLOCK_S):
                        pass
                self._recover()
                yield
        except Timeout:
            raise UsageError(
                f"{self.path}: another specbp is writing there: wait for it, or use --results"
            ) from None

    @contextmanager
    def locked_comparison(self, workload: str) -> Iterator[None]:
        """Keep other processes from training a comparison; finish what a killed one left of it.

        A process that has lost the one that asked for the comparison may still be at it; it notices
        at the end of a block.

        Args:
            workload: what the cells of the comparison have in common; see `Cell.workload`.
        """
        durable.make_folder(self._locks)
        with FileLock(self._locks / workload):
            if (self.unfinished / workload / _FINISHED).is_dir():
                self._move_finished(self.unfinished / workload)
            yield

    def stored(self) -> StoredRuns:
        """Return what is there, every file held against its checksum.

        Raises:
            UsageError: a file is damaged; the message names it.
        """
        folders = self._folders()
        runs = {cell: _run_row(cell, folder) for cell, folder in folders.items()}
        return StoredRuns(
            {cell: run for cell, run in runs.items() if run is not None},
            [folders[cell] for cell, run in runs.items() if run is None],
        )

    def statuses(self) -> dict[str, str]:
        """Return the status of every finished cell, by hash."""
        return {cell: run["status"] for cell, run in self.stored().runs.items()}

    def write(self, workload: str, cells: Sequence[FinishedCell]) -> None:
        """Store the cells of a comparison, replacing those there were; all appear at once.

        The checkpoint of the comparison ends with that.

        Args:
            workload: what the cells have in common; see `Cell.workload`.
            cells: all that were trained in turns.
        """
        self.write_files(workload, {str(cell.run["cell"]): cell.files for cell in cells})

    def write_files(
        self, workload: str, cells: Mapping[str, Mapping[str, bytes | memoryview]]
    ) -> None:
        """Store the cells of a comparison as files; see `write`.

        Args:
            workload: what the cells have in common; see `Cell.workload`.
            cells: their files, by hash and name.
        """
        folder = self.unfinished / workload
        staged = folder / f".{_FINISHED}"
        durable.make_folder(folder)
        durable.discard(staged)
        for cell, files in cells.items():
            durable.write_folder(staged / cell, files)
        durable.publish(staged, folder / _FINISHED)
        self._move_finished(folder)

    def weights_file(self, cell: str) -> Path:
        """Return the path of the trained weights of the cell with this hash, kept or not."""
        return self._cells / cell / WEIGHTS

    def has(self, cell: str) -> bool:
        """Return whether the cell with this hash is stored, whatever became of it."""
        return (self._cells / cell).is_dir()

    def run_row(self, cell: str) -> Mapping[str, Any] | None:
        """Return the row of the frame `runs` of the cell with this hash, None where it is missing.

        Raises:
            UsageError: a file is damaged; the message names it.
        """
        return _run_row(cell, self._cells / cell)

    def delete(self, cell: str) -> None:
        """Remove the frames of the cell with this hash, if there are any."""
        durable.discard(self._cells / cell)

    def load(self) -> Frames:
        """Return all finished cells as pandas frames.

        Raises:
            UsageError: a file is damaged or missing; the message names it.
        """
        for _ in range(_READS):
            folders = self._folders()
            try:
                cells = [_read_cell(cell, folder) for cell, folder in folders.items()]
            except HalfMadeError as error:
                if folders == self._folders():
                    raise UsageError(f"{error}: run the matrix again to train this cell") from error
            else:
                return Frames(*(_frame(name, cells) for name in SCHEMAS))
        raise UsageError(f"{self.path}: another specbp is writing there: try again")

    def contents(self) -> dict[str, dict[str, bytes]]:
        """Return the files of every finished cell, by hash and name, held against their checksums.

        Raises:
            UsageError: a file is damaged or half-made; the message names it.
        """
        return {cell: _checked_files(cell, folder) for cell, folder in self._folders().items()}

    def adopt(self, cells: Mapping[str, Mapping[str, bytes]]) -> None:
        """Store cells as another results folder has them.

        Args:
            cells: their files, by hash and name.
        """
        for cell, files in cells.items():
            staged = self._cells / f".{cell}"
            durable.discard(staged)
            durable.write_folder(staged, files)
            durable.publish(staged, self._cells / cell)

    @property
    def _format_file(self) -> Path:
        return self.path / "format.json"

    def _folders(self) -> dict[str, Path]:
        """Return the folders of the finished cells, by name; those on their way come first."""
        places = [self._cells, *sorted(self.unfinished.glob(f"[!.]*/{_FINISHED}"))]
        folders = {
            folder.name: folder
            for place in places
            if place.is_dir()
            for folder in sorted(place.iterdir())
            if folder.is_dir() and not folder.name.startswith(".")
        }
        return dict(sorted(folders.items()))

    def _recover(self) -> None:
        """Finish the storing of comparisons that was interrupted, and delete what is left over."""
        durable.sweep(self._cells)
        durable.sweep(self.unfinished)
        for folder in sorted(self.unfinished.glob(f"*/{_FINISHED}")):
            self._move_finished(folder.parent)

    def _move_finished(self, folder: Path) -> None:
        """Copy finished cells to their place, then delete the checkpoint that they are in.

        A rename from folder to folder would be one change on most file systems, but not on all.
        """
        for cell in sorted((folder / _FINISHED).iterdir()):
            try:
                files = durable.read_folder(cell)
            except DamagedError as error:
                raise UsageError(f"{error}: {_cure(folder)}") from error
            self.adopt({cell.name: files})
        durable.discard(folder)

    def _has_format(self) -> bool:
        """Return whether the folder says its version; one of which that was lost may be used.

        Raises:
            UsageError: it is of another version, or holds something else.
        """
        try:
            content = self._format_file.read_bytes()
        except FileNotFoundError:
            content = b""
        about = _parsed(content)
        if about is None:
            names = {path.name for path in self.path.iterdir() if not path.name.startswith(".")}
            lost = self._format_file.exists() and self._cells.is_dir()
            if not lost and names - set(_OWN):
                raise UsageError(
                    f"{self.path}: this folder is not a results folder of specbp (no format.json)"
                )
            return False
        if about != FORMAT:
            raise UsageError(
                f"{self.path}: written in results format {about}, this specbp reads {FORMAT}: "
                "use another folder with --results, or the specbp that wrote it"
            )
        return True


def load(path: str | Path) -> Frames:
    """Return the frames `runs`, `epochs` and `steps` of the results folder at `path`."""
    return Store.open(Path(path)).load()


def parquet(frame: pa.Table) -> memoryview:
    """Return a table as the content of a Parquet file."""
    sink = pa.BufferOutputStream()
    pq.write_table(frame, sink)
    return memoryview(sink.getvalue())


def read_parquet(content: bytes, frame: str) -> pa.Table:
    """Return the table in a Parquet file.

    Args:
        content: content of the file.
        frame: name of the frame.

    Raises:
        ValueError: it does not hold such a frame.
    """
    try:
        found = pq.read_table(pa.BufferReader(content), schema=arrow_schema(frame))
        found.validate(full=True)  # texts are UTF-8, offsets are in range
    except (pa.ArrowException, OSError) as error:
        raise ValueError(str(error).partition("\n")[0]) from error
    return found


def _parsed(content: bytes) -> Any:
    """Return the format that a format file names; None where the file is half-made."""
    try:
        return json.loads(content)["format"]
    except (ValueError, KeyError, TypeError):
        return None


def _frame(name: str, cells: Sequence[Mapping[str, pa.Table]]) -> pd.DataFrame:
    if not cells:
        return empty(name)
    loaded: pd.DataFrame = pa.concat_tables([cell[name] for cell in cells]).to_pandas()
    return loaded


def _read_cell(cell: str, folder: Path) -> dict[str, pa.Table]:
    """Return the frames of one cell.

    Raises:
        HalfMadeError: a file is missing or empty.
        UsageError: a file is damaged, or is not of this cell.
    """
    cure = _cure(folder)
    try:
        contents = durable.read_folder(folder)
        frames = {name: _content(contents, name, folder) for name in SCHEMAS}
    except HalfMadeError:
        raise
    except DamagedError as error:
        raise UsageError(f"{error}: {cure}") from error
    runs = frames["runs"].select(["cell", "status"]).to_pylist()
    if len(runs) == 1 and runs[0]["cell"] not in (cell, None):
        raise UsageError(
            f"{folder}: a copy of the cell {runs[0]['cell']}: delete this folder; "
            "a results folder has every cell once, under its own name"
        )
    whole = len(runs) == 1 and runs[0]["cell"] == cell and runs[0]["status"] in STATUSES
    others = {name for frame in frames.values() for name in frame["cell"].unique().to_pylist()}
    if not whole or others != {cell}:
        raise UsageError(f"{folder}: damaged: it does not hold one cell {cell}: {cure}")
    return frames


def _checked_files(cell: str, folder: Path) -> dict[str, bytes]:
    """Return the files of one cell.

    Raises:
        UsageError: a file is damaged or half-made, or is not of this cell.
    """
    try:
        _read_cell(cell, folder)
        return durable.read_folder(folder)
    except DamagedError as error:
        raise UsageError(f"{error}: {_cure(folder)}") from error


def _cure(folder: Path) -> str:
    return f"delete the folder {folder} and run the matrix again, or run it with --fresh"


def _run_row(cell: str, folder: Path) -> Mapping[str, Any] | None:
    """Return the cell's row of the frame `runs`, None where it is half-made."""
    try:
        row: Mapping[str, Any] = _read_cell(cell, folder)["runs"].to_pylist()[0]
    except HalfMadeError:
        return None
    return row


def _content(contents: Mapping[str, bytes], frame: str, folder: Path) -> pa.Table:
    name = f"{frame}.parquet"
    if name not in contents:
        raise HalfMadeError(f"{folder / name}: missing")
    try:
        return read_parquet(contents[name], frame)
    except ValueError as error:
        raise DamagedError(f"{folder / name}: damaged: {error}") from error
