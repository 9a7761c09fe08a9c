from __future__ import annotations

from collections.abc import Callable
from typing import Any

from specbp.report.pairing import plain_rows
from specbp.report.provenance import Provenance, provenance

Make = Callable[..., Any]


def of(gather: Make, *cells: Any) -> Provenance:
    return provenance(plain_rows(gather(*cells).runs))


def test_one_machine_and_one_set_of_versions_need_no_warning(cell: Make, gather: Make) -> None:
    found = of(gather, cell(seed=0), cell(seed=1))
    assert [(item.cpu, item.cores, item.runs) for item in found.machines] == [
        ("Example CPU @ 3.0 GHz", "2", 2)
    ]
    assert found.started == ("2025-11-22T10:00:00+00:00", "2025-11-22T10:01:00+00:00")
    assert found.warnings == ()


def test_several_machines_are_listed_with_a_warning(cell: Make, gather: Make) -> None:
    found = of(gather, cell(), cell(seed=1, columns={"cpu": "Another CPU"}))
    assert {item.cpu for item in found.machines} == {"Example CPU @ 3.0 GHz", "Another CPU"}
    assert "must not be compared across them" in found.warnings[0]


def test_several_versions_and_uncommitted_changes_are_said(cell: Make, gather: Make) -> None:
    found = of(gather, cell(), cell(seed=1, columns={"git_dirty": True}))
    assert len(found.software) == 2
    versions, changes = found.warnings
    assert "2 sets of software versions" in versions
    assert "uncommitted changes" in changes


def test_what_was_not_recorded_is_said(cell: Make, gather: Make) -> None:
    nothing = dict.fromkeys(("git_commit", "git_dirty", "cpu", "memory_gib", "started"))
    found = of(gather, cell(columns=nothing))
    assert found.software[0].commit == found.machines[0].cpu == "not recorded"
    assert found.machines[0].memory_gib == "not recorded"
    assert found.started is None
