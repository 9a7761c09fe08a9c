"""The fields of an experiment as command-line options, made from their one description."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, Literal, get_args, get_origin

import typer

from specbp.experiment import Experiment


def with_experiment_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give `command` an option for each field of `Experiment`.

    The command's keyword argument ``given`` receives the fields that were set, by name.
    """
    own = [
        parameter
        for parameter in inspect.signature(command, eval_str=True).parameters.values()
        if parameter.name != "given"
    ]
    options = [_option(name) for name in Experiment.model_fields]

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


def _option(name: str) -> inspect.Parameter:
    field = Experiment.model_fields[name]
    default = field.default
    help_text = field.description or ""
    if default is not None:
        help_text += f" [default: {default}]"
    return inspect.Parameter(
        name,
        inspect.Parameter.KEYWORD_ONLY,
        default=typer.Option(
            None, f"--{name.replace('_', '-')}", help=help_text, metavar=_metavar(field.annotation),
            rich_help_panel="Experiment", show_default=False,
        ),
        annotation=str | None,
    )  # fmt: skip


def _metavar(annotation: Any) -> str:
    """Return how to call a value of this type; pydantic turns the text into the value."""
    if get_origin(annotation) is Literal:
        return "|".join(get_args(annotation))
    parts = [part for part in get_args(annotation) if part is not type(None)] or [annotation]
    if get_origin(parts[0]) is Literal:
        return "|".join(get_args(parts[0]))
    return {int: "NUMBER", float: "NUMBER", str: "NAME", bool: "true|false"}[parts[0]]
