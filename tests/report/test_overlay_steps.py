"""Arms on two cores: their picture, their bound and the cycles they took, from frames alone."""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest

from specbp.frames import OVER_BOUND, Frames
from specbp.report.compare import summarise
from specbp.report.drawing import drawing_style
from specbp.report.markdown import render as render_markdown
from specbp.report.overlay_steps import (
    COLUMNS,
    WAITS_FOR_OTHER,
    NotPredicted,
    TwoCoreStep,
    bars,
)
from specbp.report.page import render as render_page
from specbp.report.rows import cores_figure
from specbp.report.tables import DASH, core_bounds_table, core_times_table
from tests.report.conftest import make_cell, make_frames

Make = Callable[..., Any]
GATED = {"schedule": "speculative", "reuse": "replay"}


def arm(cell: Make, cycles: int, rejects: int | None = None, **experiment: Any) -> Any:
    """Make a cell of 20 steps on an overlay, of so many cycles each."""
    clocked = {"cycles": cycles, "clock_mhz": 100.0, "rejects": rejects}
    run = {"cycles": 20 * cycles, "steps": 20, "clock_mhz": 100.0}
    given = {"backend": "sim:rtl", **experiment}
    return cell(columns=run, step_columns=clocked, **given)


@pytest.fixture(scope="module")
def frames() -> Frames:
    """One core, two in sequence, two gated ones in which 4 of 32 are rejected, mostly."""
    gated = arm(make_cell, 300_000, 4, **GATED)
    for step in gated.steps[:5]:
        step |= {"rejects": 32, "cycles": 500_000}
    return make_frames(
        make_cell(),
        arm(make_cell, 490_000),
        arm(make_cell, 262_000, engines=2),
        gated,
        arm(make_cell, 299_000, 4, **GATED, gate_threshold=0.1),
    )


@pytest.fixture(scope="module")
def steps(frames: Frames) -> list[TwoCoreStep]:
    found = [one for comparison in summarise(frames).comparisons for one in comparison.overlay]
    return [one for one in found if isinstance(one, TwoCoreStep)]


def test_arms_on_two_cores_are_predicted_with_their_usual_rejects(steps: Any) -> None:
    sequential, strict, gated = steps
    assert [one.rejects for one in steps] == [None, 4, 4]
    assert gated.method == "speculative, replay, label key, max<0.25, 2 x 16 lanes"
    assert (gated.usual_cycles, gated.mean_cycles) == (300_000, 350_000)
    assert gated.predicted.cycles > gated.accepted.cycles
    assert sequential.predicted is sequential.accepted
    assert strict.predicted is gated.predicted, "the same programs are compiled once"


def test_a_picture_has_every_kind_of_work_in_order_and_without_gaps(steps: Any) -> None:
    step = steps[-1].accepted
    for core, times in enumerate(step.times):
        found = bars(step, core)
        assert found[0].started == 0
        for one, two in pairwise(found):
            assert one.ended == two.started
            assert (one.kind, one.layer) != (two.kind, two.layer)
        end = step.cycles - times.ended
        assert end <= found[-1].ended <= end + step.cycles / COLUMNS
        waited = sum(one.ended - one.started for one in found if one.kind == WAITS_FOR_OTHER)
        assert waited == pytest.approx(times.other_core, abs=0.01 * step.cycles)
    first, second = ({bar.kind for bar in bars(step, core)} for core in (0, 1))
    assert {"forward", "weight gradient", "update", "gate"} <= first
    assert {"deltas", "weight gradient", WAITS_FOR_OTHER} <= second
    forward = [one.layer for one in bars(step, 0) if one.kind == "forward"]
    assert list(dict.fromkeys(forward))[:3] == ["0:Conv2d", "2:MaxPool2d", "3:Conv2d"]


def test_the_same_programs_are_drawn_once(steps: Any) -> None:
    with drawing_style():
        figure = cores_figure(steps).figure
    axes = figure.axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["core 0", "core 1"] * 2
    texts = [text.get_text().replace("\n", " ") for text in axes.texts]
    assert any("and 1 more: 0.5" in text for text in texts)
    assert "3:Conv2d" in texts
    lines: Any = axes.lines
    bounds = [one.accepted.bound_cycles for one in (steps[0], steps[-1])]
    assert [line.get_xdata()[0] for line in lines] == pytest.approx(bounds)


