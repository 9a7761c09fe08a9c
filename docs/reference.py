"""Writes the generated pages of the reference: the command line, and the columns of the frames.

python docs/reference.py
"""

from __future__ import annotations

from pathlib import Path

import typer
from typer.cli import get_docs_for_click
from typer.main import get_command

from specbp.cli import app
from specbp.frames import SCHEMAS, Column

FOLDER = Path(__file__).parent
ROWS = {
    "runs": "One row for each training.",
    "epochs": "One row for each training and epoch.",
    "steps": "One row for each training and step.",
}


def command_line() -> str:
    """Return the page of the command line, from the commands' own help."""
    command = get_command(app)
    page: str = get_docs_for_click(obj=command, ctx=typer.Context(command), name="specbp")
    return page.rstrip() + "\n"


def frames() -> str:
    """Return the page of the frames, from their schema."""
    parts = [
        "# Frames\n\nA results folder holds three frames, which [`specbp.load`](api.md) reads. "
        "Times are in the unit that their name ends with. What is not measured is null. Columns "
        "with a * are measured, and differ when the same training runs again.\n"
    ]
    for name, columns in SCHEMAS.items():
        rows = "\n".join(map(_row, columns))
        parts.append(
            f"## {name}\n\n{ROWS[name]}\n\n| column | type | meaning |\n|---|---|---|\n{rows}\n"
        )
    return "\n".join(parts)


def _row(column: Column) -> str:
    name = f"`{column.name}`" + ("" if column.repeatable else " *")
    meaning = column.meaning.replace("|", "\\|")
    return f"| {name} | {column.kind.__name__} | {meaning} |"


PAGES = {"cli.md": command_line, "frames.md": frames}

if __name__ == "__main__":
    for name, text in PAGES.items():
        (FOLDER / name).write_text(text(), "utf-8")
