"""Energy of a step in a report: beside its time, or the reason."""

from dataclasses import replace
from types import SimpleNamespace

import pytest

from specbp.report import markdown, page
from specbp.report.compare import summarise
from specbp.report.energy import step_energies
from specbp.report.pairing import Arm
from specbp.report.tables import energy_table


def arm(name, joules, source=None, reason=None):
    common = {"train_s": 2.0, "steps": 100, "energy_source": source, "energy_reason": reason}
    return Arm(name, tuple({**common, "joules_per_step": one} for one in joules))


def test_joules_stand_beside_milliseconds():
    arms = [arm("cpu", [0.5, 0.7], "RAPL (package-0)"), arm("board", [None], reason="no sensors")]
    cpu, board = step_energies([SimpleNamespace(title="digits", arms=arms)])
    assert (cpu.joules, cpu.milliseconds, cpu.source) == (
        pytest.approx(0.6), 20, "RAPL (package-0)"
    )  # fmt: skip
    assert board.joules is None and board.source == "no sensors"
    rows = energy_table([cpu, board]).rows
    assert rows[0][3:] == ("0.6", "30", "RAPL (package-0)")
    assert rows[1][3:] == ("\N{EN DASH}", "\N{EN DASH}", "no sensors")


def test_without_any_there_is_no_table():
    arms = [arm("cpu", [None], reason="a virtual machine")]
    assert step_energies([SimpleNamespace(title="digits", arms=arms)]) == ()


def test_a_seed_without_is_left_out_of_the_mean():
    (row,) = step_energies([SimpleNamespace(title="x", arms=[arm("gpu", [None, 2.0], "NVML")])])
    assert row.joules == 2.0 and row.source == "NVML"


def test_page_and_markdown_have_it(plain):
    runs = plain.runs.assign(train_s=2.0, steps=100, joules_per_step=0.5)
    runs["energy_source"] = "RAPL <package-0>"
    frames = replace(plain, runs=runs)
    summary = summarise(frames)
    shown = page.render(frames, summary, "x")
    assert '<section id="energy">' in shown and "RAPL &lt;package-0&gt;" in shown
    text = markdown.render(summary, "x")
    assert "## Energy of a step" in text and "25" in text.partition("## Energy of a step")[2]
    assert "energy" not in markdown.render(summarise(plain), "x").lower()
