"""From a matrix file to cells: base experiment, axes, exclude, include, repeats.

A matrix is a TOML file:

    name = "batch-size"
    repeats = 3                     # seeds: the base seed, plus 1, plus 2
    timing = false                  # for accuracies only: a cluster may train side by side

    [base]                          # any field of an experiment
    dataset = "digits"

    [axes]                          # every combination of these
    batch_size = [1, 4, 16]
    arm = [                         # values that are tables set several fields at once
        { schedule = "sequential" },
        { schedule = "pipelined", learning_rate = 0.01 },
    ]

    [[exclude]]                     # combinations with all of these fields are left out
    batch_size = 1
    schedule = "pipelined"

    [[include]]                     # one more: the base experiment with these fields
    batch_size = 256

A field that a cell cannot use, such as the key of the base in a sequential cell, is left out of
that cell. Where no cell uses what is written at a place, that is an error: it would be ignored.
"""

from __future__ import annotations

import itertools
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from specbp.datasets.catalog import describe, is_own
from specbp.defaults import without_effect
from specbp.errors import UsageError, nearest
from specbp.experiment import LARGEST_SEED, Experiment, content_hash, experiment_from

if TYPE_CHECKING:
    from specbp.initial import Identity

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

Fields = dict[str, Any]
Written = list[tuple[str, Fields]]
"""The fields of one combination by the place where they are written; later ones win."""

MOST_NAME_BYTES = 100
_NAME = re.compile(r"\w(?:[\w .+-]*[\w.+-])?")
_KEYS = ("name", "repeats", "timing", "base", "axes", "exclude", "include")


@dataclass(frozen=True)
class Cell:
    """One fully specified run of a matrix.

    Attributes:
        matrix: name of the matrix.
        repeat: 0 for the base seed, 1 for the next one.
        experiment: what to run.
        start: 0 for the first start, 1 for the next one: the same again in another process.
        timed: whether its times are to be compared, so that nothing may run beside it.
    """

    matrix: str
    repeat: int
    experiment: Experiment
    start: int = 0
    timed: bool = True

    @cached_property
    def identity(self) -> Identity:
        """What tells its network from others: a model may change under its name.

        Raises:
            UsageError: there is no such model, or it cannot be trained on the data set.
        """
        from specbp.initial import identity  # here, because it imports PyTorch

        experiment = self.experiment
        return identity(
            experiment.model,
            describe(experiment.dataset),
            experiment.seed,
            experiment.initial_weights,
        )

    @cached_property
    def hash(self) -> str:
        """Content hash of experiment, network and start: names the cell's folder."""
        return self._hash_of(self.experiment.model_dump())

    @cached_property
    def workload(self) -> str:
        """Hash of what the arms of a comparison share; cells that have it in common take turns."""
        return self._hash_of(self.experiment.workload)

    def _hash_of(self, fields: Mapping[str, Any]) -> str:
        """Return a hash of `fields`, the network, and which start it is, unless it is the first."""
        start = {"start": self.start} if self.start else {}
        # What the file of initial weights holds is part of the identity; its path says nothing.
        fields = {**fields, "initial_weights": None}
        return content_hash({**fields, **asdict(self.identity), **self._content, **start})

    @property
    def _content(self) -> dict[str, str]:
        """What tells a user's own data from others of its name."""
        if not is_own(self.experiment.dataset):
            return {}
        from specbp.datasets.own import own_data  # here, because it imports PyTorch

        return {"data_sha256": own_data(self.experiment.dataset).sha256}


@dataclass(frozen=True)
class Matrix:
    """A matrix as written, checked for its form.

    Attributes:
        name: how results refer to it.
        repeats: seeds per combination.
        base: fields that all cells share unless they say otherwise.
        axes: for each axis, by name, the fields that each of its values sets.
        exclude: combinations with all the fields of one of these are left out.
        include: each adds one combination to those of the axes.
        timing: whether times are to be compared.
    """

    name: str
    repeats: int
    base: Fields
    axes: dict[str, list[Fields]]
    exclude: list[Fields]
    include: list[Fields]
    timing: bool = True


def read_matrix(path: Path) -> Matrix:
    """Read a matrix file.

    Raises:
        UsageError: the file is missing, is not TOML, or has a key that means nothing.
    """
    try:
        return matrix_from(tomllib.loads(path.read_text("utf-8-sig")), path.stem, path.name)
    except FileNotFoundError:
        raise UsageError(f"{path}: there is no such matrix file") from None
    except OSError as error:
        raise UsageError(f"{path}: it cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{path}: not UTF-8 text: save it as that: {error}") from error
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{path}: not valid TOML: {error}") from error


def matrix_from(given: Mapping[str, Any], name: str, where: str) -> Matrix:
    """Check the form of a matrix given as plain values.

    Args:
        given: the content of a matrix file.
        name: the matrix's name where it does not give one.
        where: what to call it in an error.

    Raises:
        UsageError: a key that means nothing, or a value of the wrong form.
    """
    for key in given:
        if key not in _KEYS:
            raise UsageError(f'{where}: unknown key "{key}"{nearest(key, _KEYS)}')
    if not any(given.get(key) for key in ("base", "axes", "exclude", "include")):
        raise UsageError(
            f"{where}: it describes no experiment: write [base], [axes] or [[include]]"
        )
    repeats = given.get("repeats", 1)
    if not isinstance(repeats, int) or isinstance(repeats, bool) or repeats < 1:
        raise UsageError(f"{where}: repeats = {repeats!r}: it must be a whole number from 1")
    timing = given.get("timing", True)
    if not isinstance(timing, bool):
        raise UsageError(f"{where}: timing = {timing!r}: it must be true or false")
    return Matrix(
        _checked_name(given.get("name", name), where),
        repeats,
        _fields(given.get("base", {}), f"{where}: [base]"),
        _axes(given.get("axes", {}), where),
        [_fields(one, f"{where}: [[exclude]]") for one in _list(given, "exclude", where)],
        [_fields(one, f"{where}: [[include]]") for one in _list(given, "include", where)],
        timing,
    )


