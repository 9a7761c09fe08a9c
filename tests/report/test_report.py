from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from specbp.errors import NothingMeasuredError, UsageError
from specbp.frames import Frames
from specbp.report.writing import write_report

Make = Callable[..., Any]


def test_both_files_are_written_into_a_new_folder(plain: Frames, tmp_path: Path) -> None:
    paths = write_report(plain, tmp_path / "a" / "b", "A report")
    assert paths.html.read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
    assert paths.markdown.read_text(encoding="utf-8").startswith("# A report")
    assert {paths.html.parent, paths.markdown.parent} == {tmp_path / "a" / "b"}


def test_the_same_frames_give_the_same_bytes(plain: Frames, tmp_path: Path) -> None:
    first, second = (write_report(plain, tmp_path / name, "A report") for name in "ab")
    assert first.html.read_bytes() == second.html.read_bytes()
    assert first.markdown.read_bytes() == second.markdown.read_bytes()


def test_a_folder_that_cannot_be_made_is_refused_in_one_line(plain: Frames, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("in the way")
    with pytest.raises(UsageError) as caught:
        write_report(plain, file / "report", "A report")
    assert str(file) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_nothing_is_written_when_nothing_was_measured(
    cell: Make, gather: Make, tmp_path: Path
) -> None:
    frames = gather(cell(columns={"status": "failed", "reason": "diverged"}))
    with pytest.raises(NothingMeasuredError):
        write_report(frames, tmp_path / "report", "A report")
    assert not (tmp_path / "report").exists()


def test_unequal_work_makes_no_report(cell: Make, gather: Make, tmp_path: Path) -> None:
    frames = gather(cell(), cell(schedule="pipelined", columns={"sample_order_sha256": "0" * 64}))
    with pytest.raises(UsageError, match="did not do equal work"):
        write_report(frames, tmp_path / "report", "A report")
    assert not (tmp_path / "report").exists()
