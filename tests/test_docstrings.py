"""Every entry of a docstring can be read alone."""

import ast
import re

from tests.conftest import REPOSITORY

PACKAGE = REPOSITORY / "host" / "specbp"
SECTIONS = re.compile(r"^(Args|Attributes|Returns|Raises|Yields):$")
ENTRY = re.compile(r"^\*{0,2}\w[\w, *]*(?: \([^)]*\))?: +(.*)$")
LEANING = re.compile(
    r"(of|its|see|as|in|to|that|whose|which it is|what it is\.)(?!\w)"
    r"|.*\b(likewise|in the same form|as \S+ (has|have|takes|gives) (it|them))\b",
    re.IGNORECASE,
)


def leaning_entries(path):
    """Lines of Args, Attributes and Returns that lean on what stands before them."""
    found = []
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if not isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        inside, indent = False, 0
        for line in (ast.get_docstring(node) or "").splitlines():
            text = line.strip()
            depth = len(line) - len(line.lstrip())
            if SECTIONS.match(text):
                inside, indent = True, depth
            elif text and depth <= indent:
                inside = False
            elif inside and (entry := ENTRY.match(text)) and LEANING.match(entry[1]):
                found.append(f"{path.name}: {text}")
    return found


def test_no_entry_of_a_docstring_leans_on_the_one_before():
    """Kind: "its name", "of the batch", "likewise": nobody who jumps there knows whose."""
    paths = [path for path in sorted(PACKAGE.rglob("*.py")) if "schedules" not in path.parts]
    assert len(paths) > 200
    found = [line for path in paths for line in leaning_entries(path)]
    assert not found, "\n".join(found)


def test_a_leaning_entry_is_found(tmp_path):
    made = tmp_path / "made.py"
    lines = ['"""Do.', "", "Args:", "    a: of the batch.", "    b: a name.", '"""']
    made.write_text("\n".join(lines))
    assert leaning_entries(made) == ["made.py: a: of the batch."]
