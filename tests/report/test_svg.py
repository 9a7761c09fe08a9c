from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest
from matplotlib.figure import Figure

from specbp.report.drawing import drawing_style
from specbp.report.palette import ARM_COLOURS, css_variables
from specbp.report.svg import inline_svg, shared_shapes, shared_styles, with_tip

NAME = 'a < b & "c" $x$ #1b1b1b 0.12345'


@pytest.fixture
def drawn() -> str:
    with drawing_style():
        figure = Figure(figsize=(4, 3))
        axes = figure.add_subplot()
        axes.plot([1.0, 2.0], [0.125, 0.375], "o-", color=ARM_COLOURS[2][0])
        axes.set_yticks([0.125, 0.375])
        axes.set_xlabel(NAME)
        return inline_svg(figure, "fig", NAME)


def test_it_is_well_formed_and_text_stays_text(drawn: str) -> None:
    root = ElementTree.fromstring(drawn)
    texts = ["".join(node.itertext()) for node in root.iter("text")]
    assert NAME in texts
    assert root.findtext("title") == NAME


def test_numbers_on_the_axes_keep_their_digits(drawn: str) -> None:
    root = ElementTree.fromstring(drawn)
    assert "0.125" in ["".join(node.itertext()) for node in root.iter("text")]


def test_colours_follow_the_page(drawn: str) -> None:
    styles = " ".join(re.findall(r'style="[^"]*"', drawn))
    assert "currentColor" in styles
    assert "var(--arm-2)" in styles
    assert not re.search(r"#[0-9a-f]{6}", styles)
    assert set(re.findall(r"var\(--([\w-]+)\)", styles)) <= set(css_variables())


def test_nothing_in_it_reaches_outside_itself(drawn: str) -> None:
    assert "http" not in drawn
    assert "<style" not in drawn
    assert "<metadata" not in drawn
    ids = set(re.findall(r'\sid="([^"]+)"', drawn))
    assert ids
    assert all(name.startswith("fig-") for name in ids)
    assert set(re.findall(r'(?:href="|url\()#([\w-]+)', drawn)) <= ids
    assert "font-family" not in drawn


def test_the_same_figure_gives_the_same_text() -> None:
    def once() -> str:
        with drawing_style():
            figure = Figure(figsize=(2, 2))
            figure.add_subplot().plot([1, 2], [3, 4], "o-")
            return inline_svg(figure, "fig", "title")

    assert once() == once()


def figure_with_tip() -> Figure:
    figure = Figure(figsize=(3, 2))
    axes = figure.add_subplot()
    (mark,) = axes.plot([1.0], [2.0], "o", color=ARM_COLOURS[2][0])
    with_tip(mark, NAME)
    axes.plot([0, 1, 2], [0, 3, 1], color=ARM_COLOURS[3][0])
    return figure


def test_a_mark_carries_its_words() -> None:
    with drawing_style():
        root = ElementTree.fromstring(inline_svg(figure_with_tip(), "fig", "title"))
    (mark,) = [node for node in root.iter("use") if node.find("title") is not None]
    assert mark.findtext("title") == NAME


def test_all_lines_of_a_grid_are_drawn() -> None:
    """Kind: lines lost where several are drawn as one path."""
    with drawing_style():
        figure = Figure(figsize=(3, 2))
        axes = figure.add_subplot()
        axes.plot([0, 4], [0, 1], color=ARM_COLOURS[2][0])
        axes.set_xticks([0, 1, 2, 3, 4])
        axes.set_yticks([0, 1])
        drawn = inline_svg(figure, "fig", "title")
    grid = [
        found
        for found in re.findall(r'<path d="([^"]*)"[^>]*style="([^"]*)"', drawn)
        if "var(--faint)" in found[1]
    ]
    assert sum(data.count("M") for data, _ in grid) == 7


def test_figures_share_their_styles_and_shapes() -> None:
    with drawing_style():
        drawn = [inline_svg(figure_with_tip(), f"f{number}", "title") for number in range(3)]
    rules, rewritten = shared_styles(drawn)
    shapes, rewritten = shared_shapes(rewritten)
    text = "".join(rewritten)
    assert "style=" not in text and "<defs>" not in text
    classes = set(re.findall(r'class="(\w+)"', text + shapes))
    assert classes and all(f".{name}{{" in rules for name in classes)
    shared = set(re.findall(r' id="(\w+)"', shapes))
    assert set(re.findall(r'href="#([\w-]+)"', text)) == shared
    assert len(shared) == 1


def test_what_leaves_its_axes_is_still_cut_off_there() -> None:
    with drawing_style():
        figure = figure_with_tip()
        figure.axes[0].set_ylim(0, 1)
        drawn = inline_svg(figure, "fig", "title")
    assert "clip-path" in drawn
    with drawing_style():
        assert "clip-path" not in inline_svg(figure_with_tip(), "fig", "title")
