"""The legend of a figure as a list in the page: it wraps, and is never cut.

A figure comes as a `Drawing`, with a `Key` for each kind of mark in it.
"""

from __future__ import annotations

from dataclasses import dataclass
from xml.sax.saxutils import quoteattr

from matplotlib.figure import Figure
from matplotlib.markers import MarkerStyle

from specbp.report.palette import INK, PAPER, Style
from specbp.report.svg import coloured

WIDTH, HEIGHT = 30.0, 12.0
"""Size of a swatch, pixels."""


@dataclass(frozen=True)
class Key:
    """What one kind of mark in a figure means.

    Attributes:
        label: meaning of the mark.
        colour: colour of line, mark and outline.
        marker: matplotlib's letter of the mark; empty for none.
        size: width of the mark, pixels.
        edge: width of the mark's outline, pixels.
        face: colour inside the mark; the mark's own colour where None.
        line: width of the line, pixels; 0 for none.
        dash: matplotlib's dash pattern of the line; empty for a solid one.
        patch: whether the mark is a filled box.
    """

    label: str
    colour: str = INK
    marker: str = ""
    size: float = 7.0
    edge: float = 1.2
    face: str | None = None
    line: float = 0.0
    dash: tuple[float, ...] | str = ""
    patch: bool = False


@dataclass(frozen=True)
class Drawing:
    """A figure and its legend."""

    figure: Figure
    keys: tuple[Key, ...]


def arm_key(name: str, style: Style, line: float = 1.8) -> Key:
    """Return the key of an arm that is drawn in `style`."""
    return Key(name, style.colour, style.marker, line=line, dash=style.dash)


def swatch(key: Key) -> str:
    """Return the mark of `key` as SVG markup, `WIDTH` by `HEIGHT` pixels."""
    parts = []
    if key.patch:
        style = f"fill:{key.colour};stroke:{INK};stroke-width:0.5"
        parts.append(_path(f"M8 1H22V{HEIGHT - 1:g}H8Z", style))
    if key.line:
        style = f"stroke:{key.colour};stroke-width:{key.line:g}"
        if key.dash:
            style += (
                f";stroke-dasharray:{','.join(f'{key.line * float(on):.3g}' for on in key.dash)}"
            )
        parts.append(_path(f"M1 {HEIGHT / 2:g}H{WIDTH - 1:g}", style))
    if key.marker:
        face = key.face or key.colour
        style = f"fill:{face};stroke:{key.colour};stroke-width:{key.edge:g}"
        parts.append(_path(_marker_path(key.marker, key.size), style))
    return coloured("".join(parts))


def hollow(colour: str = INK, label: str = "") -> Key:
    """Return the key of a hollow round mark on an interval."""
    return Key(label, colour, "o", face=PAPER, edge=1.5, line=2.2)


def _path(data: str, style: str) -> str:
    return f"<path d={quoteattr(data)} style={quoteattr(style)}/>"


def _marker_path(marker: str, size: float) -> str:
    """Return the outline of matplotlib's `marker` in the middle of a swatch."""
    x, y = WIDTH / 2, HEIGHT / 2
    if marker == "o":
        r = size / 2
        return f"M{x - r:g} {y:g}a{r:g} {r:g} 0 1 0 {size:g} 0a{r:g} {r:g} 0 1 0-{size:g} 0Z"
    shape = MarkerStyle(marker)
    outline = shape.get_path().transformed(shape.get_transform())
    words = []
    letters = {1: "M", 2: "L", 3: "Q", 4: "C", 79: "Z"}
    for vertices, code in outline.iter_segments(curves=True, simplify=False):
        letter = letters[int(code)]
        points = [] if letter == "Z" else list(vertices)
        pairs = zip(points[::2], points[1::2], strict=True)
        words.append(
            letter + " ".join(f"{x + size * px:.1f} {y - size * py:.1f}" for px, py in pairs)
        )
    return "".join(words)
