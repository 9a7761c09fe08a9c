"""Timelines: the spans of engines as a trace that Perfetto and Chrome (chrome://tracing) show."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from specbp.runtime.spans import Span


def chrome_trace(steps: Sequence[Sequence[Span]]) -> dict[str, Any]:
    """Return the spans of consecutive steps in Chrome's trace event format.

    One row for each engine; times count in microseconds from the first span. Waiting is left out:
    it is the gap.

    Args:
        steps: the spans of each step.
    """
    spans = [span for step in steps for span in step]
    origin = min(span.started for span in spans)
    events: list[dict[str, Any]] = [
        {
            "name": "thread_name",
            "ph": "M",
            "pid": 0,
            "tid": engine,
            "args": {"name": f"engine {engine}"},
        }
        for engine in sorted({span.engine for span in spans})
    ]
    for number, step in enumerate(steps):
        events += [
            {
                "name": f"{span.phase} {span.layer}".rstrip(),
                "cat": span.phase,
                "ph": "X",
                "pid": 0,
                "tid": span.engine,
                "ts": (span.started - origin) * 1e6,
                "dur": (span.ended - span.started) * 1e6,
                "args": {"step": number},
            }
            for span in step
            if span.phase != "wait"
        ]
    return {"traceEvents": events, "displayTimeUnit": "ms"}
