from __future__ import annotations

from itertools import pairwise

import pytest

from specbp.report.palette import ARM_COLOURS, CORE_COLOURS, GREYS, INK, css_variables, styles


def luminance(colour: str) -> float:
    """Relative luminance, WCAG 2.2."""
    channels = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


@pytest.mark.parametrize("colours", ARM_COLOURS)
def test_every_arm_stands_out_on_light_and_on_dark_paper(colours: tuple[str, str]) -> None:
    _, light, dark = css_variables()["paper"]
    assert contrast(colours[0], light) >= 3
    assert contrast(colours[1], dark) >= 3


def test_every_drawn_colour_becomes_one_variable() -> None:
    drawn = [colour for colour, _, _ in css_variables().values()]
    assert len(set(drawn)) == len(drawn)


def test_two_dozen_arms_all_look_different() -> None:
    found = styles([(f"arm {number}", False) for number in range(24)])
    assert len(set(found.values())) == 24
    assert all(one.marker != other.marker for one, other in pairwise(found.values()))


def test_sequential_arms_are_grey_and_others_are_not() -> None:
    found = styles([("sequential", True), ("pipelined", False), ("sequential", True)])
    greys = {light for light, _ in ARM_COLOURS[:GREYS]}
    assert found["sequential"].colour in greys
    assert found["pipelined"].colour not in greys


@pytest.mark.parametrize("colours", CORE_COLOURS.values(), ids=CORE_COLOURS)
def test_names_of_layers_are_read_on_what_cores_do(colours: tuple[str, str]) -> None:
    if colours == CORE_COLOURS["gate"]:
        return  # too short for a name
    assert contrast(colours[0], INK) >= 4.5
    assert contrast(colours[1], "#e8e8e6") >= 4.5
