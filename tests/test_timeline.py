import json

from specbp.runtime.spans import Span
from specbp.timeline import chrome_trace


def test_each_engine_has_a_row_and_waiting_is_a_gap():
    step = [
        Span(0, "forward", "", 10.0, 10.5),
        Span(1, "weight gradient", "3:Conv2d", 10.25, 10.5),
        Span(0, "wait", "", 10.5, 10.75),
    ]
    trace = chrome_trace([step, [Span(0, "update", "", 11.0, 11.25)]])
    events = json.loads(json.dumps(trace))["traceEvents"]
    names = [event["args"]["name"] for event in events if event["ph"] == "M"]
    assert names == ["engine 0", "engine 1"]
    shown = [(e["name"], e["tid"], e["ts"], e["dur"], e["args"]["step"]) for e in events[2:]]
    assert shown == [
        ("forward", 0, 0.0, 500e3, 0),
        ("weight gradient 3:Conv2d", 1, 250e3, 250e3, 0),
        ("update", 0, 1e6, 250e3, 1),
    ]
