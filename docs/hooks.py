"""What the site needs beside its pages: documents and files of the repository outside of docs/."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

REPOSITORY = Path(__file__).parent.parent
LINK = re.compile(r"(?<!!)\[([^\]]*)\]\(([^)#:\s]+)(#[^)]*)?\)")
DOCUMENTS = {
    "hardware.md": "overlays/specbp/README.md",
    "isa.md": "overlays/specbp/ISA.md",
    "arithmetic.md": "overlays/specbp/ARITHMETIC.md",
    "registers.md": "overlays/specbp/generated/REGISTERS.md",
    "reports.md": "reports/README.md",
    "extending.md": "EXTENDING.md",
    "changelog.md": "CHANGELOG.md",
}
"""Pages of the site that lie elsewhere in the repository."""


def on_files(files: Files, config: Any) -> Files:
    """Add the documents that lie outside of docs/."""
    for page, document in DOCUMENTS.items():
        content = (REPOSITORY / document).read_text("utf-8")
        files.append(File.generated(config, page, content=content))
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, files: Files) -> str:
    """Let links to files of the repository lead to their page, or to a copy of them in the site."""
    document = DOCUMENTS.get(page.file.src_uri)
    folder = (REPOSITORY / document).parent if document else REPOSITORY / "docs"
    pages = {(REPOSITORY / place).resolve(): name for name, place in DOCUMENTS.items()}
    pages |= {path.resolve(): path.name for path in (REPOSITORY / "docs").glob("*.md")}

    def linked(match: re.Match[str]) -> str:
        source = (folder / match[2]).resolve()
        if source in pages:
            return f"[{match[1]}]({pages[source]}{match[3] or ''})"
        if not source.exists():
            raise SystemExit(f"{document or 'docs/' + page.file.src_uri}: {match[2]} is not there")
        place = source.relative_to(REPOSITORY)
        target = Path(config.site_dir) / "files" / place
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, dirs_exist_ok=True)
        else:
            shutil.copyfile(source, target)
        return f'<a href="files/{place.as_posix()}">{match[1]}</a>'

    return LINK.sub(linked, markdown)
