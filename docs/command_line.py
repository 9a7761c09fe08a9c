"""Writes docs/cli.md, the reference of the command line, from the commands' own help.

python docs/command_line.py
"""

from __future__ import annotations

from pathlib import Path

import typer
from typer.cli import get_docs_for_click
from typer.main import get_command

from specbp.cli import app

PAGE = Path(__file__).with_name("cli.md")


def text() -> str:
    """Return the page."""
    command = get_command(app)
    page: str = get_docs_for_click(obj=command, ctx=typer.Context(command), name="specbp")
    return page.rstrip() + "\n"


if __name__ == "__main__":
    PAGE.write_text(text(), "utf-8")
