"""Legends as lists in the page: every mark of a figure is there, in its own look."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest

from specbp.report.legends import Key, swatch
from specbp.report.palette import MARKERS, styles


@pytest.mark.parametrize("marker", [*MARKERS, "|"])
def test_every_marker_has_an_outline_inside_its_swatch(marker: str) -> None:
    root = ElementTree.fromstring(f"<svg>{swatch(Key('a', marker=marker))}</svg>")
    (path,) = root.findall("path")
    numbers = [float(word) for word in re.findall(r"-?[\d.]+", path.get("d", ""))]
    assert len(numbers) >= 4
    assert all(-12 <= number <= 30 for number in numbers)


def test_arms_that_differ_in_dash_or_marker_have_other_swatches() -> None:
    """Kind: a legend in which two arms look the same."""
    looks = styles([(f"arm {number}", False) for number in range(24)])
    drawn = {
        swatch(Key(name, look.colour, look.marker, line=1.8, dash=look.dash))
        for name, look in looks.items()
    }
    assert len(drawn) == 24


def test_colours_follow_the_page() -> None:
    drawn = swatch(Key("a", "#0072b2", "o", line=1.8))
    assert "var(--arm-2)" in drawn
    assert "#" not in drawn
