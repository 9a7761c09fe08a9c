"""What a machine, a shell or a disk does to a command: one line with cause and cure, nothing lost.

The kind of each fault is named where it is tested.
"""

import json
import os
import resource
import signal
import subprocess
import sys

import pytest

import specbp as package
from specbp.cli.failures import OS_CURES
from tests.cli.conftest import CommandLine

WORK = ["--train", "20", "--test", "10", "--batch-size", "10", "--epochs", "1"]
MATRIX = """
[base]
train = 20
test = 10
batch_size = 10
epochs = 1
[axes]
schedule = ["sequential", "pipelined"]
"""


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A command line in a folder with a results folder `done`."""
    folder = tmp_path_factory.mktemp("finished")
    (folder / "m.toml").write_text(MATRIX)
    specbp = CommandLine(folder)
    assert specbp("bench", "m.toml", "--results", "done")[0] == 0
    return specbp


def shell(folder, words, **environment):
    """Run a line of bash in which `specbp` is the command; return code, output and errors."""
    done = subprocess.run(
        ["bash", "-c", f'specbp() {{ "{sys.executable}" -m specbp "$@"; }}\n{words}'],
        cwd=folder, env=os.environ | environment, capture_output=True, text=True, check=False,
        timeout=300,
    )  # fmt: skip
    return done.returncode, done.stdout, done.stderr


def one_line(error):
    """The only line of standard error, which is ours."""
    (line,) = error.strip().splitlines()
    assert line.startswith("specbp: ")
    assert "unforeseen" not in line
    return line


def test_a_reader_that_leaves_ends_no_work_and_changes_no_exit_code(finished):
    """Kind: a broken pipe, on standard output or error."""
    code, output, error = shell(
        finished.folder, "specbp bench m.toml --dry-run | head -1; echo ${PIPESTATUS[0]}"
    )
    assert (output.splitlines()[-1], error) == ("0", "")
    gate = "specbp compare done --arm pipelined --max-ratio 0.0001 | true; exit ${PIPESTATUS[0]}"
    code, _, error = shell(finished.folder, gate)
    assert code in (3, 4), error  # 4: this busy machine allows no verdict
    work = f"specbp run {' '.join(WORK)} --results unheard 2>&1 >/dev/null | true; echo done"
    shell(finished.folder, work)
    assert list(package.load(finished.folder / "unheard").runs["status"]) == ["ok"]


def test_a_full_or_closed_standard_output_is_said(finished):
    """Kind: output that cannot be written; what was trained is kept, and nothing is trained where
    its result could never be printed."""
    code, _, error = shell(finished.folder, "specbp report done > /dev/full")
    assert code == 1
    assert "standard output cannot be written: No space left on device" in one_line(error)
    code, _, error = shell(finished.folder, f"specbp run {' '.join(WORK)} --results no >&-")
    assert code == 2
    assert "standard output is closed" in one_line(error)
    assert not (finished.folder / "no").exists()
    code, output, _ = shell(finished.folder, "specbp bench m.toml --dry-run 2>&- <&-")
    assert code == 0 and "to do" in output


def test_an_encoding_without_our_characters_is_written_in_ascii(finished):
    """Kind: a character that the terminal's encoding does not have."""
    code, output, error = shell(finished.folder, "specbp report done", PYTHONIOENCODING="ascii")
    assert (code, error) == (0, "")
    assert "accuracy - sequential" in output
    assert output.isascii()
    code, output, error = shell(
        finished.folder, "specbp run --dataset $'\\xff\\u2212'", PYTHONIOENCODING="ascii"
    )
    assert code == 2
    assert 'unknown data set "\\udcff-"' in one_line(error)


def test_a_file_that_cannot_grow_is_named_with_its_cure(tmp_path):
    """Kind: a disk or quota that is full while results are written; what is done is kept."""

    def limited():
        resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))

    words = [sys.executable, "-m", "specbp", "run", *WORK, "--results", "out"]
    done = subprocess.run(
        words, cwd=tmp_path, capture_output=True, text=True, check=False, preexec_fn=limited
    )
    assert done.returncode == 1
    line = done.stderr.strip().splitlines()[-1]
    assert line.startswith("specbp: ") and "File too large" in line and "ulimit -f" in line
    again = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert again.returncode == 0, again.stderr


