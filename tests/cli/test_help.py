"""The help of every verb, the version, completion, and how soon they answer."""

import subprocess
import sys

import pytest
import typer
from rich.text import Text

from specbp.cli import app
from specbp.cli.options import choices, default_words
from specbp.experiment import Experiment, experiment_from


def verbs(command, path=()):
    """The words of every command there is, groups included."""
    yield path
    for name, inner in getattr(command, "commands", {}).items():
        yield from verbs(inner, (*path, name))


VERBS = list(verbs(typer.main.get_command(app)))
GROUPS = [(), ("overlay",), ("board",)]
WITH_EXPERIMENT = [("run",), ("timeline",), ("lockstep",), ("overlay", "info")]


def plain(text):
    """Help without its frames, as one line."""
    return " ".join(Text.from_ansi(text).plain.replace("│", " ").split())


@pytest.mark.parametrize("verb", VERBS, ids=" ".join)
def test_every_verb_explains_itself(specbp, verb):
    """Kind: help that fails, or that nobody wrote."""
    code, output, error = specbp(*verb, "--help", COLUMNS="300")
    assert (code, error) == (0, "")
    assert f"Usage: {' '.join(('specbp', *verb))}" in output
    assert plain(output).count(" ".join(("specbp", *verb))) >= 1 + (verb not in GROUPS), (
        "no example"
    )


@pytest.mark.parametrize("verb", WITH_EXPERIMENT, ids=" ".join)
def test_help_shows_the_default_of_every_experiment_option(specbp, verb):
    """Kind: a default that is missing from the help, or that markup ate."""
    output = plain(specbp(*verb, "--help", COLUMNS="400").stdout).partition("─ Data ─")[2]
    for name in Experiment.model_fields:
        option = f"--{name.replace('_', '-')} "
        assert option in output
        words = output.split(option, 1)[1].split("[default: ", 1)[1]
        assert words.startswith(f"{default_words(name)}]"), option


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("reuse", {"schedule": "speculative"}),
        ("refresh", {"schedule": "speculative", "key": "bucket"}),
        ("gate_metric", {"schedule": "speculative", "key": "batch"}),
        ("lanes", {"backend": "sim:model"}),
        ("skip_loss", {"schedule": "selective"}),
        ("engines", {"schedule": "data-parallel"}),
        ("learning_rate", {}),
    ],
)
def test_the_default_that_help_names_is_the_one_that_is_used(name, given):
    value = getattr(experiment_from(given), name)
    assert str(value) in default_words(name)


def test_the_version_is_printed(specbp):
    code, output, _ = specbp("--version")
    assert code == 0
    assert output.startswith("specbp 0.")


@pytest.mark.parametrize("arguments", [["--version"], ["--help"], ["run", "--help"]])
def test_help_and_version_do_not_wait_for_the_libraries_that_train(arguments):
    """Kind: an import at the top of a module that costs every command seconds."""
    program = (
        "import sys; from specbp.cli import app\n"
        f"app({arguments}, standalone_mode=False)\n"
        "slow = {'torch', 'pandas', 'scipy', 'sklearn', 'matplotlib', 'pyarrow'} & {*sys.modules}\n"
        "sys.exit(f'imported: {slow}' if slow else 0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("words", "completed"),
    [
        ("specbp ben", {"bench"}),
        ("specbp run --schedule s", {"sequential", "speculative", "selective"}),
        ("specbp run --backend sim", {"sim:model", "sim:rtl"}),
        ("specbp run --nesterov ", {"true", "false"}),
    ],
)
def test_a_shell_completes_verbs_and_values(specbp, words, completed):
    code, output, _ = specbp(
        _SPECBP_COMPLETE="complete_bash", COMP_WORDS=words, COMP_CWORD=str(words.count(" "))
    )
    assert code == 0
    assert set(output.split()) == completed


def test_values_that_complete_are_values():
    for name in ("schedule", "dataset", "key", "sampler", "arithmetic"):
        assert choices(name)
    for schedule in choices("schedule"):
        assert experiment_from({"schedule": schedule})
