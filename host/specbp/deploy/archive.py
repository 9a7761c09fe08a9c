"""The on-board runner as one file: the package's own modules, zipped.

A board needs Python 3.8, numpy and the image's pynq for it. Equal sources give equal bytes.
"""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

NAME = "runner.pyz"
PACKAGE = Path(__file__).parents[1]
MODULES = (
    "__init__.py",
    "boards/__init__.py",
    "boards/board.py",
    "errors.py",
    "overlay/__init__.py",
    "overlay/driver.py",
    "overlay/faults.py",
    "overlay/hwh.py",
    "overlay/parameters.py",
    "overlay/quiet.py",
    "overlay/register.py",
    "overlay/register_map.py",
)
_MAIN = b"import sys\n\nfrom specbp.onboard.runner import main\n\nsys.exit(main())\n"
_LONG_AGO = (1980, 1, 1, 0, 0, 0)


def sources() -> dict[str, bytes]:
    """Return the runner's files by their name in the archive."""
    onboard = sorted(path.name for path in (PACKAGE / "onboard").glob("*.py"))
    names = sorted([*MODULES, *(f"onboard/{name}" for name in onboard)])
    names += sorted(f"boards/files/{path.name}" for path in (PACKAGE / "boards/files").iterdir())
    files = {f"specbp/{name}": (PACKAGE / name).read_bytes() for name in names}
    return {"__main__.py": _MAIN, **files}


def archive() -> bytes:
    """Return the archive, which `python3` runs."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as file:
        for name, source in sources().items():
            file.writestr(zipfile.ZipInfo(name, _LONG_AGO), source, zipfile.ZIP_DEFLATED)
    return content.getvalue()