def test_every_failure_of_the_system_has_a_cure():
    from specbp.cli.failures import failure_of

    for number in OS_CURES:
        line, code = failure_of(OSError(number, os.strerror(number), "x/y"))
        assert line.startswith(f"x/y: {os.strerror(number)}: ") and code == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--seed", "18446744073709"], "seed"),
        (["--subset-seed", str(2**63)], "subset_seed"),
        (["--block-steps", str(10**30)], "block_steps"),
        (["--epochs", str(2**70)], "epochs"),
        (["--dataset", "random:1x8x8/10", "--train", str(10**13)], "GiB of memory are free"),
        (["--dataset", "random:3x200000x200000/10"], "digits-cnn takes 8 x 8 images"),
        (["--results", "m.toml/x"], "cannot write results there"),
        (["--results", "/sys/x"], "cannot write results there"),
    ],
)
def test_what_does_not_fit_is_refused_before_any_work(finished, arguments, message):
    """Kind: a number beyond what PyTorch or a frame holds, images beyond the memory, a folder that
    cannot be written."""
    before = sorted(finished.folder.rglob("cells/*"))
    code, line = finished.fails("run", *WORK, *arguments)
    assert code == 2
    assert message in line
    assert sorted(finished.folder.rglob("cells/*")) == before


@pytest.mark.parametrize("output", ["nowhere/x.json", "/sys/x.json", "."])
@pytest.mark.parametrize("verb", [["timeline"], ["overlay", "timeline"]], ids=" ".join)
def test_an_output_that_cannot_be_written_is_refused_before_any_work(finished, verb, output):
    """Kind: a file that is written at the end of the work, where it cannot be."""
    code, line = finished.fails(*verb, "--output", output)
    assert code == 2
    assert f"--output {output}: " in line


def test_a_cache_that_cannot_be_written_names_its_variable(specbp):
    """Kind: a folder for built models that is none, or a user without a home."""
    said = "/dev/null: built models cannot be kept there"
    code, line = specbp.fails(
        "run", *WORK, "--backend", "sim:rtl", "--results", "rtl", SPECBP_CACHE="/dev/null"
    )
    assert code == 1
    assert said in line and "set SPECBP_CACHE" in line
    code, _, error = specbp("run", *WORK, "--results", "cpu", SPECBP_CACHE="/dev/null")
    assert code == 0
    assert f"the reference runtime in Python executes the steps: {said}" in error


WITHOUT_USER = """
import os, pwd, sys
def unknown(*_): raise KeyError("uid not found")
pwd.getpwuid = pwd.getpwnam = unknown
for name in ("HOME", "XDG_CACHE_HOME", "SPECBP_CACHE", "USER", "LOGNAME", "USERNAME"):
    os.environ.pop(name, None)
sys.argv[0] = "specbp"
from specbp.cli import main
main()
"""


@pytest.mark.parametrize("verb", ["run", "simulated", "report", "doctor"])
def test_a_user_without_name_and_home_can_work(finished, verb):
    """Kind: a container that runs under a number only."""
    arguments = {
        "run": ["run", *WORK, "--results", "nobody"],
        "simulated": ["run", *WORK, "--results", "nobody-rtl", "--backend", "sim:rtl"],
        "report": ["report", "done"],
        "doctor": ["doctor", "--json"],
    }[verb]
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_USER, *arguments],
        cwd=finished.folder, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if verb == "simulated":
        assert done.returncode == 1
        assert "no home folder" in one_line(done.stderr) and "SPECBP_CACHE" in done.stderr
    else:
        assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("settings", ["environment", "usetex", "fonts"])
def test_figures_do_not_depend_on_the_settings_of_matplotlib(finished, tmp_path, settings):
    """Kind: a backend there is none of, TeX that is not installed, a font that is not there."""
    plain = finished.folder / "plain"
    assert finished("report", "done", "--output", "plain", "--title", "T")[0] == 0
    text = {
        "environment": "",
        "usetex": "text.usetex: True\nsvg.fonttype: path\n",
        "fonts": "font.family: Nowhere Sans\naxes.unicode_minus: False\nlines.linewidth: 9\n",
    }[settings]
    (tmp_path / "matplotlibrc").write_text(text)
    environment = {"MPLBACKEND": "bogus"} if settings == "environment" else {}
    code, _, error = shell(
        tmp_path, f"specbp report {finished.folder}/done --output out --title T", **environment
    )
    assert (code, error) == (0, "")
    assert (tmp_path / "out" / "report.html").read_text() == (plain / "report.html").read_text()


