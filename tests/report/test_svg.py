from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest
from matplotlib.figure import Figure

from specbp.report.drawing import drawing_style
from specbp.report.palette import ARM_COLOURS, css_variables
from specbp.report.svg import inline_svg

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
