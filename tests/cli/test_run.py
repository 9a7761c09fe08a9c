import json

import pytest


def test_one_experiment_prints_a_table_and_keeps_its_frames(specbp, tmp_path):
    arguments = ("run", "--dataset", "digits", "--model", "digits-cnn", "--schedule", "speculative")
    code, output, error = specbp(*arguments, "--epochs", "1", "--reuse", "replay")
    assert code == 0, error
    assert "speculative" in output
    assert (tmp_path / "results" / "run" / "cells").is_dir()
    code, output, error = specbp(*arguments, "--epochs", "1", "--reuse", "replay", "--json")
    assert "are there already" in error
    (row,) = json.loads(output)
    assert row["reuse"] == "replay"
    assert row["epochs"] == 1


def test_sequential_training_reaches_97_percent_on_digits(specbp):
    code, output, error = specbp(
        "run", "--dataset", "digits", "--model", "digits-cnn", "--schedule", "sequential",
        "--epochs", "10", "--json",
    )  # fmt: skip
    assert code == 0, error
    assert json.loads(output)[0]["test_accuracy"] >= 0.97


def test_help_names_every_knob(specbp):
    code, output, _ = specbp("run", "--help")
    assert code == 0
    for option in ("--learning-rate", "--gate-threshold", "--threads", "--block-steps"):
        assert option in output


def test_bad_values_are_one_line(specbp):
    assert 'did you mean "digits"' in specbp.fails("run", "--dataset", "digit")[1]
    assert 'did you mean "sequential"' in specbp.fails("run", "--schedule", "sequental")[1]
    assert "threads = 'many'" in specbp.fails("run", "--threads", "many")[1]


@pytest.mark.parametrize(
    ("train", "learning_rate", "reason"),
    [(10, 1e14, "is not a number after 1 steps"), (20, 1e13, "the training has diverged")],
)
def test_a_training_that_diverges_in_its_last_step_fails(specbp, train, learning_rate, reason):
    """Kind: divergence that counts as success; it was "10.0% right", exit code 0."""
    code, _, error = specbp(
        "run", "--train", train, "--batch-size", 10, "--test", 50, "--epochs", 1,
        "--learning-rate", learning_rate,
    )  # fmt: skip
    assert code == 1
    assert reason in error
    assert "lower the learning rate" in error


AT_CHANCE = """
[base]
train = 20
test = 40
batch_size = 10
epochs = 1
[axes]
schedule = ["sequential", "pipelined", "data-parallel"]
"""


def test_compare_names_an_arm_at_chance(specbp):
    """Kind: a ratio of times of trainings that learned nothing; only of the arms asked for."""
    (specbp.folder / "m.toml").write_text(AT_CHANCE)
    assert specbp("bench", "m.toml", "--results", "out")[0] == 0
    _, _, error = specbp("compare", "out", "--arm", "pipelined", "--json")
    assert '"pipelined" did not learn (seed 0): ' in error and "chance is" in error
    assert '"sequential, 1 thread" did not learn' in error and "data-parallel" not in error


def test_a_training_that_ended_at_chance_is_named(specbp):
    arguments = ("--schedule", "pipelined", "--epochs", 2, "--learning-rate", 0.3)
    code, _, error = specbp("run", *arguments)
    assert code == 0
    assert '"pipelined" did not learn (seed 0): ' in error
    assert "chance is 10.3%" in error
