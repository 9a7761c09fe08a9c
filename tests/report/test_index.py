"""The page over several reports."""

from __future__ import annotations

from pathlib import Path

import pytest

from specbp.errors import UsageError
from specbp.frames import Frames
from specbp.report import published
from specbp.report.compare import summarise
from specbp.report.index import write_index
from specbp.report.story import story
from specbp.report.writing import write_report


def test_it_says_what_each_report_found_and_links_it(
    plain: Frames, demo: Frames, tmp_path: Path
) -> None:
    for name, frames in (("a/one", plain), ("two", demo)):
        write_report(frames, tmp_path / name, f"Title of {name}")
        published.write(frames, tmp_path / name, f"Title of {name}")
    write_report(plain, tmp_path / "without frames", "Title")
    page = write_index(tmp_path, "All of them").read_text()
    assert '<h2><a href="a/one/report.html">Title of a/one</a></h2>' in page
    assert '<h2><a href="two/report.html">Title of two</a></h2>' in page
    assert page.count("<h2>") == 2
    assert story(summarise(plain)) in page
    assert "Example CPU @ 3.0 GHz" in page


def test_a_folder_without_reports_is_said(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no report with its frames"):
        write_index(tmp_path, "All of them")
