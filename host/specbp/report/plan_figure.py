"""A plan as a picture: what each engine does in a step, and when."""

from __future__ import annotations

from pathlib import Path

from matplotlib.figure import Figure
from matplotlib.patches import Patch

from specbp.plan.tasks import Kind, Plan
from specbp.plan.timetable import Entry, length
from specbp.report.drawing import drawing_style
from specbp.report.palette import CORE_COLOURS, INK, PAPER, PART_COLOURS

_PART: dict[Kind, str] = {
    "load": "load",
    "forward": "forward",
    "lookup": "recall",
    "refresh": "recall",
    "gate": "gate",
    "input_grad": "backward",
    "redo": "redo",
    "weight_grad": "weight gradient",
    "reduce_grad": "update",
    "update": "update",
    "commit": "store",
}
_LABELS = {
    "load": "load", "forward": "forward", "recall": "lookup, refresh", "gate": "gate",
    "backward": "input gradient", "redo": "redo", "weight gradient": "weight gradient",
    "update": "update", "store": "commit",
}  # fmt: skip
_LEAST_SHARE = 0.1
"""A bar of less than that share of the step has no room for the name of its layer."""


def draw_plan(
    plan: Plan, entries: list[Entry], bound: float, alone: float, title: str, path: Path
) -> None:
    """Write the picture of a step to `path`; its suffix says how: .svg, .png or .pdf.

    Args:
        plan: plan of the step.
        entries: when its tasks run.
        bound: the least time of the step, in the same unit.
        title: what is shown.
        alone: time of the sequential step on one engine, in the same unit.
        path: file to write.
    """
    whole = length(entries) / alone
    with drawing_style():
        figure = Figure(figsize=(9, 1.3 + 0.75 * plan.engines))
        axes = figure.add_subplot()
        used: list[str] = []
        for entry in entries:
            task = plan.tasks[entry.task]
            part = _PART[task.kind]
            started, width = entry.started / alone, (entry.ended - entry.started) / alone
            if width <= 0:
                continue
            used.append(part)
            axes.barh(
                entry.engine, width, left=started, height=0.72, edgecolor=INK, linewidth=0.5,
                color=_colour(part), zorder=2,
            )  # fmt: skip
            if task.kind != "update" and task.node >= 0 and width > _LEAST_SHARE * whole:
                name = plan.outline.nodes[task.node].name
                middle = started + width / 2
                axes.text(middle, entry.engine, name, ha="center", va="center", fontsize=8)
        axes.axvline(bound / alone, color=INK, linewidth=1.2, linestyle=(0, (4, 2)), zorder=3)
        axes.set_yticks(range(plan.engines), [f"engine {one}" for one in range(plan.engines)])
        axes.invert_yaxis()
        axes.set_xlim(0, whole * 1.01)
        axes.grid(visible=False)
        axes.set_xlabel("time over that of the sequential step on one engine; dashed: the bound")
        axes.set_title(title, loc="left")
        handles = [
            Patch(facecolor=_colour(part), edgecolor=INK, label=label)
            for part, label in _LABELS.items()
            if part in used
        ]
        axes.legend(
            handles=handles, loc="upper center", ncols=5, frameon=False,
            bbox_to_anchor=(0.5, -0.36 / (0.3 + 0.35 * plan.engines)),
        )  # fmt: skip
        figure.savefig(path, bbox_inches="tight", facecolor=PAPER, dpi=150)


def _colour(part: str) -> str:
    return CORE_COLOURS["deltas"][0] if part == "weight gradient" else PART_COLOURS[part][0]
