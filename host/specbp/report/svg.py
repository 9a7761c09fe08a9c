"""A matplotlib figure as inline SVG: small, in the colours and the font of its page.

Marks carry their numbers: the id of an artist that begins with `TIP` becomes the ``<title>`` of
what is drawn for it.
"""

from __future__ import annotations

import io
import re
from collections import Counter
from collections.abc import Sequence
from itertools import count
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from matplotlib.artist import Artist
from matplotlib.figure import Figure

from specbp.report.drawing import drawing_style
from specbp.report.palette import INK, css_variables

TIP = "tip:"
"""How the id of an artist begins that has words to show when it is pointed at."""

_NAMESPACE = re.compile(r"\{[^}]*\}")
_SHAPE = re.compile(r'<defs><path id="([\w-]+)"([^<>]*)/></defs>')
_DEFAULTS = {
    "font-size": "11px",
    "stroke-linejoin": None,
    "stroke-linecap": None,
    "stroke-opacity": "1",
}
"""Parts of a style that the style sheet of the page has already; None stands for any value."""


def with_tip(artist: Artist, words: str) -> None:
    """Let `artist` show `words` when it is pointed at."""
    artist.set_gid(f"{TIP}{words}")


def inline_svg(figure: Figure, name: str, title: str) -> str:
    """Return `figure` as an ``<svg>`` element for use inside a page.

    Args:
        figure: drawn under `drawing_style`.
        name: prefix of every id in the element, unique within the page.
        title: what a screen reader says in place of the figure.
    """
    buffer = io.StringIO()
    with drawing_style(svg_hashsalt=name):
        figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None})
    drawn = ElementTree.fromstring(buffer.getvalue())
    root = Element("svg", {"viewBox": _short(drawn.get("viewBox", "")), "role": "img"})
    label = ElementTree.SubElement(root, "title")
    label.text = title
    clips = _clip_boxes(drawn)
    for child in drawn:
        root.extend(_rewritten(child, "", clips))
    _join_paths(root)
    _rename_ids(root, name)
    return ElementTree.tostring(root, encoding="unicode").replace(" />", "/>")


def shared_styles(elements: Sequence[str]) -> tuple[str, list[str]]:
    """Replace the styles in `elements` by classes that they share.

    Returns:
        The rules of the classes, and the elements.
    """
    found = Counter(style for text in elements for style in re.findall(r' style="([^"]*)"', text))
    names = {style: f"s{number}" for number, (style, _) in enumerate(found.most_common())}
    rules = "".join(f".{name}{{{style}}}" for style, name in names.items())
    return rules, [
        re.sub(r' style="([^"]*)"', lambda match: f' class="{names[match[1]]}"', text)
        for text in elements
    ]


def shared_shapes(figures: Sequence[str]) -> tuple[str, list[str]]:
    """Let `figures` share the shapes that they define for their marks.

    Returns:
        The definitions, and the figures without them.
    """
    names: dict[str, str] = {}
    rewritten = []
    for text in figures:
        own: dict[str, str] = {}
        for name, rest in _SHAPE.findall(text):
            own[name] = names.setdefault(rest, f"m{len(names)}")
        text = _SHAPE.sub("", text)
        rewritten.append(
            re.sub(
                r'href="#([\w-]+)"',
                lambda found, own=own: f'href="#{own.get(found[1], found[1])}"',  # type: ignore[misc]
                text,
            )
        )
    return "".join(f'<path id="{name}"{rest}/>' for rest, name in names.items()), rewritten


def coloured(text: str) -> str:
    """Return `text` with the colours of figures as variables of the page."""
    text = text.replace(INK, "currentColor")
    for variable, (colour, _, _) in css_variables().items():
        text = text.replace(colour, f"var(--{variable})")
    return text


Box = tuple[float, float, float, float]


def _clip_boxes(drawn: Element) -> dict[str, Box]:
    """Return the rectangle of each clip path, by its id: left, top, right, bottom."""
    boxes = {}
    for clip in drawn.iter():
        if _name(clip) == "clipPath" and len(clip):
            x, y, width, height = (
                float(clip[0].get(key, 0)) for key in ("x", "y", "width", "height")
            )
            boxes[clip.get("id", "")] = (x, y, x + width, y + height)
    return boxes


def _rewritten(node: Element, tip: str, clips: dict[str, Box]) -> list[Element]:
    """Return what is left of `node`: nothing invisible, and no group that only groups."""
    name = _name(node)
    if name in ("metadata", "style"):
        return []
    gid = node.get("id", "")
    tip = gid.removeprefix(TIP) if gid.startswith(TIP) else tip
    children = [kept for child in node for kept in _rewritten(child, tip, clips)]
    if name == "defs" and not children:
        return []
    made = Element(name)
    for key, value in node.attrib.items():
        _copy(made, _name_of(key), value)
    made.text = node.text if name == "text" else None
    if made.get("style") == "fill:none" and name == "path":
        return []
    if name in ("g", "text") and made.get("id"):
        del made.attrib["id"]
    made.extend(children)
    if _inside_clip(made, clips):
        del made.attrib["clip-path"]
    if name == "g" and not (made.attrib and children):
        return children
    if tip and name in ("path", "use") and not made.get("id"):
        words = ElementTree.SubElement(made, "title")
        words.text = tip
    return [made]


