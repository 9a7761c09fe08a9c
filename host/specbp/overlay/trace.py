"""What each core does in a step, as a trace that Perfetto and Chrome (chrome://tracing) show."""

from __future__ import annotations

from typing import Any

from specbp.overlay.compiler.program import Compiled
from specbp.overlay.core_cycles import Event
from specbp.overlay.cycles import Prediction
from specbp.overlay.instructions import Unit

ROWS: tuple[Unit | None, ...] = (None, Unit.LOAD, Unit.COMPUTE, Unit.STORE)
"""Of each core: the sequencer, which waits and skips, then its units."""


def overlay_trace(compiled: Compiled, prediction: Prediction, rejects: int) -> dict[str, Any]:
    """Return a step in Chrome's trace event format: a process for each core, a row for each unit.

    A microsecond of the trace is a clock cycle. A descriptor is shown from its start to its
    completion, so the next may begin before it ends; what kept it from starting sooner, and for
    how long, is among its arguments.

    Args:
        compiled: the programs.
        prediction: prediction of their cycles.
        rejects: how many samples the gate rejects in it.
    """
    events: list[dict[str, Any]] = []
    for core, cycles in enumerate(prediction.cores):
        events.append(_named("process_name", core, 0, f"core {core}"))
        for row, unit in enumerate(ROWS):
            name = "sequencer" if unit is None else f"{unit.value} unit"
            events.append(_named("thread_name", core, row, name))
        program = compiled.programs[core]
        events += [_shown(core, one, program[one.position].tag, rejects) for one in cycles.events]
    return {"traceEvents": events, "displayTimeUnit": "ms"}


def _shown(core: int, event: Event, tag: Any, rejects: int) -> dict[str, Any]:
    waited = max(event.started - event.given, 0.0)
    return {
        "name": f"{tag.work} {tag.layer}",
        "cat": tag.work,
        "ph": "X",
        "pid": core,
        "tid": ROWS.index(event.unit),
        "ts": event.started,
        "dur": event.ended - event.started,
        "args": {
            "descriptor": event.position,
            "layer": tag.layer,
            "pass": tag.work,
            "samples": tag.tile,
            "rejected in this step": rejects,
            "waited for": event.waited_for if waited else "nothing",
            "waited, cycles": round(waited),
        },
    }


def _named(kind: str, core: int, row: int, name: str) -> dict[str, Any]:
    return {"name": kind, "ph": "M", "pid": core, "tid": row, "args": {"name": name}}
