"""A matrix from the command line: to its end, killed and resumed, stopped, refused."""

import json
import os
import random
import signal
import time

import pytest

import specbp as package
from tests.forked import start_command
from tests.matrix.killed import repeatable


def has_not_ended(process):
    return process.poll() is None if hasattr(process, "poll") else process.is_alive()


def wait_for_checkpoint(process, folder, checkpoints):
    """Wait until a number of checkpoints were written, or the process ended."""
    seen = set()
    deadline = time.monotonic() + 120
    while len(seen) < checkpoints and has_not_ended(process):
        assert time.monotonic() < deadline, "no checkpoint appeared"
        seen |= {
            (p.parent.name, p.stat().st_mtime_ns) for p in folder.glob("unfinished/*/state.pt")
        }
        time.sleep(0.002)


def test_a_matrix_runs_to_its_end_and_then_has_nothing_to_do(specbp, tiny, tmp_path):
    code, output, error = specbp("bench", tiny, "--results", "out")
    assert code == 0, error
    assert "8 cells in out" in output
    assert "[8/8]" in error
    assert (package.load(tmp_path / "out").runs["status"] == "ok").all()
    code, output, error = specbp("bench", tiny, "--results", "out", "--json")
    assert code == 0
    assert "8 of 8 cells are there already" in error
    assert {row["status"] for row in json.loads(output)} == {"ok"}


# One name for any number: workers of a parallel run want the same tests.
@pytest.mark.parametrize("checkpoints", [1, pytest.param(random.randint(2, 25), id="some")])
def test_killed_at_a_random_cell_and_restarted_it_gives_the_frames_of_an_undisturbed_run(
    specbp, tiny, tmp_path, checkpoints
):
    assert specbp("bench", tiny, "--results", "whole")[0] == 0
    process = specbp.start("bench", tiny, "--results", "killed", "--checkpoint-seconds", 0)
    wait_for_checkpoint(process, tmp_path / "killed", checkpoints)
    process.kill()
    process.wait()
    code, _, error = specbp("bench", tiny, "--results", "killed")
    assert code == 0, error
    assert repeatable(tmp_path / "killed") == repeatable(tmp_path / "whole"), (
        f"killed after {checkpoints} checkpoints"
    )


LONG = """
[base]
train = 320
test = 10
epochs = 4
batch_size = 16
block_steps = 1
[axes]
schedule = ["sequential", "speculative"]
"""


@pytest.mark.parametrize(
    ("number", "starts"),
    [
        (signal.SIGINT, ()),
        (signal.SIGTERM, ()),
        (signal.SIGHUP, ()),
        (signal.SIGINT, ("--starts", "2")),
    ],
)
def test_a_stop_keeps_what_is_done_and_says_how_to_go_on(specbp, tmp_path, number, starts):
    """Kind: Ctrl-C, a cluster's time limit, a terminal that is closed."""
    (tmp_path / "long.toml").write_text(LONG)
    words = ["specbp", "bench", "long.toml", "--results", "out", "--checkpoint-seconds", "0"]
    words += starts
    process = start_command(words, tmp_path, dict(os.environ), tmp_path / "said", tmp_path / "err")
    wait_for_checkpoint(process, tmp_path / "out", 1)
    os.kill(process.pid, number)
    process.join(60)
    error = (tmp_path / "err").read_text()
    assert process.exitcode == 130, error
    assert "stopping after this block of steps; Ctrl-C again stops at once" in error
    assert "run the same command again to go on" in error
    assert len([*tmp_path.glob("out/unfinished/*/state.pt")]) == 1
    code, _, error = specbp("bench", "long.toml", "--results", "out", *starts)
    assert code == 0, error
    assert "going on from step" in error
    if starts:
        runs = package.load(tmp_path / "out").runs
        assert (runs.groupby("arm")["start"].nunique() == 2).all()
        assert (runs.groupby("arm")["final_weights_sha256"].nunique() == 1).all()
        code, _, error = specbp("bench", "long.toml", "--results", "out")
        assert code == 0 and "2 of 2 cells are there already" in error
        assert "not of this matrix" not in error, "further starts are of it"
        code, output, _ = specbp("bench", "long.toml", "--results", "out", *starts, "--dry-run")
        assert code == 0 and "4 done" in output


