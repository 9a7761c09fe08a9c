"""A plan is printed, costed and drawn."""

import json


def test_a_plan_is_a_table_of_tasks_with_its_bound(specbp):
    code, output, error = specbp("plan", "--schedule", "speculative", "--accept-rate", "0.5")
    assert code == 0, error
    for kind in ("lookup", "gate", "redo", "weight grad", "commit"):
        assert kind in output
    assert "tasks on 2 engines" in output and "bound 0." in output


def test_as_json_every_task_stands_in_the_timetable_once_and_after_what_it_needs(specbp):
    for schedule in ("sequential", "pipelined", "deferred", "selective"):
        code, output, _ = specbp("plan", "--schedule", schedule, "--json")
        assert code == 0
        plan = json.loads(output)
        entries = {entry["task"]: entry for entry in plan["timetable"]}
        assert sorted(entries) == list(range(len(plan["tasks"])))
        for number, task in enumerate(plan["tasks"]):
            began = entries[number]["started"]
            assert all(entries[need]["ended"] <= began for need in task["needs"])
        assert plan["bound"] <= max(one["ended"] for one in plan["timetable"]) + 1e-9


def test_measured_times_take_the_place_of_work_and_the_plan_is_drawn(specbp, tmp_path):
    arguments = ["--schedule", "pipelined", "--measure", "5", "--draw", "plan.svg"]
    code, output, error = specbp("plan", *arguments)
    assert code == 0, error
    assert "by the times measured" in output
    picture = (tmp_path / "plan.svg").read_text()
    assert "engine 1" in picture and "weight gradient" in picture


def test_what_cannot_be_drawn_or_measured_is_one_line(specbp):
    assert "take one of .svg, .png, .pdf" in specbp.fails("plan", "--draw", "plan.txt")[1]
    code, line = specbp.fails("plan", "--measure", "5", "--backend", "sim:model")
    assert code == 2 and "takes times on the CPU" in line
