"""What `specbp overlay info` and `timeline` say of a step on two cores."""

import json

import pytest


def test_info_holds_a_step_against_its_bound(specbp):
    method = ("--schedule", "speculative", "--reuse", "replay", "--rejects", "4")
    code, output, error = specbp("overlay", "info", *method, "--json")
    assert code == 0, error
    found = json.loads(output)
    sequential = found["sequential"]
    redone = sequential["deltas"] * 4 / 32
    balanced = (sequential["total"] + redone) / 2
    assert found["bound"] * sequential["total"] == pytest.approx(balanced)
    assert found["over_sequential"] == found["cycles"] / sequential["total"] > found["bound"]
    for core in found["cores"]:
        parts = (core[name] for name in ("computing", "other_core", "memory", "ended"))
        assert abs(sum(parts) - found["cycles"]) <= 2


def test_a_timeline_has_a_process_for_each_core(specbp, tmp_path):
    code, output, error = specbp(
        "overlay", "timeline", "--schedule", "pipelined", "--output", "x.json"
    )
    assert code == 0, error
    assert "cycles on 2 cores" in output
    events = json.loads((tmp_path / "x.json").read_text())["traceEvents"]
    works = {(event["pid"], event["cat"]) for event in events if event["ph"] == "X"}
    assert {(0, "forward"), (1, "input gradient"), (1, "weight gradient")} <= works


def test_rejects_need_a_step_that_can_reject(specbp):
    code, line = specbp.fails("overlay", "info", "--rejects", "4")
    assert code == 2
    assert "only a speculative step rejects samples" in line


def test_coverage_names_the_lines_that_a_step_does_not_reach(specbp, tmp_path):
    code, output, error = specbp(
        "overlay", "coverage", "--batch-size", "2", "--steps", "1", "--missed", "--output", "c.dat"
    )
    assert code == 0, error
    assert "softmax_unit.sv" in output
    assert "\ncopy_unit.sv: " in output  # nothing is copied in a sequential step
    assert "\nmac_array.sv: " not in output
    assert (tmp_path / "c.dat").read_text().startswith("# SystemC::Coverage")


def test_coverage_data_needs_a_folder_that_is_there(specbp):
    code, line = specbp.fails("overlay", "coverage", "--output", "nowhere/c.dat")
    assert code == 2
    assert "there is no folder nowhere" in line
