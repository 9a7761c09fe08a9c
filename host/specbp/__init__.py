"""Hardware/software co-simulation benchmarks for speculative backpropagation.

`run` trains an experiment, `bench` a matrix, `compare` and `report` hold arms against each other,
and `load` gives the frames of a results folder as pandas.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from specbp.errors import SpecbpError

if TYPE_CHECKING:
    from specbp.api import bench, compare, report, run
    from specbp.experiment import Experiment
    from specbp.matrix.store import load

__all__ = ["Experiment", "SpecbpError", "bench", "compare", "load", "report", "run"]

_MODULES = {
    "Experiment": "specbp.experiment",
    "bench": "specbp.api",
    "compare": "specbp.api",
    "load": "specbp.matrix.store",
    "report": "specbp.api",
    "run": "specbp.api",
}
"""Where each name is: loading pandas takes a second, which not everybody should pay."""


def __getattr__(name: str) -> object:
    if name in _MODULES:
        return getattr(import_module(_MODULES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
