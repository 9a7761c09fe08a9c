"""Colours of a report: readable on light and dark paper, and told apart by colour-blind eyes.

The hues follow Okabe and Ito (Color Universal Design, 2008), darkened on light paper and
lightened on dark paper until lines keep a contrast of 3 to 1. No figure rests on colour alone:
arms also differ in marker and dash, parts of a bar in their order.

Figures are drawn with the light colours; in the page each becomes a CSS variable, so that one
SVG serves both modes.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

INK = "#1b1b1b"
PAPER = "#ffffff"
FAINT = "#d7d7d7"

ARM_COLOURS = (
    ("#3d3d3d", "#e4e4e4"),
    ("#7a7a7a", "#9b9b9b"),
    ("#0072b2", "#56b4e9"),
    ("#d55e00", "#ff8f4a"),
    ("#00795c", "#2cc79a"),
    ("#b0478c", "#e48fc3"),
    ("#9a6f00", "#e8b923"),
    ("#5b3fb0", "#a996ff"),
)
"""Light and dark; the first two are greys, for sequential arms."""

PART_COLOURS = {
    "load": ("#8ccbee", "#8ccbef"),
    "forward": ("#0072b3", "#2b83bd"),
    "gate": ("#cc79a7", "#cc79a8"),
    "backward": ("#d55e01", "#d9691a"),
    "redo": ("#f0c541", "#e3b93b"),
    "update": ("#009e73", "#12a37c"),
    "recall": ("#8a6bbf", "#a48be0"),
    "store": ("#5b3f9a", "#7d5fc4"),
    "wait": ("#c6c6c6", "#4d5257"),
    "rest": ("#fdfdfd", "#16191d"),
}
"""Light and dark colour of each part of a step."""

OVER_COLOURS = {
    "bound": ("#dedede", "#33383d"),
    "contention": ("#d55e02", "#d9691b"),
    "imbalance": ("#8ccbed", "#8ccbec"),
    "gate": ("#cc79a9", "#cc79aa"),
    "rejects": ("#f0c542", "#e3b93c"),
    "cache upkeep": ("#8a6bc0", "#a48be1"),
    "synchronisation": ("#0072b4", "#2b83be"),
    "load, update": ("#009e74", "#12a37d"),
}
"""Light and dark colour of each part between the bound and the mean step."""

CORE_COLOURS = {
    "forward": ("#8fc1e8", "#1d5c88"),
    "deltas": ("#f5ae78", "#8f4410"),
    "weight gradient": ("#f3d873", "#6f5a0c"),
    "update": ("#7fcfaf", "#1d6b52"),
    "gate": ("#c0509a", "#c9629f"),
    "waits for the other core": ("#b9b9b9", "#5a6066"),
    "waits for memory, barriers": ("#fcfcfc", "#16191e"),
}
"""Light and dark colour of what a core of the overlay does; names of layers are read on them."""

GREYS = 2
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
DASHES: tuple[tuple[float, ...] | str, ...] = ("", (5, 1.5), (1.5, 1.2), (6, 1.5, 1.5, 1.5))


@dataclass(frozen=True)
class Style:
    """How an arm looks in every figure: a light colour, a marker and a dash pattern."""

    colour: str
    marker: str
    dash: tuple[float, ...] | str


def styles(arms: Iterable[tuple[str, bool]]) -> dict[str, Style]:
    """Give every arm (name, sequential) a style, the same in every figure of the report.

    Colours, markers and dashes repeat after different numbers of arms, so that two arms share a
    colour long before they share a style.
    """
    found: dict[str, Style] = {}
    counts = {True: 0, False: 0}
    for name, sequential in arms:
        if name in found:
            continue
        number = counts[sequential]
        counts[sequential] += 1
        hues = ARM_COLOURS[:GREYS] if sequential else ARM_COLOURS[GREYS:]
        found[name] = Style(
            colour=hues[number % len(hues)][0],
            marker=MARKERS[len(found) % len(MARKERS)],
            dash=DASHES[number // len(hues) % len(DASHES)],
        )
    return found


def css_variables() -> dict[str, tuple[str, str, str]]:
    """Return for every CSS variable the colour it replaces in a figure, and light and dark."""
    table = {"paper": (PAPER, PAPER, "#16191d"), "faint": (FAINT, FAINT, "#3a3f45")}
    for number, (light, dark) in enumerate(ARM_COLOURS):
        table[f"arm-{number}"] = (light, light, dark)
    for name, (light, dark) in PART_COLOURS.items():
        table[f"part-{name}"] = (light, light, dark)
    for name, (light, dark) in OVER_COLOURS.items():
        table[f"over-{name.replace(', ', '-').replace(' ', '-')}"] = (light, light, dark)
    for name, (light, dark) in CORE_COLOURS.items():
        table[f"core-{name.replace(', ', '-').replace(' ', '-')}"] = (light, light, dark)
    return table


RC: Any = {
    "svg.fonttype": "none",
    "text.parse_math": False,
    "font.family": "DejaVu Sans",
    "font.size": 11,
    "axes.titlesize": 11,
    "axes.labelsize": 11,
    "xtick.labelsize": 11,
    "ytick.labelsize": 11,
    "legend.fontsize": 11,
    "legend.frameon": False,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "xtick.major.size": 0,
    "xtick.minor.size": 0,
    "ytick.major.size": 0,
    "ytick.minor.size": 0,
    "grid.color": FAINT,
    "grid.linewidth": 0.6,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.8,
    "figure.facecolor": "none",
    "axes.facecolor": "none",
}
"""How matplotlib draws: text as text, ink for text and axes, no frame."""
