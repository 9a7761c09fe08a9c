"""Every option of every verb that takes a number refuses what is none: exit code 2."""

import inspect
import typing

import pytest
import typer

from specbp.cli import app
from specbp.errors import UsageError
from specbp.experiment import Experiment

ARGUMENTS = {
    "lockstep": ["cpu+int16", "interpreter"],
    "compare": ["results", "--arm", "pipelined"],
    "report": ["results"],
    "bench": ["matrix.toml"],
    "deploy": ["xilinx@192.168.2.99"],
}
"""What a verb cannot do without."""


def kinds(annotation):
    """The types in an annotation, however nested."""
    parts = typing.get_args(annotation)
    return {annotation} if not parts else {kind for part in parts for kind in kinds(part)}


def numeric(parameter):
    if "NAME" in str(getattr(parameter.default, "metavar", "")):
        return False
    name = parameter.name
    if isinstance(parameter.default, typer.models.OptionInfo) and name in Experiment.model_fields:
        return bool({int, float} & kinds(Experiment.model_fields[name].annotation))
    hint = parameter.annotation
    if typing.get_origin(hint) is typing.Annotated:
        hint = typing.get_args(hint)[0]
    return bool({int, float} & kinds(hint))


def commands(group, path=()):
    for command in group.registered_commands:
        yield (*path, command.name or command.callback.__name__.replace("_", "-")), command.callback
    for added in group.registered_groups:
        yield from commands(added.typer_instance, (*path, added.name))


def numeric_options():
    for path, callback in commands(app):
        for parameter in inspect.signature(callback, eval_str=True).parameters.values():
            if numeric(parameter):
                yield path, "--" + parameter.name.replace("_", "-")


OPTIONS = sorted(set(numeric_options()))
WRONG = ["nan", "inf", "-inf", "-1", "1e999", "many", ""]


def test_the_options_are_found():
    assert {
        (("compare",), "--max-ratio"),
        (("run",), "--learning-rate"),
        (("run",), "--checkpoint-seconds"),
        (("bench",), "--checkpoint-seconds"),
        (("board", "deploy"), "--wait"),
        (("board", "serve"), "--port"),
        (("overlay", "build"), "--clock"),
        (("overlay", "resources"), "--lanes"),
        (("overlay", "waves"), "--first"),
    } <= set(OPTIONS)
    assert len(OPTIONS) > 100


COMMAND = typer.main.get_command(app)


def run(words, capsys):
    """Return the exit code of a command line, and what it says on standard error."""
    with pytest.raises((SystemExit, UsageError)) as ended:
        COMMAND.main(args=words, prog_name="specbp")
    error = ended.value
    said = capsys.readouterr().err
    if isinstance(error, UsageError):
        return error.exit_code, str(error)
    return error.code, said


@pytest.mark.parametrize("path", sorted({path for path, _ in OPTIONS}), ids=" ".join)
def test_what_is_no_number_in_range_is_a_usage_error_that_names_the_option(path, capsys):
    """Kind: a gate that cannot fall; every comparison with nan is false."""
    for verb, option in OPTIONS:
        if verb == path:
            for wrong in WRONG:
                words = [*path, *ARGUMENTS.get(path[-1], []), f"{option}={wrong}"]
                code, said = run(words, capsys)
                assert code == 2, (words, said)
                named = (option, option[2:].replace("-", "_"))
                assert any(name in said for name in named), (words, said)


@pytest.mark.parametrize("wrong", ["0", "0.0", "-0.5"])
def test_a_ratio_is_above_zero(wrong, capsys):
    code, said = run(["compare", *ARGUMENTS["compare"], f"--max-ratio={wrong}"], capsys)
    assert code == 2
    assert "--max-ratio" in said
