"""`specbp compare` on results whose numbers are known: its words, its gates, its refusals."""

import json

import pytest

from specbp.frames import table
from specbp.matrix.store import FinishedCell, Store
from specbp.provenance import provenance
from tests.cli.conftest import CommandLine
from tests.report.conftest import make_cell

COMPARE = ("compare", "out", "--arm", "pipelined")


@pytest.fixture
def measured(tmp_path):
    """Stores cells of so many starts; the pipelined one takes 0.7, 0.71 and 0.72 of the other."""

    def store(starts=3, two_threads=8.0, columns=None, **fields):
        cells = []
        for seed in range(starts):
            own = {"process": f"{seed} of 1"}
            common = {"seed": seed, "columns": provenance() | own | (columns or {}), "rounds": 8}
            common |= fields
            cells += [
                make_cell(10.0, 0.9, **common),
                make_cell(two_threads, 0.9, threads=2, **common),
                make_cell(7.0 + 0.1 * seed, 0.9 - 0.001 * seed, schedule="pipelined", **common),
            ]
        Store.create(tmp_path / "out").write(
            "by-hand" + str(fields.get("batch_size", "")),
            [FinishedCell(one.run, one.epochs, table("steps", one.steps)) for one in cells],
        )
        return CommandLine(tmp_path)

    return store


def test_both_ratios_are_printed_and_every_start(measured):
    code, output, error = measured()(*COMPARE)
    assert (code, error) == (0, "")
    assert "pipelined takes 0.710 (95% interval 0.686 to 0.735) of the total time" in output
    assert "its typical step takes 0.710" in output
    assert "total time in each of 3 repeats: 0.700, 0.710, 0.720" in output


def test_a_single_start_is_said_to_know_nothing_of_others(measured):
    code, output, _ = measured(starts=1)(*COMPARE)
    assert code == 0
    assert "how starts of a process differ is not in the interval" in output


def test_seeds_that_shared_a_process_are_said_to(measured):
    """Kind: an interval that seems to know more than it does."""
    words = "how starts of a process differ is not in the interval"
    assert words in measured(columns={"process": "1 of 2"})(*COMPARE)[1]
    assert words not in measured()(*COMPARE)[1], "each seed is of a process of its own"


def test_a_gate_on_time_falls_with_exit_code_3(measured):
    """The whole interval must be below the limit: it reaches up to 0.735."""
    specbp = measured()
    assert specbp(*COMPARE, "--max-ratio", "0.74")[0] == 0
    code, line = specbp.fails(*COMPARE, "--max-ratio", "0.73")
    assert code == 3
    assert "0.710 (95% interval 0.686 to 0.735) is not below 0.73" in line


def test_a_loss_of_accuracy_that_is_not_ruled_out_is_exit_code_3(measured):
    specbp = measured()
    code, output, _ = specbp(*COMPARE, "--accuracy-margin", "0.5")
    assert code == 0
    assert "test accuracy changes by" in output
    code, line = specbp.fails(*COMPARE, "--accuracy-margin", "0.1")
    assert code == 3
    assert "a loss of 0.1 points or more is not ruled out" in line


@pytest.mark.parametrize("gate", [(), ("--max-ratio", "0.85")])
def test_an_ill_baseline_is_exit_code_4_and_never_a_gate_that_passes(measured, gate):
    """Kind: a verdict on numbers that mean nothing. Two threads take 1.2 of one."""
    specbp = measured(two_threads=12.0)
    code, output, error = specbp(*COMPARE, "--baseline", "sequential, 2 threads", *gate)
    assert code == 4
    assert "0.592" in output, "the numbers are shown all the same"
    assert '"sequential, 2 threads" is slower than "sequential, 1 thread"' in error
    assert specbp(*COMPARE, *gate)[0] == 0, "one thread is a sound baseline"


def test_accuracy_alone_is_judged_beside_an_ill_baseline(measured):
    specbp = measured(two_threads=12.0)
    ill = (*COMPARE, "--baseline", "sequential, 2 threads")
    assert specbp(*ill, "--accuracy-margin", "0.5")[0] == 0
    assert specbp(*ill, "--accuracy-margin", "0.1")[0] == 3


def test_one_comparison_of_several_can_be_named(measured):
    measured(batch_size=8)
    specbp = measured(batch_size=32, two_threads=12.0)
    _, output, _ = specbp(*COMPARE, "--json")
    titles = [one["comparison"] for one in json.loads(output)]
    assert len(titles) == 2
    for title in titles:
        code, output, _ = specbp(*COMPARE, "--comparison", title)
        assert code == 0
        assert all(line.startswith(f"{title}: ") for line in output.splitlines())
    code, line = specbp.fails(*COMPARE, "--comparison", titles[0][:-1])
    assert code == 2
    assert f'did you mean "{titles[0]}"' in line


def test_results_of_another_commit_pass_no_gate(measured):
    """Kind: a result that is stale. After a commit that slows everything down, nothing is trained
    again, and what was measured before would pass."""
    specbp = measured(columns={"source_sha256": "f" * 64, "git_commit": "e" * 40})
    code, output, error = specbp(*COMPARE)
    assert code == 0 and "0.710" in output
    assert "measured by specbp at commit eeeeeeeeee" in error and "(now " in error
    code, line = specbp.fails(*COMPARE, "--max-ratio", "0.9")
    assert code == 4
    assert "at commit eeeeeeeeee" in line and "--again" in line
    code, _, error = specbp(*COMPARE, "--max-ratio", "0.9", "--any-commit")
    assert code == 0
    assert "at commit eeeeeeeeee" in error


def test_results_of_another_machine_are_named(measured):
    specbp = measured(columns={"cpu": "Another CPU"})
    code, _, error = specbp(*COMPARE, "--max-ratio", "0.9")
    assert code == 0
    assert "measured by processor Another CPU (now" in error