def test_the_table_adds_up_from_the_bound_to_the_prediction(steps: Any) -> None:
    table = core_bounds_table(steps)
    row = dict(zip(table.headings, table.rows[-1], strict=True))

    def number(name: str) -> int:
        found = re.match(r"[+\N{MINUS SIGN}]?[\d,]+", row[name])
        assert found
        return int(found.group().replace(",", "").replace("\N{MINUS SIGN}", "-"))

    parts = [name for name in table.headings if name.startswith("+")]
    total = number("bound") + sum(number(name) for name in parts)
    assert total == pytest.approx(number("= predicted"), abs=3)
    assert number("balanced") <= number("bound") < number("max(F, B)/(F + B)")
    assert (row["rejected samples"], row["as run"]) == ("4", "300,000")
    assert float(row["as run / predicted"]) == pytest.approx(300_000 / number("= predicted"), 1e-3)
    assert table.rows[0][1] == DASH


def test_the_shares_of_a_core_add_up(steps: Any) -> None:
    for row in core_times_table(steps).rows:
        for core in (0, 1):
            shares = [float(words.split(" / ")[core].rstrip("%")) for words in row[1:5]]
            assert sum(shares) == pytest.approx(100, abs=0.3)


def test_page_and_markdown_show_both(frames: Frames) -> None:
    summary = summarise(frames)
    page, text = render_page(frames, summary, "x"), render_markdown(summary, "x")
    assert page.count("A step on two cores of the overlay") == 3, "heading, figure, how to read"
    assert "var(--core-weight-gradient)" in page and ">3:Conv2d</text>" in page
    for words in ("Two cores: from the bound", "Two cores: where the cycles go"):
        assert words in page
    for words in ("Two cores, from the bound", "Two cores, where the cycles go", "max(F, B)/"):
        assert words in text
    for rendered in (page, text):
        assert "Two cores of the overlay" in rendered


def test_the_bound_of_an_arm_is_that_of_its_cycles(frames: Frames, steps: Any) -> None:
    """What frames have of an arm of sim:model is the bound of the passes on the host."""
    bounds = {arm.name: arm.bound for one in summarise(frames).comparisons for arm in one.arms}
    for one in steps:
        assert bounds[one.arm] == one.predicted.bound
    assert steps[-1].predicted.bound != 0.6


def test_what_the_simulation_took_beyond_its_bound_is_not_shown(cell: Make, gather: Make) -> None:
    over = {"bound_ms": 1.0, **{f"over_{account}_ms": 0.1 for account in OVER_BOUND}}
    made = arm(cell, 300_000, 4, **GATED, model="networks:mine", backend="sim:model")
    made.run |= over
    on_host = cell(**GATED, arithmetic="int16", model="networks:mine", columns=over)
    host, simulated = summarise(gather(made, on_host)).comparisons[0].arms
    assert (simulated.bound, simulated.over_bound) == (None, None)
    assert host.over_bound is not None and host.bound == 0.6


def test_arms_without_two_cores_show_nothing(plain: Frames, cell: Make, gather: Make) -> None:
    one_core = gather(cell(), arm(cell, 490_000))
    for found in (plain, one_core):
        summary = summarise(found)
        assert not any(comparison.overlay for comparison in summary.comparisons)
        assert "Two cores" not in render_page(found, summary, "x")
        assert "Two cores" not in render_markdown(summary, "x")


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"model": "networks:mine"}, "the frames do not hold the network of networks:mine"),
        ({"lanes": None}, "neither clock nor lanes"),
        ({"model": "lenet5"}, "its programs cannot be compiled again: "),
    ],
)
def test_what_cannot_be_predicted_is_said(
    changed: dict[str, Any], words: str, cell: Make, gather: Make
) -> None:
    """LeNet-5 does not take the digits' 8x8 pixels."""
    made = arm(cell, 262_000, engines=2)
    made.run |= changed
    frames = gather(made)
    summary = summarise(frames)
    (found,) = summary.comparisons[0].overlay
    assert isinstance(found, NotPredicted)
    assert words in found.reason
    page = render_page(frames, summary, "x")
    assert words in page
    assert "A step on two cores of the overlay" not in page


def test_steps_without_cycles_are_not_guessed(cell: Make, gather: Make) -> None:
    made = arm(cell, 262_000, engines=2)
    made.steps[3]["cycles"] = None
    (found,) = summarise(gather(made)).comparisons[0].overlay
    assert isinstance(found, NotPredicted)
    assert "not every step" in found.reason