def test_a_dry_run_prints_the_cells_and_writes_nothing(specbp, tiny, tmp_path):
    code, output, _ = specbp("bench", tiny, "--dry-run")
    assert code == 0
    assert "8 cells" in output
    assert output.count("pipelined") == 2
    assert not (tmp_path / "results").exists()


def test_a_filter_picks_cells_and_none_left_is_exit_code_4(specbp, tiny):
    code, output, _ = specbp("bench", tiny, "--dry-run", "--filter", "seed=1")
    assert (code, output.count("pipelined")) == (0, 1)
    assert specbp.fails("bench", tiny, "--filter", "seed=9")[0] == 4
    assert specbp.fails("bench", tiny, "--filter", "sed=1")[0] == 2


def test_a_failed_cell_is_reported_and_the_rest_are_kept(specbp, tmp_path):
    (tmp_path / "bad.toml").write_text(
        "[base]\ntrain = 320\nepochs = 1\n[axes]\nlearning_rate = [0.01, 1e9]\n"
    )
    code, _, error = specbp("bench", "bad.toml")
    assert code == 1
    assert "1 of 2 cells failed" in error
    assert "lower the learning rate" in error
    runs = package.load(tmp_path / "results" / "bad").runs
    assert sorted(runs["status"]) == ["failed", "ok"]
    code, _, error = specbp("bench", "bad.toml")
    assert code == 1
    assert "2 of 2 cells are there already" in error


@pytest.mark.parametrize(
    ("matrix", "message"),
    [
        ("[base]\nepoch = 3", 'did you mean "epochs"'),
        ('[base]\ndataset = "cifar100"\nmodel = "cifar-cnn"', "cifar-100-python"),
        ('[base]\ndataset = "digits"\nmodel = "lenet5"', "lenet5 takes 28 x 28 images, digits"),
        ('[base]\nschedule = "speculative"\ngate_metric = "mean"\ngate_threshold = 0.5', "range"),
        ("[base]\nbatch_size = 5000", "larger than the training set"),
        ("[base]\ntrain = 5000", "5000"),
    ],
)
def test_bad_input_is_one_line_before_any_work(specbp, tmp_path, matrix, message):
    (tmp_path / "m.toml").write_text(matrix)
    code, line = specbp.fails("bench", "m.toml", "--data-root", "nowhere", SPECBP_DATA="")
    assert code == 2
    assert message in line
    assert not list((tmp_path).glob("results/m/cells/*"))


def test_results_of_another_version_and_folders_in_the_way_are_refused(specbp, tiny, tmp_path):
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "format.json").write_text('{"format": 0}')
    assert "written in results format 0" in specbp.fails("bench", tiny, "--results", "old")[1]
    assert "cannot write" in specbp.fails("bench", tiny, "--results", "tiny.toml/out")[1]


def test_a_dry_run_says_what_is_done_and_how_long_the_rest_takes(specbp, tiny):
    assert "time left: unknown" in specbp("bench", tiny, "--dry-run")[1]
    assert specbp("bench", tiny, "--filter", "seed=0")[0] == 0
    code, output, _ = specbp("bench", tiny, "--dry-run")
    assert code == 0
    assert "4 done, 4 to do" in output
    assert "time left: about" in output and "unknown" not in output
    rows = json.loads(specbp("bench", tiny, "--dry-run", "--json")[1])
    assert [row["state"] for row in rows] == ["done", "to do"] * 4
    assert all((row["expected_s"] > 0) == (row["state"] == "to do") for row in rows)
    assert "time left" not in specbp("bench", tiny, "--dry-run", "--filter", "seed=0")[1]
