"""Some cells of a matrix, picked by the values that the matrix file gives its fields."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pydantic import TypeAdapter, ValidationError

from specbp.backends.table import BACKENDS
from specbp.cores import available_cores
from specbp.defaults import PIPELINED
from specbp.errors import NothingMeasuredError, UsageError, nearest
from specbp.experiment import Experiment
from specbp.matrix.expand import Cell

ARM = "arm"
"""Not a field, but what reports call the method of a cell."""
_MOST_SHOWN = 8


def picked(cells: Sequence[Cell], filters: Iterable[str], where: str) -> list[Cell]:
    """Return the cells that pass all filters; those of one field are alternatives.

    Args:
        cells: cells of a matrix.
        filters: each ``FIELD=VALUE``, in which the field may be ``arm`` and the value is what a
            matrix file may say, or nothing for a field that is not set.
        where: what to call the matrix in an error.

    Raises:
        UsageError: a filter of another form, an unknown field, or a value of the wrong kind.
        NothingMeasuredError: no cell passes; the message says what there is.
    """
    wanted: dict[str, list[Mapping[str, Any]]] = {}
    for text in filters:
        name, values = _parsed(text, cells)
        wanted.setdefault(name, []).append(values)
    left = list(cells)
    for name, alternatives in wanted.items():
        passing = [cell for cell in left if any(_has(cell, values) for values in alternatives)]
        if not passing:
            raise NothingMeasuredError(
                f"{where}: no cell passes --filter {name}, so nothing was measured: here "
                f"{_there(name, left)}"
            )
        left = passing
    return left


def _parsed(text: str, cells: Sequence[Cell]) -> tuple[str, Mapping[str, Any]]:
    """Return the field that a filter names, and the values of fields that it asks for."""
    name, equals, value = text.partition("=")
    if name != ARM and name not in Experiment.model_fields:
        raise UsageError(
            f'--filter {text}: there is no field "{name}"'
            f"{nearest(name, [ARM, *Experiment.model_fields])}: write FIELD=VALUE"
        )
    if not equals:
        raise UsageError(f"--filter {text}: write FIELD=VALUE: here {_there(name, cells)}")
    return name, {name: value} if name == ARM else _meaning(name, value)


def _meaning(name: str, value: str) -> Mapping[str, Any]:
    """Return the values that a cell has for which a matrix says `name` = `value`."""
    shorthands: dict[tuple[str, str], dict[str, Any]] = {
        ("schedule", "pipelined"): PIPELINED | {"schedule": "speculative"},
        **{("backend", one.name): {"backend": one.usual} for one in BACKENDS if one.usual},
        ("threads", "all"): {"threads": available_cores()},
        (name, ""): {name: None},
    }
    if (name, value) in shorthands:
        return shorthands[name, value]
    try:
        kind: TypeAdapter[Any] = TypeAdapter(Experiment.model_fields[name].rebuild_annotation())
        return {name: kind.validate_python(value)}
    except ValidationError as error:
        words = error.errors()[0]["msg"]
        raise UsageError(f"--filter {name}={value}: no value of {name}: {words}") from None


def _has(cell: Cell, values: Mapping[str, Any]) -> bool:
    return all(getattr(cell.experiment, name) == value for name, value in values.items())


def _there(name: str, cells: Sequence[Cell]) -> str:
    """Say which values of a field there are."""
    values = [getattr(cell.experiment, name) for cell in cells]
    words = list(dict.fromkeys("not set" if value is None else str(value) for value in values))
    more = f", and {len(words) - _MOST_SHOWN} more" if len(words) > _MOST_SHOWN else ""
    quote = '"' if name == ARM else ""
    shown = ", ".join(f"{quote}{word}{quote}" for word in words[:_MOST_SHOWN])
    return f"{name} is {shown}{more}"
