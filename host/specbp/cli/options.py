"""The fields of an experiment as command-line options, made from their one description."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from functools import cache
from typing import Any, Literal, get_args, get_origin

import typer
from rich.markup import escape

from specbp.backends.overlay.records import LANES
from specbp.backends.table import BACKENDS
from specbp.datasets.catalog import CATALOG
from specbp.defaults import SCHEDULES, SPECULATION_FIELDS
from specbp.experiment import METHOD_FIELDS, Experiment, Key

LONGEST_METAVAR = 40
DATA, TRAINING, SAMPLES = "Data", "Training", "Order of the samples"
PLACE, METHOD, SPECULATION = "Where it runs", "Schedule", "Speculation"
_PANELS = {
    DATA: ("dataset", "train", "test", "subset_seed", "held_out"),
    SAMPLES: ("seed", "sampler", "block_keys"),
    PLACE: ("backend", "lanes", "engines", "threads", "block_steps"),
    SPECULATION: SPECULATION_FIELDS,
}
"""The heading in the help under which the options of some fields stand."""
_ORDER = (DATA, TRAINING, SAMPLES, METHOD, SPECULATION, PLACE)
_ABSENT = {
    "train": "all",
    "test": "all",
    "held_out": "none",
    "scheduler": "learning_rate_decay",
    "label_smoothing": "0",
    "random_flip": "false",
    "random_crop": "none",
    "cutout": "none",
    "initial_weights": "drawn from the seed",
    "block_keys": "the number of classes",
}
"""What it means that a field that every experiment may have is absent."""


def with_experiment_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give `command` an option for each field of `Experiment`.

    The command's keyword argument ``given`` receives the fields that were set, by name.
    """
    own = [
        parameter
        for parameter in inspect.signature(command, eval_str=True).parameters.values()
        if parameter.name != "given"
    ]
    by_panel = sorted(Experiment.model_fields, key=lambda name: _ORDER.index(_panel(name)))
    options = [_option(name) for name in by_panel]

    def wrapped(**values: Any) -> None:
        fields = {option.name: values.pop(option.name) for option in options}
        given = {name: value for name, value in fields.items() if value is not None}
        command(given=given, **values)

    wrapped.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        sorted([*own, *options], key=lambda parameter: parameter.kind)
    )
    wrapped.__doc__ = command.__doc__
    wrapped.__name__ = command.__name__
    return wrapped


def choices(name: str) -> list[str]:
    """Return the values that a field is usually given; an empty list where it is a number.

    Args:
        name: name of a field of `Experiment`.
    """
    if name == "model":
        from specbp.network.models import MODELS  # takes PyTorch: only when asked

        return list(MODELS)
    listed: dict[str, Iterable[Any]] = {
        "dataset": CATALOG,
        "backend": [one.name for one in BACKENDS if one.name == one.form or one.usual],
        "schedule": SCHEDULES,
        "lanes": LANES,
    }
    if name in listed:
        return list(map(str, listed[name]))
    kind = _kind(name)
    if kind is bool:
        return ["true", "false"]
    return list(get_args(kind)) if get_origin(kind) is Literal else []


@cache
def default_words(name: str) -> str:
    """Return what a field is that was not set, in words; where that depends on others, on which.

    Args:
        name: name of a field of `Experiment`.
    """
    if name in _ABSENT:
        return _ABSENT[name]
    if name in SPECULATION_FIELDS:
        usual: Any = None
        variants = {
            f"key {key}": Experiment(schedule="speculative", key=key) for key in get_args(Key)
        }
        if name == "key":
            variants = {"speculative": Experiment(schedule="speculative")}
    else:
        usual = Experiment.model_fields[name].default
        variants = {word: Experiment.model_validate({"schedule": word}) for word in SCHEDULES}
        variants |= {"the overlay": Experiment(backend="sim:model")}
    if name in ("schedule", "backend"):
        variants = {}
    by_value: dict[Any, list[str]] = {}
    for word, experiment in variants.items():
        value = getattr(experiment, name)
        if value != usual:
            by_value.setdefault(value, []).append(word)
    if usual is None and [*by_value.values()] == [[*variants]]:
        return _words(next(iter(by_value)))
    parts = [] if usual is None and by_value else [_words(usual)]
    return "; ".join(
        parts + [f"{_words(value)} for {', '.join(words)}" for value, words in by_value.items()]
    )


def _option(name: str) -> inspect.Parameter:
    help_text = f"{Experiment.model_fields[name].description} [default: {default_words(name)}]"
    return inspect.Parameter(
        name,
        inspect.Parameter.KEYWORD_ONLY,
        default=typer.Option(
            None, f"--{name.replace('_', '-')}", help=escape(help_text), metavar=_metavar(name),
            rich_help_panel=_panel(name), show_default=False,
            autocompletion=lambda incomplete: [
                value for value in choices(name) if value.startswith(incomplete)
            ],
        ),
        annotation=str | None,
    )  # fmt: skip


def _panel(name: str) -> str:
    """Return the heading in the help under which the option of a field stands."""
    for panel, names in _PANELS.items():
        if name in names:
            return panel
    return METHOD if name in METHOD_FIELDS else TRAINING


def _kind(name: str) -> Any:
    """Return the type of a field, without None."""
    annotation = Experiment.model_fields[name].annotation
    if get_origin(annotation) is Literal:
        return annotation
    return next((part for part in get_args(annotation) if part is not type(None)), annotation)


def _metavar(name: str) -> str:
    """Return how to call a value of this field; pydantic turns the text into the value."""
    kind = _kind(name)
    if get_origin(kind) is Literal:
        words = "|".join(choices(name))
        return words if len(words) <= LONGEST_METAVAR else "NAME"
    return {int: "NUMBER", float: "NUMBER", str: "NAME", bool: "true|false"}[kind]


def _words(value: Any) -> str:
    if value is None:
        return "none"
    return str(value).lower() if isinstance(value, bool) else str(value)
