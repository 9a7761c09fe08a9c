from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import pytest
from rich.console import Console

from specbp.frames import Frames
from specbp.report.compare import summarise
from specbp.report.terminal import print_summary
from specbp.report.wording import MINUS
from tests.report.conftest import make_cell, make_frames

Make = Callable[..., Any]


def printed(frames: Frames, width: int = 80) -> str:
    file = io.StringIO()
    print_summary(summarise(frames), Console(file=file, width=width))
    return file.getvalue()


@pytest.mark.parametrize("width", [80, 200])
def test_it_is_plain_and_fits(demo: Frames, width: int) -> None:
    text = printed(demo, width)
    assert "\x1b" not in text
    assert max(len(line) for line in text.splitlines()) <= width
    assert "…" not in text


def test_no_number_is_cut_in_80_columns(demo: Frames) -> None:
    text = printed(demo)
    for comparison in summarise(demo).comparisons:
        for arm in comparison.arms:
            for against in (arm.one_thread, arm.equal_resources):
                if hasattr(against, "time"):
                    assert f"[{against.time.low:.3f}, {against.time.high:.3f}]" in text


def test_the_numbers_are_those_of_the_summary(plain: Frames) -> None:
    text = printed(plain)
    for words in (
        "0.700",
        "[0.700, 0.700]",
        "faster",
        "0.800",
        f"{MINUS}2.00",
        f"[{MINUS}4.48, +0.48]",
    ):
        assert words in text


def test_names_are_text_not_markup(cell: Make, gather: Make) -> None:
    lost = cell(schedule="pipelined", columns={"status": "failed", "reason": "[red]no[/red]"})
    text = printed(gather(cell(columns={"arm": "[bold]x"}), lost))
    assert "[bold]x" in text
    assert "[red]no[/red]" in text


def test_failed_cells_are_printed_with_their_reason(demo: Frames) -> None:
    assert "failed: speculative, outcomes, label key, tv<0.25, seed 0" in printed(demo)


def test_cycles_are_printed_where_an_overlay_counted_them() -> None:
    """Kind: a saving that only the page shows, beside the milliseconds of a simulation."""
    step = {"cycles": 1234, "clock_mhz": 100.0}
    cells = [
        make_cell(arithmetic="int16"),
        make_cell(backend="sim:rtl", step_columns=step, columns={"cycles": 24680, "steps": 20}),
    ]
    lines = printed(make_frames(*cells), 200).splitlines()
    assert lines[lines.index("Clock cycles of a step") + 1].endswith("16 lanes: 1,234 (RTL)")
