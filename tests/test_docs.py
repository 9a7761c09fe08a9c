"""Every command and snippet of the docs runs, in the order in which a reader meets it."""

import importlib.util
import os
import re
import subprocess
import sys
from typing import get_args

import pytest

from specbp.experiment import GateMetric, Key, Reuse, Schedule
from specbp.network.plain import LEAVES
from tests.conftest import DATA_ROOT, REPOSITORY

DOCS = REPOSITORY / "docs"
PAGES = sorted(DOCS.glob("*.md"))
TESTED = ("first", "own", "method", "overlay", "matrices", "backends", "gate")
"""Pages with commands; what they leave is read by pages that come later."""
MOST_WORDS = 20


@pytest.fixture(scope="module")
def checkout(tmp_path_factory):
    folder = tmp_path_factory.mktemp("checkout")
    (folder / "bench").symlink_to(REPOSITORY / "bench")
    (folder / "results").mkdir()
    return folder


def blocks(page, language):
    return re.findall(rf"```{language}\n(.*?)```", page.read_text(), flags=re.DOTALL)


@pytest.mark.parametrize("name", TESTED)
def test_every_command_of_a_page_runs(name, checkout, subtests):
    """Kind: a command that stopped working after it was written down."""
    specbp = checkout / "specbp"
    specbp.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m specbp "$@"\n')
    specbp.chmod(0o755)
    environment = os.environ | {
        "PATH": f"{checkout}{os.pathsep}{os.environ['PATH']}",
        "SPECBP_DATA": str(DATA_ROOT),
        "PYTHONPATH": os.environ.get("PYTHONPATH", ""),
    }
    commands = [line for block in blocks(DOCS / f"{name}.md", "bash")
                for line in block.splitlines()]  # fmt: skip
    assert commands
    for command in commands:
        if "PYTHONPATH=results" in command:
            command = command.replace("PYTHONPATH=results", "PYTHONPATH=results:$PYTHONPATH")
        with subtests.test(command):
            done = subprocess.run(
                command, shell=True, cwd=checkout, env=environment, capture_output=True, text=True
            )
            # A gate answers by its exit code, and what it answers depends on the machine.
            answers = {0, 3, 4} if " compare " in command else {0}
            assert done.returncode in answers, done.stderr


def test_the_python_of_the_docs_runs(checkout):
    if not (checkout / "results" / "first").exists():
        pytest.skip("the commands of the first page did not run")
    for page in PAGES:
        for code in blocks(page, "python"):
            done = subprocess.run(
                [sys.executable, "-c", code], cwd=checkout, capture_output=True, text=True
            )
            assert done.returncode == 0, done.stderr


def test_no_page_has_commands_that_no_test_runs():
    """Kind: a page added without a test of what it says."""
    assert {page.stem for page in PAGES if blocks(page, "bash")} == set(TESTED)


def test_the_generated_pages_are_what_is_generated_now():
    """Kind: an option or a column that was added, and is not in the docs."""
    spec = importlib.util.spec_from_file_location("reference", DOCS / "reference.py")
    reference = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(reference)
    for name, text in reference.PAGES.items():
        said = (DOCS / name).read_text("utf-8")
        assert said == text(), f"docs/{name} is stale: python docs/reference.py"


def test_the_first_matrix_is_the_one_that_the_page_shows():
    (shown,) = blocks(DOCS / "first.md", "toml")
    assert shown == (REPOSITORY / "bench" / "matrices" / "first.toml").read_text()


def test_every_page_is_in_the_site_and_the_glossary_is_short():
    site = (REPOSITORY / "mkdocs.yml").read_text()
    assert {page.name for page in PAGES} <= set(re.findall(r"[\w-]+\.md", site))
    rows = [line for line in (DOCS / "glossary.md").read_text().splitlines()
            if line.startswith("| ")]  # fmt: skip
    assert 10 < len(rows) - 1 <= MOST_WORDS


def test_the_glossary_has_every_word_that_an_experiment_can_say():
    """Kind: a schedule, key or metric that was added, and that nobody can look up."""
    words = [word for kind in (Schedule, Key, Reuse, GateMetric) for word in get_args(kind)]
    said = (DOCS / "glossary.md").read_text()
    assert len(words) > 10
    assert [word for word in words if f"`{word}`" not in said] == []


def test_the_layers_that_the_page_lists_are_those_that_are_lowered():
    """Kind: a layer that is supported, and that nobody who looks for it finds."""
    table = (DOCS / "own.md").read_text().partition("## Supported layers")[2].partition("\n## ")[0]
    cells = [line.split("|")[1] for line in table.splitlines() if line.startswith("| `")]
    named = {name for cell in cells for name in re.findall(r"`(\w+)`", cell)}
    assert named == {kind.__name__ for kind in LEAVES}


def test_figures_are_drawn_without_pyplot():
    """Kind: a command that draws only where something else loaded pyplot before."""
    for path in (REPOSITORY / "host" / "specbp").rglob("*.py"):
        assert "pyplot" not in path.read_text(), path
