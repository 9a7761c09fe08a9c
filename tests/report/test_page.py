from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable
from html.parser import HTMLParser
from typing import Any

import pytest

from specbp.frames import Frames
from specbp.report.compare import summarise
from specbp.report.page import render
from tests.report.conftest import make_demo, make_frames

Make = Callable[..., Any]
HOSTILE = '<script>alert(1)</script> "><img src=http://evil.example/x> $x$ | `y` {{ 7*7 }}'


class Page(HTMLParser):
    """Tags, attributes and text of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]

    def handle_data(self, data: str) -> None:
        self.text += data

    def values(self, name: str) -> list[str]:
        return [value for _, found, value in self.attributes if found == name]


def page_of(frames: Frames, title: str = "A report") -> str:
    return render(frames, summarise(frames), title)


@pytest.fixture(scope="module")
def shown(demo: Frames) -> str:
    return page_of(demo)


def test_nothing_is_fetched_from_anywhere(shown: str) -> None:
    page = Page(shown)
    for name in ("src", "href", "xlink:href", "action", "data", "srcset", "poster"):
        for value in page.values(name):
            assert re.match(r"#|data:,|https://doi\.org/10\.", value), value
    assert not {"iframe", "img", "object", "embed", "form"} & set(page.tags)
    assert "@import" not in shown
    assert not re.search(r"url\((?!#)", shown)
    assert "default-src 'none'" in shown


def test_the_one_script_is_allowed_by_its_hash_and_nothing_else_is(shown: str) -> None:
    """Kind: a page that runs whatever gets into it."""
    (script,) = re.findall(r"<script>(.*?)</script>", shown, flags=re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    (policy,) = re.findall(r'Content-Security-Policy" content="([^"]*)"', shown)
    assert f"script-src 'sha256-{digest}'" in policy.replace("&#39;", "'")
    assert "unsafe-eval" not in policy
    assert not re.search(r"\son\w+=", re.sub(r"<script>.*?</script>", "", shown, flags=re.DOTALL))


def test_a_long_page_stays_small() -> None:
    """Kind: a report that grows with its matrix: 16 comparisons of 5 arms, 10 epochs, 3 seeds."""
    cells = [cell for size in range(16) for cell in make_demo(batch_size=2 + size)]
    page = page_of(make_frames(*cells))
    assert len(Page(page).values("id")) > 16
    assert len(page.encode()) < 300_000


def test_ids_are_unique_and_links_inside_lead_somewhere(shown: str) -> None:
    page = Page(shown)
    ids = page.values("id")
    assert len(set(ids)) == len(ids)
    inside = {value[1:] for value in page.values("href") if value.startswith("#")}
    assert inside <= set(ids)


def test_every_colour_is_defined_for_light_and_dark(shown: str) -> None:
    used = set(re.findall(r"var\(--([\w-]+)\)", shown))
    light, dark = shown.split("prefers-color-scheme: dark")[:2]
    own = ("ink", "muted", "line", "panel", "accent", "win", "loss", "note")
    figures = {name for name in used if not name.startswith(own)}
    assert {"paper", "arm-2", "part-forward"} <= figures
    for name in figures:
        assert f"--{name}:" in light
        assert f"--{name}:" in dark


def test_every_section_is_there(shown: str) -> None:
    page = Page(shown)
    assert page.tags.count("figure") == 2 * 5 + 1
    assert page.values("role").count("img") == 2 * 5 + 1
    for words in (
        "Batch 8",
        "Batch 32",
        "Not measured",
        "the loss became infinite at step 31",
        "How it was measured",
        "Machine and versions",
        "Example CPU @ 3.0 GHz",
        "2.13.0+cpu",
        "10.1109/ACCESS.2020.3040849",
        "2000 resamples",
    ):
        assert words in page.text


def test_hostile_values_are_shown_and_never_obeyed(cell: Make, gather: Make) -> None:
    frames = gather(
        cell(10.0, columns={"cpu": HOSTILE}),
        cell(7.0, schedule="pipelined", columns={"arm": HOSTILE, "cpu": HOSTILE}),
        cell(schedule="speculative", columns={"status": "failed", "reason": HOSTILE}),
    )
    page = Page(page_of(frames, title=HOSTILE))
    assert page.tags.count("script") == 1
    assert "img" not in page.tags
    assert page.text.count("<script>alert(1)</script>") > 5
    assert "{{ 7*7 }}" in page.text
    assert not [name for _, name, _ in page.attributes if name.startswith("on")]


def test_synthetic_data_is_marked_and_has_no_accuracy(cell: Make, gather: Make) -> None:
    work = {"dataset": "random:1x8x8/10", "accuracy": 0.4321}
    text = Page(page_of(gather(cell(10.0, **work), cell(7.0, schedule="pipelined", **work)))).text
    assert "43.21" not in text
    assert "Test accuracy against training time" not in text
    assert "test accuracy, %" not in text
    assert text.count("synthetic data") > 5


def test_a_missing_baseline_is_said(cell: Make, gather: Make) -> None:
    text = Page(page_of(gather(cell(10.0), cell(7.0, schedule="pipelined")))).text
    assert "not measured" in text


def test_one_comparison_needs_no_table_of_contents(plain: Frames, shown: str) -> None:
    assert "nav" not in Page(page_of(plain)).tags
    assert "nav" in Page(shown).tags


def test_a_single_run_makes_a_page(cell: Make, gather: Make) -> None:
    page = Page(page_of(gather(cell(rounds=1))))
    assert "Only sequential arms were measured" in page.text
    assert "Not measured" not in page.text


def test_machines_are_listed_with_a_warning(cell: Make, gather: Make) -> None:
    frames = gather(
        cell(), cell(schedule="pipelined", columns={"cpu": "Another CPU", "session": "x"})
    )
    text = Page(page_of(frames)).text
    assert "times must not be compared across them" in text
    assert "not timed in turns with this arm" in text


def test_steps_without_parts_and_runs_without_epochs_make_a_page(cell: Make, gather: Make) -> None:
    made = cell(step_columns={"forward_ms": None})
    made.epochs = []
    page = Page(page_of(gather(made)))
    assert "figure" not in page.tags
