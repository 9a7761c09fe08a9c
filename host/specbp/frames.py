"""The schema of the three frames, written once: every column, its type and what it means.

`runs` has one row per cell, `epochs` one per cell and epoch, `steps` one per cell and training
step. Times are in the unit their name ends with; a column that is not measured on a row is null.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, get_args

import pandas as pd
import pyarrow as pa

from specbp.experiment import Experiment

FORMAT = 4
"""Version of the schema and of the results folder; a folder of another version is refused."""


@dataclass(frozen=True)
class Column:
    """One column of a frame.

    Attributes:
        name: name of the column in the frame.
        kind: ``str``, ``int``, ``float`` or ``bool``; every column may hold nulls.
        meaning: what the number is, with its unit.
        repeatable: the same whenever the same cell runs again; false for times and the machine.
    """

    name: str
    kind: type
    meaning: str
    repeatable: bool = True


def _experiment_columns() -> tuple[Column, ...]:
    def kind(annotation: Any) -> type:
        if annotation in (str, int, float, bool):
            found: type = annotation
            return found
        parts = [part for part in get_args(annotation) if part is not type(None)]
        return str if isinstance(parts[0], str) else kind(parts[0])

    return tuple(
        Column(name, kind(field.annotation), field.description or "")
        for name, field in Experiment.model_fields.items()
    )


_SHARES = {
    "passes": "forward, deltas and weight gradients; half of a moment where both engines work",
    "imbalance": "half of a moment in which one engine computes and the other has nothing to do",
    "gate": "comparing softmax",
    "redo": "ordinary deltas of rejected samples",
    "cache": "reading and writing the cache",
    "synchronisation": "neither engine works: handing over, and bookkeeping between the parts",
    "update": "loading the batch and updating the weights",
}
"""The accounts of `specbp.runtime.accounting`, which add up to the wall time of a step."""

OVER_BOUND = {
    "passes": "contention",
    "imbalance": "imbalance",
    "gate": "gate",
    "redo": "rejects",
    "cache": "cache upkeep",
    "synchronisation": "synchronisation",
    "update": "load, update",
}
"""The accounts of a step, and what a report calls their part of the difference to the bound."""

_OVER_BOUND = {
    "passes": "passes slower beside each other than those of the sequential arm",
    "imbalance": "an engine with nothing to do, beyond what the bound has of it",
    "gate": "comparing softmax",
    "redo": "ordinary deltas of rejected samples, beyond what the bound has of them",
    "cache": "reading and writing the cache",
    "synchronisation": "handing over, and bookkeeping between the parts",
    "update": "loading the batch, and updating the weights beyond what the bound has of it",
}
"""What the difference between the mean step and its bound is made of."""

RUNS: tuple[Column, ...] = (
    Column("cell", str, "content hash of the experiment with its seed, its network and the start"),
    Column("matrix", str, "name of the matrix the cell belongs to"),
    Column("arm", str, "short name of the method, the same in every comparison"),
    Column("repeat", int, "number of the repeat; its seed is the base seed plus this"),
    Column("start", int, "number of the start, from 0: each trains the same in a new process"),
    *_experiment_columns(),
    Column("status", str, "ok, failed or skipped"),
    Column("reason", str, "why the cell failed or was skipped"),
    Column("synthetic", bool, "trained on random data: timing only, no accuracy is claimed"),
    Column("steps", int, "training steps done"),
    Column("train_s", float, "wall time of the training steps, without evaluation, s", False),
    Column(
        "peak_memory_mib",
        float,
        "by how much the memory of the process grew at most while the arm was opened and did its "
        "first steps, MiB; null where the system does not count it",
        False,
    ),
    Column("step_ms", float, "median wall time of a step, ms", False),
    Column("step_ms_p05", float, "5th percentile of the wall time of a step, ms", False),
    Column("step_ms_p95", float, "95th percentile of the wall time of a step, ms", False),
    Column("test_accuracy", float, "share of test samples classified rightly after the last epoch"),
    Column("best_test_accuracy", float, "highest test accuracy after any epoch"),
    Column("test_samples", int, "samples that it was tested on"),
    Column(
        "chance",
        float,
        "test accuracy without learning: the share of the most frequent label in the test set",
    ),
    Column(
        "accept_rate", float, "accepted share of the samples trained on; null if not speculative"
    ),
    Column(
        "bound",
        float,
        "ideal step time over sequential F + B, B with the update, from the F and B of the "
        "one-thread sequential arm timed beside it (from its own where there is none) and the "
        "accept rate",
        False,
    ),
    Column(
        "bound_ms",
        float,
        "the bound as a time: times the mean F + B of the arm it is held against, ms",
        False,
    ),
    *(
        Column(f"over_{account}_ms", float, f"mean step over its bound: {meaning}, ms", False)
        for account, meaning in _OVER_BOUND.items()
    ),
    Column(
        "joules_per_step",
        float,
        "mean energy of a step, of what energy_source counts; null where it cannot be read, J",
        False,
    ),
    Column("energy_source", str, "what counted the energy, and of what", False),
    Column("energy_reason", str, "why there is no energy", False),
    Column("cycles", int, "clock cycles of the overlay in all training steps"),
    Column("clock_mhz", float, "clock of the overlay, MHz"),
    Column(
        "simulated_s",
        float,
        "time of the training steps on the overlay: cycles at its clock, s",
        False,
    ),
    Column(
        "simulated",
        bool,
        "the overlay was simulated, its cycles simulated or predicted; false on real hardware",
        False,
    ),
    Column("board", str, "what ran the overlay, in its own words", False),
    Column(
        "programmed",
        str,
        "the overlay that ran the programs: size and build identifier, as its registers say; null "
        "where none did",
        False,
    ),
    Column("network_sha256", str, "SHA-256 of what the network computes, layer by layer"),
    Column("initial_weights_sha256", str, "SHA-256 of the weights before the first step"),
    Column("sample_order_sha256", str, "SHA-256 of the order in which samples were drawn"),
    Column("first_weights_sha256", str, "SHA-256 of the weights that the first step read"),
    Column(
        "samples_sha256",
        str,
        "SHA-256 of the samples that the steps trained on: of the hash before and the batch, step "
        "by step",
    ),
    Column("final_weights_sha256", str, "SHA-256 of the weights after the last step"),
    Column("dataset_sha256", str, "SHA-256 of the images and labels trained and tested on"),
    Column(
        "session",
        str,
        "cells with the same one were trained in turns, so their times can be compared; null where "
        "the matrix says timing = false, so that others may have run beside the cell",
        False,
    ),
    Column("process", str, "cells with the same one were begun by the same process", False),
    Column("started", str, "when the cell was begun, UTC", False),
    Column("specbp_version", str, "version of specbp", False),
    Column("git_commit", str, "commit of the checkout specbp ran from, if it was one", False),
    Column("git_dirty", bool, "the checkout had uncommitted changes", False),
    Column(
        "source_sha256", str, "SHA-256 of the sources of specbp that a result depends on", False
    ),
    Column("python_version", str, "version of Python", False),
    Column("torch_version", str, "version of PyTorch", False),
    Column("numpy_version", str, "version of NumPy", False),
    Column("platform", str, "operating system and architecture", False),
    Column("cpu", str, "processor model", False),
    Column(
        "cores_verified",
        int,
        "cores of their own on which the threads of all engines were seen to run at the same time, "
        "before the first step; null where engines are no threads",
        False,
    ),
    Column(
        "cores_received",
        float,
        "CPU time over wall time of that trial: what other work left of the cores",
        False,
    ),
    Column("cores", int, "processor cores the process could use", False),
    Column(
        "omp_wait_policy",
        str,
        "OMP_WAIT_POLICY: whether OpenMP's threads spin while they wait; null where it is not set",
        False,
    ),
    Column(
        "runtime",
        str,
        "what executed the steps on the CPU: native (C++) or threads (Python, the reference); null "
        "elsewhere",
        False,
    ),
    Column("gpu", str, "GPU that the cell was trained on; null if on none", False),
    Column("memory_gib", float, "main memory, GiB", False),
)

EPOCHS: tuple[Column, ...] = (
    Column("cell", str, "content hash of the experiment"),
    Column("epoch", int, "1 for the first pass over the training set"),
    Column("loss", float, "mean cross-entropy over the epoch's training samples, nat"),
    Column("train_accuracy", float, "share of the epoch's samples classified rightly as trained"),
    Column("test_accuracy", float, "share of test samples classified rightly after the epoch"),
    Column("accept_rate", float, "accepted share of the epoch's samples; null if not speculative"),
    Column("train_s", float, "wall time of all training steps so far, s", False),
)

STEPS: tuple[Column, ...] = (
    Column("cell", str, "content hash of the experiment"),
    Column("epoch", int, "1 for the first pass over the training set"),
    Column("step", int, "number of the step in the training, from 0"),
    Column("round", int, "number of the block of steps; arms take turns block by block"),
    Column("loss", float, "mean cross-entropy of the batch before the update, nat"),
    Column("correct", int, "samples of the batch classified rightly before the update"),
    Column("accepts", int, "samples whose speculated gradient was kept"),
    Column("rejects", int, "samples that got the ordinary backward; null if not speculative"),
    Column("step_ms", float, "wall time of the step, ms", False),
    Column("joules", float, "energy of the block that the step is of, over its steps, J", False),
    Column(
        "between_ms",
        float,
        "work of the loop outside the clock of the step, the mean of the block, ms",
        False,
    ),
    Column("load_ms", float, "picking and normalising the batch, ms", False),
    Column("forward_ms", float, "forward and loss, ms", False),
    Column("gate_ms", float, "comparing actual with cached softmax, ms", False),
    Column("backward_ms", float, "backward: ordinary if sequential, else speculative, ms", False),
    Column("weight_gradient_ms", float, "the weight-gradient part of backward_ms, ms", False),
    Column("redo_ms", float, "ordinary backward of rejected samples, ms", False),
    Column("recall_ms", float, "reading the cache, on the backward engine, ms", False),
    Column(
        "store_ms",
        float,
        "writing the cache after the step before, on the backward engine, ms",
        False,
    ),
    Column(
        "update_ms",
        float,
        "adding gradients up and updating the weights, on both engines, ms",
        False,
    ),
    Column("cycles", int, "clock cycles of the overlay in the step; predicted with sim:model"),
    Column("clock_mhz", float, "clock of the overlay, MHz"),
    Column("wait_ms", float, "time the forward engine waited for the other, ms", False),
    Column("engine_1_forward_ms", float, "the part of forward_ms on engine 1, ms", False),
    Column("engine_1_input_gradient_ms", float, "deltas propagated on engine 1, ms", False),
    Column(
        "engine_1_weight_gradient_ms",
        float,
        "the part of weight_gradient_ms on engine 1, ms",
        False,
    ),
    *(
        Column(f"share_{account}_ms", float, f"share of step_ms: {meaning}, ms", False)
        for account, meaning in _SHARES.items()
    ),
)

_ARROW = {str: pa.string(), int: pa.int64(), float: pa.float64(), bool: pa.bool_()}


@dataclass(frozen=True)
class Frames:
    """The tidy frames of a result set, joined by the column ``cell``."""

    runs: pd.DataFrame
    epochs: pd.DataFrame
    steps: pd.DataFrame


SCHEMAS: dict[str, tuple[Column, ...]] = {"runs": RUNS, "epochs": EPOCHS, "steps": STEPS}


def arrow_schema(frame: str) -> pa.Schema:
    """Return the pyarrow schema of the frame ``runs``, ``epochs`` or ``steps``."""
    return pa.schema([(column.name, _ARROW[column.kind]) for column in SCHEMAS[frame]])


def table(frame: str, rows: list[dict[str, Any]]) -> pa.Table:
    """Return `rows` as a table with the schema of `frame`; a key left out of a row is null.

    Raises:
        ValueError: a row has a key that the schema does not know.
    """
    schema = arrow_schema(frame)
    unknown = {key for row in rows for key in row} - set(schema.names)
    if unknown:
        raise ValueError(f"the frame {frame} has no column {', '.join(sorted(unknown))}")
    return pa.Table.from_pylist(rows, schema=schema)


def empty(frame: str) -> pd.DataFrame:
    """Return the frame without rows."""
    frame_without_rows: pd.DataFrame = arrow_schema(frame).empty_table().to_pandas()
    return frame_without_rows


def repeatable_columns(frame: str) -> list[str]:
    """Return the columns that are the same whenever the same cell runs again."""
    return [column.name for column in SCHEMAS[frame] if column.repeatable]
