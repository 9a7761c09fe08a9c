"""A matplotlib figure as inline SVG that follows the colours and the font of its page."""

from __future__ import annotations

import io
import re
from xml.sax.saxutils import escape

from matplotlib.figure import Figure

from specbp.report.drawing import drawing_style
from specbp.report.palette import INK, css_variables


def inline_svg(figure: Figure, name: str, title: str) -> str:
    """Return `figure` as an ``<svg>`` element for use inside a page.

    Args:
        figure: drawn under `drawing_style`.
        name: prefix of every id in it, unique within the page.
        title: what a screen reader says in place of the figure.
    """
    buffer = io.StringIO()
    with drawing_style(svg_hashsalt=name):
        figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None})
    drawn = _without_ballast(buffer.getvalue())
    drawn = re.sub(r"<[^>]*>", lambda tag: _tag(tag.group(), name), drawn)
    return _labelled(drawn, title)


def _without_ballast(drawn: str) -> str:
    """Drop the prologue, the metadata and the ``<style>``, which would apply to the whole page."""
    drawn = drawn[drawn.index("<svg") :]
    drawn = re.sub(r"<metadata>.*?</metadata>", "", drawn, flags=re.DOTALL)
    drawn = re.sub(r"<defs>\s*<style.*?</style>\s*</defs>", "", drawn, flags=re.DOTALL)
    return re.sub(r">\s+<", "><", drawn)


def _tag(tag: str, name: str) -> str:
    """Rewrite one tag: short, with ids of its own, in the colours and the font of the page."""
    tag = re.sub(r'\s(?:xmlns(?::xlink)?|version)="[^"]*"', "", tag)
    tag = re.sub(r'\sid="(?:\w+_\d+|matplotlib\.\w+)"', "", tag)
    tag = re.sub(r'\sid="', f' id="{name}-', tag)
    tag = re.sub(r'\s(?:xlink:)?href="#', f' href="#{name}-', tag)
    tag = tag.replace("url(#", f"url(#{name}-")
    tag = re.sub(r"font-family: [^;\"]*(?:;\s?)?", "", tag)
    tag = re.sub(r"font: ([\d.]+px) [^;\"]*", r"font-size: \1", tag)
    tag = re.sub(r'\stransform="rotate\(-0 [^)]*\)"', "", tag)
    tag = re.sub(r"(\d\.\d{2})\d+", r"\1", tag)
    tag = re.sub(r"\s+", " ", tag).replace(INK, "currentColor")
    for variable, (colour, _, _) in css_variables().items():
        tag = tag.replace(colour, f"var(--{variable})")
    return tag


def _labelled(drawn: str, title: str) -> str:
    opening = drawn[: drawn.index(">") + 1]
    box = re.search(r'viewBox="[^"]*"', opening)
    assert box, "matplotlib gives every figure a view box"
    return f'<svg {box.group()} role="img"><title>{escape(title)}</title>{drawn[len(opening) :]}'
