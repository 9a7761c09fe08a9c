"""What kind of training an arm is, in the words of a report's first paragraph."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from specbp.backends.table import find_backend

SEQUENTIAL = "sequential training"
PAPER = "the paper's scheme (label key behind a gate)"
UNGATED = "the label key without a gate"
CONTROL = "the control with the key of another label"
PREDICTED = "pipelined training with weight prediction"
PIPELINED = "pipelined training"
BUCKETS = "speculation with the key bucket"
DATA_PARALLEL = "splitting the batch over two engines"
SELECTIVE = "leaving out samples with a small loss"

_FORMER = {"native": "native steps"}
"""Backends that there are no more, in frames that were published before."""


def scheme_of(run: Mapping[str, Any]) -> str:
    """Return the kind of training of one row of the frame ``runs``."""
    match run["schedule"]:
        case "sequential":
            return SEQUENTIAL
        case "data-parallel":
            return DATA_PARALLEL
        case "selective":
            return SELECTIVE
    match run["key"]:
        case "batch":
            return PREDICTED if run["weight_prediction"] else PIPELINED
        case "bucket":
            return BUCKETS
        case "other-label":
            return CONTROL
    return UNGATED if run["gate_metric"] == "none" else PAPER


def worker_noun(backend: str) -> str:
    """Return what engines on `backend` are made of: ``thread``, ``stream`` or ``core``."""
    found = find_backend(backend)
    return "thread" if found is None else found.engine


def backend_title(backend: str) -> str:
    """Return what a reader calls `backend`; its name where there is no better one."""
    found = find_backend(backend)
    if found is None:
        return _FORMER.get(backend, backend)
    return found.title or backend
