import json


def test_a_timeline_shows_both_engines_of_a_pipelined_step(specbp, tmp_path):
    output = tmp_path / "trace.json"
    arguments = ["--schedule", "pipelined", "--first", "3", "--steps", "2"]
    result = specbp("timeline", *arguments, "--output", str(output))
    assert result.returncode == 0, result.stderr
    events = json.loads(output.read_text())["traceEvents"]
    phases = {(event["tid"], event["cat"]) for event in events if event["ph"] == "X"}
    assert {(0, "load"), (0, "forward"), (0, "update"), (1, "input gradient")} <= phases


def test_more_steps_than_there_are_is_one_line(specbp, tmp_path):
    result = specbp("timeline", "--first", "100000", "--output", str(tmp_path / "x"))
    assert result.returncode == 2
    assert "fewer than" in result.stderr
