"""`specbp lockstep` and `specbp overlay info` as a user meets them."""

import json

import pytest
from typer.testing import CliRunner

from specbp.cli import app
from specbp.errors import UsageError

SMALL = ["--train", "64", "--batch-size", "8"]


def run(*arguments):
    return CliRunner().invoke(app, list(arguments))


def test_identical_backends_are_counted_and_exit_with_0():
    done = run("lockstep", "cpu+int16", "interpreter", "--steps", "2", *SMALL)
    assert done.exit_code == 0
    assert "identical: digits-cnn on digits, batch 8, 2 steps, 54 tensors" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("cpu", "sim:rtl"), 'unknown backend "cpu" .did you mean "cpu.int16".'),
        (("cpu+int16", "interpreter", "--backend", "cpu"), "--backend says nothing here"),
        (("cpu+int16", "interpreter", "--lanes", "12"), "lanes = 12: choose one of 16, 32, 64"),
        (("cpu+int16", "interpreter", "--stalls", "0.1"), "--stalls has no effect: neither A nor"),
        (("cpu+int16", "interpreter", "--delays", "4"), "neither A nor B is sim:rtl"),
        (("cpu+int16", "sim:rtl", "--races"), "neither A nor B is interpreter"),
    ],
)
def test_what_cannot_be_is_refused(arguments, said):
    done = run("lockstep", *arguments, *SMALL)
    assert isinstance(done.exception, UsageError)
    with pytest.raises(UsageError, match=said):
        raise done.exception


def test_a_listing_is_not_json():
    assert isinstance(run("overlay", "info", "--listing", "--json", *SMALL).exception, UsageError)


def test_info_says_what_each_pass_takes():
    done = run("overlay", "info", "--json", *SMALL)
    assert done.exit_code == 0
    found = json.loads(done.stdout)
    assert found["cycles"] == sum(one["cycles"] for one in found["passes"])
    useful = [one["useful"] for one in found["passes"] if one["useful"] is not None]
    assert useful and all(0 < share <= 1 for share in useful)
    table = run("overlay", "info", *SMALL)
    assert "weight gradient" in table.stdout and "cycles a step" in table.stdout


def test_the_listing_has_a_line_for_each_descriptor():
    listing = run("overlay", "info", "--listing", *SMALL).stdout.splitlines()
    lines = [line for line in listing if not line.startswith("--")]
    assert [int(line.split()[0]) for line in lines] == list(range(len(lines)))
    assert lines[-1].split()[1] == "END"
    assert any("-- 3:Conv2d: input gradient" in line for line in listing)
