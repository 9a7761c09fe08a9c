"""What the repository says of itself, in one place and in another, is the same and is there."""

import re
import sys
from pathlib import Path

import pytest

from specbp.overlay.sources import HARDWARE
from tests.conftest import REPOSITORY

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
DOCUMENTS = (
    *("CHANGELOG.md", "CONTRIBUTING.md", "EXTENDING.md", "README.md", "reports/README.md"),
    *(f"docs/{path.name}" for path in sorted((REPOSITORY / "docs").glob("*.md"))),
)


def test_the_version_is_one():
    citation = (REPOSITORY / "CITATION.cff").read_text()
    assert f"\nversion: {PROJECT['version']}\n" in citation
    changes = re.findall(r"^## (\S+)", (REPOSITORY / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert changes[0] == PROJECT["version"]


def test_the_licence_is_one():
    assert PROJECT["license"] == "Apache-2.0"
    assert "Apache License" in (REPOSITORY / PROJECT["license-files"][0]).read_text()
    assert "\nlicense: Apache-2.0\n" in (REPOSITORY / "CITATION.cff").read_text()


@pytest.mark.parametrize(
    "path", sorted((HARDWARE / "generated").glob("*.sv")), ids=lambda p: p.name
)
def test_generated_hardware_says_its_licence_itself(path):
    """It is copied into other projects without the file LICENSE."""
    assert path.read_text().startswith("// SPDX-License-Identifier: Apache-2.0\n")


@pytest.mark.parametrize("name", DOCUMENTS)
def test_files_that_a_document_names_are_there(name):
    document = REPOSITORY / name
    text = document.read_text()
    links = {link.split("#")[0] for link in re.findall(r"\]\(([^)]+)\)", text)}
    named = {
        path
        for path in re.findall(r"`((?:host|tests|bench|overlays|\.ci)/[\w./-]+)`", text)
        if "*" not in path
    }
    local = {link for link in links if link and "://" not in link}
    missing = [link for link in local if not (document.parent / link).exists()]
    missing += [path for path in named if not (REPOSITORY / path).exists()]
    assert not missing
    assert local | named or Path(name).name == "CHANGELOG.md" or name.startswith("docs/")
