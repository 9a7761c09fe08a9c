"""What the site needs beside its pages: the command line's help, and files outside of docs/."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

REPOSITORY = Path(__file__).parent.parent
LINK = re.compile(r"\[([^\]]*)\]\(((?:\.\./)[^)#]*)(?:#[^)]*)?\)")


def on_files(files: Files, config: Any) -> Files:
    """Add the reference of the command line, made from its own help."""
    import click
    from typer.cli import get_docs_for_click
    from typer.main import get_command

    from specbp.cli import app

    command = get_command(app)
    text = get_docs_for_click(obj=command, ctx=click.Context(command), name="specbp")
    files.append(File.generated(config, "cli.md", content=text))
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, files: Files) -> str:
    """Let links to files of the repository lead to a copy of them in the site."""

    def copied(match: re.Match[str]) -> str:
        source = (REPOSITORY / "docs" / match[2]).resolve()
        if not source.exists():
            raise SystemExit(f"docs/{page.file.src_uri}: {match[2]} is not there")
        place = source.relative_to(REPOSITORY)
        target = Path(config.site_dir) / "files" / place
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)
        return f'<a href="files/{place.as_posix()}">{match[1]}</a>'

    return LINK.sub(copied, markdown)