def _copy(made: Element, key: str, value: str) -> None:
    match key:
        case "version":
            return
        case "style":
            style = _style(value)
            if style:
                made.set(key, style)
            return
        case "d":
            made.set(key, _path(value))
            return
        case "transform" if re.match(r"rotate\(-0[ )]", value):
            return
        case "transform":
            made.set(key, _short(value))
            return
    made.set(key, _short(value) if re.fullmatch(r"-?[\d.]+", value) else value)


def _style(value: str) -> str:
    parts: dict[str, str] = {}
    for entry in value.split(";"):
        key, colon, word = entry.partition(":")
        if colon:
            parts[key.strip()] = word.strip()
    parts.pop("font-family", None)
    if "font" in parts:  # matplotlib's shorthand: "bold 11px 'DejaVu Sans'"
        font = parts.pop("font")
        size = re.search(r"[\d.]+px", font)
        parts["font-size"] = size.group() if size else "11px"
        for word in ("bold", "italic"):
            if word in font.split():
                parts["font-weight" if word == "bold" else "font-style"] = word
    kept = {
        key: word
        for key, word in parts.items()
        if key not in _DEFAULTS or _DEFAULTS[key] not in (None, word)
    }
    if "text-anchor" in kept or "font-size" in parts:
        kept.pop("fill", None)
    return coloured(";".join(f"{key}:{word}" for key, word in kept.items()))


def _path(value: str) -> str:
    """Return path data to a tenth of a pixel, lines along an axis as such."""
    pieces = re.findall(r"([MLCQZz])([^MLCQZz]*)", value)
    words, last = [], ("", "")
    for letter, numbers in pieces:
        found = [_short(number) for number in numbers.split()]
        if letter == "L" and found[1] == last[1]:
            words.append(f"H{found[0]}")
        elif letter == "L" and found[0] == last[0]:
            words.append(f"V{found[1]}")
        else:
            words.append(letter + " ".join(found))
        last = (found[-2], found[-1]) if found else last
    return "".join(words)


def _short(text: str) -> str:
    """Return `text` with every number to one decimal."""
    return re.sub(r"-?\d+\.\d+", lambda match: f"{float(match[0]):.1f}".removesuffix(".0"), text)


def _inside_clip(made: Element, clips: dict[str, Box]) -> bool:
    """Return whether nothing of `made` is cut off by its clip path."""
    match = re.fullmatch(r"url\(#(.*)\)", made.get("clip-path", ""))
    if not match:
        return False
    left, top, right, bottom = clips[match[1]]
    slack = 0.2
    xs, ys = [left], [top]
    for node in made.iter():
        if node.tag == "use":
            xs.append(float(node.get("x", 0)))
            ys.append(float(node.get("y", 0)))
        elif node.tag == "path" and not node.get("id"):
            more_xs, more_ys = _corners(node.get("d", ""))
            xs += more_xs
            ys += more_ys
    return (
        min(xs) >= left - slack
        and max(xs) <= right + slack
        and min(ys) >= top - slack
        and max(ys) <= bottom + slack
    )


def _corners(path: str) -> tuple[list[float], list[float]]:
    xs, ys = [0.0], [0.0]
    for letter, numbers in re.findall(r"([MLHVCQZz])([^MLHVCQZz]*)", path):
        values = [float(number) for number in numbers.split()]
        if letter == "H":
            xs += values
        elif letter == "V":
            ys += values
        else:
            xs += values[::2]
            ys += values[1::2]
    return xs[1:], ys[1:]


def _join_paths(root: Element) -> None:
    """Draw neighbouring lines of one style, such as those of a grid, as one path."""
    for parent in root.iter():
        grid: Element | None = None
        last: Element | None = None
        for child in list(parent):
            plain = child.tag == "path" and not len(child) and set(child.attrib) == {"d", "style"}
            if plain and "fill:none" in child.get("style", ""):
                style = child.get("style")
                into = last if last is not None and last.get("style") == style else None
                if "var(--faint)" in str(style):
                    into = grid
                    grid = child if grid is None else grid
                if into is not None:
                    into.set("d", into.get("d", "") + child.get("d", ""))
                    parent.remove(child)
                    continue
                last = child
            elif child.tag not in ("text", "defs"):
                last = None


def _rename_ids(root: Element, name: str) -> None:
    """Give every id that is referred to a short name of its own, and drop the others."""
    used = set()
    for node in root.iter():
        used |= set(re.findall(r"#([\w-]+)", f"{node.get('href', '')} {node.get('clip-path', '')}"))
    numbers = count()
    names = {}
    for node in root.iter():
        gid = node.get("id")
        if gid is not None and gid in used:
            names[gid] = f"{name}-{next(numbers)}"
            node.set("id", names[gid])
        elif gid is not None:
            del node.attrib["id"]
    for node in root.iter():
        for key in ("href", "clip-path"):
            value = node.get(key)
            if value:
                node.set(key, re.sub(r"#([\w-]+)", lambda found: f"#{names[found[1]]}", value))
    for parent in root.iter():
        for child in list(parent):
            if child.tag == "defs":
                for unused in [one for one in child if one.get("id") is None]:
                    child.remove(unused)


def _name(node: Element) -> str:
    return _name_of(node.tag)


def _name_of(qualified: str) -> str:
    return _NAMESPACE.sub("", qualified)
