"""What is printed: as it is, whole, on one line where it must be, and through one place."""

import ast
import io

import pytest
from rich.console import Console
from rich.table import Table

from specbp.cli import terminal
from tests.conftest import REPOSITORY

PACKAGE = REPOSITORY / "host" / "specbp"
NAMES = "net:factory [red]x[/red] :smile: [/]"


def direct_prints(path):
    """The lines of a module that print otherwise than through `specbp.cli.terminal`."""
    found = []
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        match node:
            case ast.Call(func=ast.Name(id="print" | "Console")):
                found.append(node.lineno)
            case ast.Call(func=ast.Attribute(value=ast.Name(id="typer"), attr="echo" | "secho")):
                found.append(node.lineno)
            case ast.Attribute(value=ast.Name(id="sys"), attr="stdout" | "stderr"):
                found.append(node.lineno)
    return found


def test_everything_is_printed_in_one_place():
    """Kind: a print past the one place, where names are markup and lines are cut at 80 columns."""
    own = {PACKAGE / "cli" / name for name in ("terminal.py", "streams.py", "__init__.py")}
    others = [
        path
        for path in PACKAGE.rglob("*.py")
        # What runs on a board speaks with its host through its streams.
        if path not in own and "onboard" not in path.parts
    ]
    assert len(others) > 100
    assert {str(path): lines for path in others if (lines := direct_prints(path))} == {}
    assert direct_prints(PACKAGE / "cli" / "streams.py")


def table(rows):
    shown = Table(box=None, pad_edge=False)
    shown.add_column("arm", overflow="fold")
    for number in range(12):
        shown.add_column(f"number {number}", no_wrap=True)
    for _ in range(rows):
        shown.add_row(NAMES, *(f"{10**number:,}" for number in range(12)))
    return shown


def test_names_are_never_markup_and_nothing_is_cut_in_a_pipe(capsys):
    """Kind: rich takes a name for markup or an emoji, or cuts what is wider than 80 columns."""
    terminal.say(NAMES + "x" * 200)
    terminal.note(NAMES + "y" * 200)
    terminal.show(table(2))
    output, error = capsys.readouterr()
    lines = output.splitlines()
    assert lines[0] == NAMES + "x" * 200
    assert error == NAMES + "y" * 200 + "\n"
    assert len(lines) == 4
    for line in lines[2:]:
        assert line.startswith(NAMES) and "100,000,000,000" in line


@pytest.mark.parametrize("width", [80, 120, 300])
def test_a_table_too_wide_for_a_terminal_becomes_a_list_and_loses_nothing(width):
    """Kind: columns that a narrow terminal drops."""
    file = io.StringIO()
    terminal.show(table(2), Console(file=file, width=width, markup=False, emoji=False))
    text = file.getvalue()
    assert text.count("100,000,000,000") == 2
    assert text.count(NAMES) == 2
    assert "…" not in text
    assert (len(text.splitlines()) == 3) == (width == 300)


def test_what_takes_a_while_is_said_also_where_nothing_can_move(capsys):
    """Kind: minutes of silence; on a terminal the line moves and leaves nothing behind."""
    with terminal.working(NAMES) as next_is:
        next_is("second")
    assert capsys.readouterr().err.splitlines() == [NAMES, "second"]
    file = io.StringIO()
    shown = Console(file=file, force_terminal=True, width=100, markup=False, emoji=False)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(terminal, "console", lambda stderr: shown)
        with terminal.working("first") as next_is:
            next_is("second")
    assert "second" in file.getvalue()
    assert file.getvalue().endswith("\x1b[2K"), "the line is cleared at the end"


def test_cures_stand_on_lines_of_their_own(capsys):
    """Kind: advice that a table squeezes until nobody can copy it."""
    from specbp.cli.doctor import show
    from specbp.doctor.finding import Finding

    cure = 'pip install "specbp[fpga]" && source /opt/some/where/long/settings64.sh ' + "x" * 90
    show([Finding("pynq", "missing", "", "the overlay", cure)], json_output=False)
    assert f"    {cure}" in capsys.readouterr().out.splitlines()
