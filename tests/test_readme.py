"""Every command of the README does what the README says."""

import configparser
import os
import re
import shlex
import subprocess
import sys

import pytest

from tests.conftest import DATA_ROOT, REPOSITORY
from tests.forked import run_forked

README = (REPOSITORY / "README.md").read_text()
BLOCKS = re.findall(r"```bash\n(.*?)```", README, flags=re.DOTALL)
COMMANDS = [
    line.strip() for block in BLOCKS for line in block.splitlines() if line and line[0] != "#"
]
TOX = configparser.ConfigParser(interpolation=None)
TOX.read(REPOSITORY / "tox.ini")


def of_program(name):
    found = [command for command in COMMANDS if shlex.split(command, comments=True)[0] == name]
    assert found, f"the README has no command of {name}"
    return found


def tox_environments(command):
    words = shlex.split(command, comments=True)
    if "-e" in words:
        return words[words.index("-e") + 1].split(",")
    return [name.strip() for name in TOX["tox"]["env_list"].split(",")]


def run(command, folder):
    words = shlex.split(command, comments=True)
    return run_forked(words, folder, os.environ | {"SPECBP_DATA": str(DATA_ROOT)})


@pytest.fixture(scope="module")
def checkout(tmp_path_factory):
    """A folder that looks like a checkout, whose results are thrown away."""
    folder = tmp_path_factory.mktemp("checkout")
    (folder / "bench").symlink_to(REPOSITORY / "bench")
    return folder


def test_every_tox_environment_the_readme_names_is_there():
    for command in COMMANDS:
        if "tox run" in command:
            for name in tox_environments(command):
                assert f"testenv:{name}" in TOX, f"{command}: no such environment"


def test_ci_runs_the_readmes_test_command():
    (test_command,) = (c for c in of_program("python3") if c.endswith("tox run"))
    assert "tox run" in test_command
    assert "-m tox run\n" in (REPOSITORY / ".ci" / "run").read_text()


def test_the_demo_trains_compares_and_reports(checkout):
    """What `tox run -e demo` does, taken from tox.ini."""
    lines = TOX["testenv:demo"]["commands"].replace("{/}", "/").replace("{posargs}", "")
    for command in filter(None, (line.strip() for line in lines.splitlines())):
        done = run(command, checkout)
        assert done.returncode == 0, done.stderr
    assert "report: results/demo/report/report.html" in done.stdout
    for arm in ("sequential, 1 thread", "sequential, 2 threads", "pipelined"):
        assert arm in (checkout / "results/demo/report/report.md").read_text()


def test_every_specbp_command_runs(checkout, subtests):
    """In the order in which they are written; those before may leave what later ones read."""
    for command in of_program("specbp"):
        with subtests.test(command):
            done = run(command, checkout)
            busy = "no verdict on the time" in done.stderr
            assert done.returncode == (4 if busy else 0), done.stderr


def test_the_python_of_the_readme_runs(checkout):
    """It reads the results of the demo, which the tests above left."""
    (code,) = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=checkout, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    assert "pipelined" in done.stdout
