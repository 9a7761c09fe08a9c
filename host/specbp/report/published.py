"""The frames beside a published report: small, and enough to make the report again.

Steps are summed up to rounds, the turns in which arms were timed, which is what ratios and their
intervals rest on. `read` gives them back in place of the frame `steps`, one row a round.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from specbp import durable
from specbp.errors import UsageError
from specbp.frames import FORMAT, SCHEMAS, Frames, empty
from specbp.report.health import tail, typical_ms
from specbp.report.overlay_time import with_overlay_time

DECIMALS_MS = 3
"""Decimals of a time in ms: microseconds, all that the clock is good for."""

STEPS = "steps"
"""The column that only rounds have: how many steps a row is the sum of."""

TYPICAL_MS, TAIL = "typical_ms", "tail"
"""Columns that published runs have besides those of `specbp.frames`: of `specbp.report.health`."""

FILES = ("runs.parquet", "epochs.parquet", "rounds.parquet")
_OWN_COLUMNS: dict[str, dict[str, type]] = {
    "runs": {TYPICAL_MS: float, TAIL: float},
    "epochs": {},
    "steps": {STEPS: int},
}
"""Columns that published frames have besides those of `specbp.frames`, and their types."""
_NUMBERS = (pa.types.is_integer, pa.types.is_floating)
"""Counts with gaps are written as floats."""
_FITTING: dict[type, tuple[Callable[[pa.DataType], bool], ...]] = {
    str: (pa.types.is_string, pa.types.is_large_string),
    int: _NUMBERS,
    float: _NUMBERS,
    bool: (pa.types.is_boolean,),
}
_ABOUT = b"specbp"
_NOT_RECORDED = "not recorded"
_FIRST_WITH_NETWORKS = 3
"""Format of the first frames that have the hash of the network."""


@dataclass(frozen=True)
class Published:
    """What lies beside a published report.

    Attributes:
        frames: runs, epochs, and rounds in place of steps.
        title: title of the report.
    """

    frames: Frames
    title: str


def rounds(steps: pd.DataFrame) -> pd.DataFrame:
    """Return the frame `steps` summed up to rounds, the turns in which arms were timed.

    Columns: cell, epoch, round, steps, clock_mhz, and the sums of all times, of cycles, of energy
    and of accepted and rejected samples; those without any value are left out.
    """
    groups = steps.groupby(["cell", "epoch", "round"], sort=False)
    times = [name for name in steps.columns if str(name).endswith("_ms")]
    counts = [name for name in ("accepts", "rejects", "cycles", "joules") if name in steps]
    summed = groups[[*times, *counts]].sum(min_count=1)
    summed[times] = summed[times].round(DECIMALS_MS)
    summed.insert(0, STEPS, groups.size())
    if "clock_mhz" in steps:
        summed["clock_mhz"] = groups["clock_mhz"].first()
    return summed.dropna(axis="columns", how="all").reset_index()


def per_step(summed: pd.DataFrame) -> pd.DataFrame:
    """Return rounds with the mean time of a step of theirs in place of the sum."""
    return summed.assign(step_ms=summed["step_ms"] / summed[STEPS])


def write(frames: Frames, folder: Path, title: str) -> tuple[Path, ...]:
    """Write the frames of a report as Parquet files into `folder`, made if need be.

    Columns without any value are left out; those of the rest are explained in `specbp.frames`.

    Raises:
        UsageError: the folder cannot be written.
    """
    if STEPS not in frames.steps:
        frames = summed_up(frames)
    about = {_ABOUT: json.dumps({"format": FORMAT, "title": title}).encode()}
    tables = dict(zip(FILES, (frames.runs, frames.epochs, frames.steps), strict=True))
    try:
        durable.make_folder(folder)
        for name, table in tables.items():
            arrow = pa.Table.from_pandas(
                table.dropna(axis="columns", how="all"), preserve_index=False
            )
            content = pa.BufferOutputStream()
            pq.write_table(
                arrow.replace_schema_metadata({**(arrow.schema.metadata or {}), **about}),
                content,
                compression="zstd",
                compression_level=19,
                write_page_checksum=True,
            )
            durable.write(folder / name, memoryview(content.getvalue()))
    except OSError as error:
        raise UsageError(f"cannot write the frames to {folder}: {error.strerror}") from error
    return tuple(folder / name for name in tables)


def summed_up(frames: Frames) -> Frames:
    """Return `frames` as they are published: with rounds in place of steps."""
    return Frames(_with_steps_told(frames), frames.epochs, rounds(frames.steps))


def _with_steps_told(frames: Frames) -> pd.DataFrame:
    """Return the frame `runs` with what its steps tell that their sums do not."""
    steps = with_overlay_time(frames).steps.groupby("cell")
    told = {cell: (typical_ms(group), tail([group])) for cell, group in steps}
    runs = frames.runs.copy()
    for at, name in enumerate((TYPICAL_MS, TAIL)):
        runs[name] = [told[cell][at] if cell in told else None for cell in runs["cell"]]
    return runs


def is_published(folder: Path) -> bool:
    """Return whether the frames of a published report lie in `folder`."""
    return all((folder / name).is_file() for name in FILES)


def read(folder: Path) -> Published:
    """Return what `write` left in `folder`.

    Frames that are older than the hash of the network say so in place of it.

    Raises:
        UsageError: a file is missing, or is none of these.
    """
    try:
        tables = [
            _read_table(folder / name, frame) for name, frame in zip(FILES, SCHEMAS, strict=True)
        ]
        about = json.loads((tables[0].schema.metadata or {})[_ABOUT])
        # What pandas noted beside the columns is not relied on: anyone may have written it.
        runs, epochs, summed = (table.to_pandas(ignore_metadata=True) for table in tables)
        is_newer = about["format"] >= _FIRST_WITH_NETWORKS
        title = str(about["title"])
    except (OSError, KeyError, ValueError, TypeError, pa.ArrowException) as error:
        reason = str(error).partition("\n")[0]
        raise UsageError(
            f"{folder}: not the frames of a published report: {reason}: take them from where it "
            "was published, or make the report again from its results"
        ) from error
    runs, epochs, steps = (
        frame.reindex(columns=[*frame.columns, *empty(name).columns.difference(frame.columns)])
        for name, frame in (("runs", runs), ("epochs", epochs), ("steps", summed))
    )
    if not is_newer:
        runs["network_sha256"] = _NOT_RECORDED
    return Published(Frames(runs, epochs, steps), title)


def _read_table(path: Path, frame: str) -> pa.Table:
    """Return the table in the file at `path`, every known column of the type it is written with.

    Raises:
        ValueError: it holds no such frame.
    """
    with pq.ParquetFile(path, page_checksum_verification=True) as file:
        table = file.read()
    table.validate(full=True)  # texts are UTF-8, offsets are in range
    kinds = {column.name: column.kind for column in SCHEMAS[frame]} | _OWN_COLUMNS[frame]
    if "cell" not in table.column_names or table.column("cell").null_count:
        raise ValueError(f"{path.name} does not say of each row which cell it is of")
    for name, column in zip(table.column_names, table.columns, strict=True):
        if table.column_names.count(name) > 1:
            raise ValueError(f"{path.name} has two columns {name}")
        if name not in kinds or pa.types.is_null(column.type):
            continue
        if not any(fits(column.type) for fits in _FITTING[kinds[name]]):
            raise ValueError(
                f"the column {name} of {path.name} is {column.type}, "
                f"{kinds[name].__name__} is expected"
            )
    return table
