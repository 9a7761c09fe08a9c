"""Pages as a browser shows them: no text is cut, nothing overflows, the script does what it says.

Skipped where there is no Chromium: Debian has it as `chromium-headless-shell` or `chromium`;
SPECBP_CHROMIUM names another.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from specbp.frames import Frames
from specbp.report.writing import write_report
from tests.conftest import REPOSITORY

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

Make = Callable[..., Any]
NAMES = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
CHROMIUM = os.environ.get("SPECBP_CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
pytestmark = pytest.mark.skipif(
    CHROMIUM is None,
    reason=f"no Chromium: none of {', '.join(NAMES)} is there, and SPECBP_CHROMIUM is not set",
)

CUT = """() => {
  const found = [];
  for (const svg of document.querySelectorAll("figure svg[role=img]")) {
    const frame = svg.getBoundingClientRect();
    for (const text of svg.querySelectorAll("text")) {
      const box = text.getBoundingClientRect();
      const out = Math.max(frame.left - box.left, box.right - frame.right,
                           frame.top - box.top, box.bottom - frame.bottom);
      if (out > 1) found.push(`${text.textContent}: ${out.toFixed(1)} px outside its figure`);
    }
  }
  const width = document.documentElement.clientWidth;
  for (const node of document.querySelectorAll("body *")) {
    if (node.closest("svg, .scroll, .marks") || !node.getClientRects().length) continue;
    const box = node.getBoundingClientRect();
    if (box.right > width + 1 || box.left < -1)
      found.push(`${node.tagName} ${node.textContent.slice(0, 40)}: beyond the page`);
    if (node.scrollWidth > node.clientWidth + 1 && getComputedStyle(node).overflowX !== "visible")
      found.push(`${node.tagName} ${node.textContent.slice(0, 40)}: cut`);
  }
  if (document.documentElement.scrollWidth > width + 1) found.push("the page scrolls sideways");
  return found;
}"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with playwright.sync_playwright() as driver:
        started = driver.chromium.launch(
            executable_path=CHROMIUM,
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
        )
        yield started
        started.close()


@pytest.fixture(scope="module")
def report(demo: Frames, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_report(demo, tmp_path_factory.mktemp("report"), "A report").html


def opened(browser: Any, path: Path, width: int = 1200, **context: Any) -> Any:
    """A page that failed the test if it asked for anything or logged an error."""
    page = browser.new_context(viewport={"width": width, "height": 900}, **context).new_page()
    page.errors = []
    page.on("console", lambda message: page.errors.append(f"{message.type}: {message.text}"))
    page.on("pageerror", lambda error: page.errors.append(str(error)))
    page.goto(path.as_uri())
    return page


@pytest.mark.parametrize("width", [1400, 900, 390, 320])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_is_cut_and_nothing_overflows(
    browser: Any, report: Path, width: int, scheme: str
) -> None:
    page = opened(browser, report, width, color_scheme=scheme)
    assert page.evaluate(CUT) == []
    assert page.errors == []


@pytest.mark.parametrize(
    "path",
    sorted((REPOSITORY / "reports").rglob("*.html")),
    ids=lambda path: str(path.relative_to(REPOSITORY / "reports")),
)
def test_nothing_is_cut_in_what_is_published(browser: Any, path: Path) -> None:
    for width in (1200, 390):
        page = opened(browser, path, width)
        assert page.evaluate(CUT) == []
        assert page.errors == []
        page.close()


def test_a_long_name_is_wrapped_and_not_cut(
    browser: Any, cell: Make, gather: Make, tmp_path: Path
) -> None:
    """Kind: legends and names cut at both ends, whatever an arm is called."""
    name = "speculative, activations, label key, mean<0.0125, refresh 2, " * 3
    frames = gather(
        cell(10.0),
        cell(8.0, threads=2),
        cell(7.0, schedule="pipelined", columns={"arm": name.rstrip(", ")}),
    )
    path = write_report(frames, tmp_path, "W" * 80).html
    for width in (1200, 390):
        assert opened(browser, path, width).evaluate(CUT) == []


def test_a_figure_comes_before_any_table_on_a_phone(browser: Any, report: Path) -> None:
    page = opened(browser, report, 390)
    tops = "(name) => document.querySelector(name).getBoundingClientRect().top + scrollY"
    figure, table = (page.evaluate(tops, name) for name in ("main figure", "main table"))
    assert figure < table
    assert page.evaluate("getComputedStyle(document.querySelector('.scroll')).overflowX") == "auto"


def test_tables_sort_as_numbers_and_filter(browser: Any, report: Path) -> None:
    page = opened(browser, report)
    table = page.locator("table.summary").first
    before = table.locator("tbody th").all_inner_texts()
    heading = table.locator("thead button").nth(1)
    heading.click()
    times = [float(text) for text in table.locator("tbody tr td:nth-child(2) b").all_inner_texts()]
    assert times == sorted(times) and len(times) > 4
    heading.click()
    assert table.locator("tbody tr td:nth-child(2) b").first.inner_text() == f"{times[-1]:g}"
    heading.click()
    assert table.locator("tbody th").all_inner_texts() == before
    box = page.locator(".filter input").first
    rows = page.locator(".filter").first.locator("xpath=following-sibling::*[1]//tbody/tr")
    everything = rows.count()
    box.fill("pipelined")
    assert 0 < rows.locator("visible=true").count() < everything


def test_marks_show_their_numbers_when_pointed_at(browser: Any, report: Path) -> None:
    page = opened(browser, report)
    mark = page.locator("figure svg use[aria-label]").first
    words = mark.get_attribute("aria-label")
    box = mark.bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    tip = page.locator("#tip")
    assert tip.is_visible()
    assert words and tip.inner_text() == words
    page.mouse.move(2, 2)
    assert not tip.is_visible()


def test_the_page_is_whole_without_its_script(browser: Any, report: Path) -> None:
    page = opened(browser, report, java_script_enabled=False)
    assert page.locator("table.summary").first.is_visible()
    assert page.locator("figure svg").first.is_visible()
    assert page.locator(".filter").count() == 0


def test_another_script_does_not_run(browser: Any, report: Path, tmp_path: Path) -> None:
    """Kind: whatever gets into a page runs in it."""
    text = report.read_text().replace("</main>", "</main><script>document.title = 'x'</script>")
    (tmp_path / "page.html").write_text(text)
    page = opened(browser, tmp_path / "page.html")
    assert page.title() == "A report"
    assert any("Content Security Policy" in error for error in page.errors)


def test_in_print_nothing_is_cut_nor_waits_for_a_pointer(browser: Any, report: Path) -> None:
    page = opened(browser, report, 1000)
    page.emulate_media(media="print")
    assert page.evaluate(CUT) == []
    assert not page.locator(".filter").first.is_visible()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
