import json


def test_a_timeline_shows_both_engines_of_a_pipelined_step(specbp, tmp_path):
    arguments = ["--schedule", "pipelined", "--first", "3", "--steps", "20"]
    code, _, error = specbp("timeline", *arguments, "--output", "trace.json")
    assert code == 0, error
    events = json.loads((tmp_path / "trace.json").read_text())["traceEvents"]
    phases = {(event["tid"], event["cat"]) for event in events if event["ph"] == "X"}
    assert {(0, "load"), (0, "forward"), (0, "update"), (1, "input gradient")} <= phases


def test_more_steps_than_there_are_is_one_line(specbp):
    code, message = specbp.fails("timeline", "--first", "100000")
    assert code == 2
    assert "fewer than" in message
