from __future__ import annotations

from collections.abc import Callable
from typing import Any

from specbp.frames import Frames
from specbp.report.compare import summarise
from specbp.report.markdown import escaped, render
from specbp.report.wording import COLUMNS, MINUS

Make = Callable[..., Any]


def tables(text: str) -> list[list[list[str]]]:
    found = []
    for block in text.split("\n\n"):
        lines = block.strip().splitlines()
        if lines and lines[0].startswith("|"):
            found.append([line.replace(r"\|", "¦").strip("|").split("|") for line in lines if line])
    return found


def test_every_table_has_as_many_cells_in_every_row(demo: Frames) -> None:
    found = tables(render(summarise(demo), "A report"))
    assert len(found) == 2 * 3 + 3
    for table in found:
        assert {len(row) for row in table} == {len(table[0])}
        assert set("".join(table[1])) <= set("- ")
    assert len(found[0][0]) == len(COLUMNS)


def test_the_numbers_are_those_of_the_summary(plain: Frames) -> None:
    text = render(summarise(plain), "A report")
    assert r"0.700 \[0.700, 0.700\] (step 0.700, faster)" in text
    assert rf"{MINUS}2.00 \[{MINUS}4.48, +0.48\] (not told apart)" in text
    assert text.startswith("# A report\n\n**digits-cnn on digits, batch size 32: 9 trainings")
    assert "\n\n1 comparison, 3 arms, 9 training runs" in text
    assert "## How it was measured" in text
    assert "https://doi.org/10.1109/ACCESS.2020.3040849" in text


def test_hostile_values_stay_text_in_one_cell(cell: Make, gather: Make) -> None:
    hostile = "<b>x</b> | [y](http://z) `c`\nnext *line*"
    lost = cell(schedule="pipelined", columns={"status": "failed", "reason": hostile})
    text = render(summarise(gather(cell(), lost)), "A report")
    assert r"&lt;b&gt;x&lt;/b&gt; \| \[y\](http://z) \`c\` next \*line\*" in text
    assert all(len({len(row) for row in table}) == 1 for table in tables(text))


def test_escaping() -> None:
    assert escaped("max<0.25, a_b") == r"max&lt;0.25, a\_b"