def expand(matrix: Matrix, where: str) -> list[Cell]:
    """Return the cells of `matrix`, each once, in the order in which they are written.

    Raises:
        UsageError: a cell is not a valid experiment, an exclude matches no cell, or no cell uses a
            field where it is written.
    """
    matched: set[int] = set()
    kept = [
        one for one in _combinations(matrix) if not _excluded(_merged(one), matrix.exclude, matched)
    ]
    for number, exclude in enumerate(matrix.exclude):
        if number not in matched:
            raise UsageError(f"{where}: [[exclude]] {exclude} matches no combination")
    kept += [
        [("[base]", matrix.base), (f"[[include]] {number}", one)]
        for number, one in enumerate(matrix.include, start=1)
    ]
    cells: dict[str, Cell] = {}
    for fields in _with_effect(kept, where):
        first = experiment_from(fields, where)
        if first.seed + matrix.repeats - 1 > LARGEST_SEED:
            raise UsageError(
                f"{where}: seed = {first.seed} and repeats = {matrix.repeats}: seeds can be at "
                f"most {LARGEST_SEED}"
            )
        for repeat in range(matrix.repeats):
            experiment = first.model_copy(update={"seed": first.seed + repeat})
            cell = Cell(matrix.name, repeat, experiment, timed=matrix.timing)
            cells.setdefault(experiment.hash, cell)
    return list(cells.values())


def in_starts(cells: Sequence[Cell], starts: int) -> list[Cell]:
    """Return `cells` once for every start, all of a start before the next."""
    return [replace(cell, start=start) for start in range(starts) for cell in cells]


def _combinations(matrix: Matrix) -> list[Written]:
    """Return every combination of the axes, on the base; none of a matrix of includes alone."""
    if matrix.include and not matrix.axes:
        return []
    axes = [
        [
            (f"[axes] {name}, value {number}", fields)
            for number, fields in enumerate(values, start=1)
        ]
        for name, values in matrix.axes.items()
    ]
    return [[("[base]", matrix.base), *values] for values in itertools.product(*axes)]


def _with_effect(combinations: Sequence[Written], where: str) -> list[Fields]:
    """Return the fields of each combination without those that it cannot use.

    Raises:
        UsageError: no combination uses what is written at some place.
    """
    found, used = [], set()
    ignored: dict[tuple[str, str], str] = {}
    for written in combinations:
        fields = _merged(written)
        origins = {name: place for place, some in written for name in some}
        reasons = without_effect(fields)
        used |= {(origins[name], name) for name in fields.keys() - reasons.keys()}
        for name, reason in reasons.items():
            ignored.setdefault((origins[name], name), f"{name} = {fields[name]!r}: {reason}")
        found.append({name: value for name, value in fields.items() if name not in reasons})
    for key, words in ignored.items():
        if key not in used:
            raise UsageError(f"{where}: {key[0]}: no cell uses {words}: leave it out")
    return found


def _checked_name(name: object, where: str) -> str:
    """Return the name of a matrix, which is also that of a folder: one plain word of a path."""
    if isinstance(name, str) and _NAME.fullmatch(name) and len(name.encode()) <= MOST_NAME_BYTES:
        return name
    raise UsageError(
        f"{where}: name = {name!r}: it names the results folder: write a letter, digit or "
        f'underscore, then more of these, spaces, ".", "+" or "-", {MOST_NAME_BYTES} bytes at most'
    )


def _fields(given: object, where: str) -> Fields:
    if not isinstance(given, dict):
        raise UsageError(f"{where}: it must be a table of experiment fields")
    for key in given:
        _check_field(key, where)
    return dict(given)


def _check_field(key: str, where: str) -> None:
    if key not in Experiment.model_fields:
        raise UsageError(f'{where}: unknown key "{key}"{nearest(key, Experiment.model_fields)}')


def _list(given: Mapping[str, Any], key: str, where: str) -> list[object]:
    value = given.get(key, [])
    if not isinstance(value, list):
        raise UsageError(f"{where}: write [[{key}]] with double brackets, once per entry")
    return value


def _axes(given: object, where: str) -> dict[str, list[Fields]]:
    if not isinstance(given, dict):
        raise UsageError(f"{where}: [axes] must be a table of lists")
    axes: dict[str, list[Fields]] = {}
    for name, values in given.items():
        place = f"{where}: [axes] {name}"
        if not isinstance(values, list) or not values:
            raise UsageError(f"{place}: it must be a list with at least one value")
        if all(isinstance(value, dict) for value in values):
            axes[name] = [_fields(value, place) for value in values]
        else:
            _check_field(name, f"{where}: [axes]")
            axes[name] = [{name: value} for value in values]
    return axes


def _merged(written: Written) -> Fields:
    return {key: value for _, fields in written for key, value in fields.items()}


def _excluded(fields: Fields, excludes: list[Fields], matched: set[int]) -> bool:
    """Whether one of `excludes` holds for `fields`; notes in `matched` which ones ever did."""
    hits = {
        number
        for number, exclude in enumerate(excludes)
        if all(_value(fields, key) == value for key, value in exclude.items())
    }
    matched |= hits
    return bool(hits)


def _value(fields: Fields, key: str) -> Any:
    return fields.get(key, Experiment.model_fields[key].default)