@pytest.mark.parametrize("name", ["a:fire:b", "a b", "[red]x", "-x", "x\N{SNOWMAN}"])
def test_a_results_folder_may_have_any_name(specbp, name):
    """Kind: a name that something takes for an address, for markup or for an option."""
    code, _, error = specbp("run", *WORK, f"--results={name}")
    assert code == 0, error
    code, _, error = specbp("run", *WORK, f"--results={name}")
    assert f"{name}: 1 of 1 cells are there already" in error
    assert len(package.load(specbp.folder / name).runs) == 1


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "latin-1"])
def test_a_matrix_in_another_encoding(specbp, encoding):
    """Kind: what editors write: a byte order mark is read, another encoding is named."""
    (specbp.folder / "m.toml").write_text('name = "größe"\n[base]\ntrain = 20\n', encoding)
    if encoding == "utf-8-sig":
        assert specbp("bench", "m.toml", "--dry-run")[0] == 0
    else:
        code, line = specbp.fails("bench", "m.toml", "--dry-run")
        assert code == 2 and "not UTF-8" in line


UNFORESEEN = """
import sys
import specbp.matrix.expand
def broken(*_): raise ValueError("two\\nlines [red]")
specbp.matrix.expand.matrix_from = broken
sys.argv[0] = "specbp"
from specbp.cli import main
main()
"""


@pytest.mark.parametrize("cache", ["cache", "m.toml"], ids=["cache", "temporary"])
def test_what_nobody_foresaw_is_one_line_and_a_log(finished, tmp_path, cache):
    """Kind: any other exception; the log goes to the cache, or to the temporary folder."""
    done = subprocess.run(
        [sys.executable, "-c", UNFORESEEN, "bench", "m.toml"], cwd=finished.folder,
        env=os.environ | {"SPECBP_CACHE": cache, "TMPDIR": str(tmp_path)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    (line,) = done.stderr.strip().splitlines()
    assert line.startswith("specbp: unforeseen ValueError: two lines [red]: ")
    log = finished.folder / line.rpartition(", ")[2]
    text = log.read_text()
    assert "Traceback" in text and "in broken" in text and "'bench', 'm.toml'" in text
    assert log.parent == (tmp_path if cache == "m.toml" else finished.folder / "cache" / "logs")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_while_nothing_is_trained_yet_is_one_line(specbp, number):
    """Kind: a stop between the start of a command and its first step."""
    program = (
        "import os, signal, specbp.matrix.expand as e, specbp.cli as c\n"
        f"e.matrix_from = lambda *_: os.kill(os.getpid(), {int(number)})\n"
        "c.main()"
    )
    (specbp.folder / "m.toml").write_text(MATRIX)
    done = subprocess.run(
        [sys.executable, "-c", program, "bench", "m.toml"],
        cwd=specbp.folder, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 130
    assert "run the same command again" in one_line(done.stderr)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run", "--epoch", "3"], "--epochs"),
        (["rum"], "Did you mean 'run'"),
        (["compare", "x"], "--arm"),
        (["compare", "x", "--arm", "a", "--max-ratio", "much"], "--max-ratio"),
        (["bench"], "MATRIX"),
        (["run", "extra"], "extra"),
    ],
)
def test_wrong_words_are_one_line_that_points_to_the_help(specbp, arguments, message):
    code, line = specbp.fails(*arguments)
    assert code == 2
    assert message in line and "--help" in line


def test_json_is_json_in_a_pipe(finished):
    for words in ("bench m.toml --dry-run --json", "compare done --arm pipelined --json"):
        code, output, _ = shell(finished.folder, f"specbp {words} | cat")
        assert code in (0, 4)  # 4: this busy machine allows no verdict
        assert json.loads(output)
