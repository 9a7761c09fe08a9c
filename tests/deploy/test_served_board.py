"""`specbp board serve --ssh`: what anyone can try without a board."""

import os
import re
import shlex
import signal
import stat
import time

import pytest

from specbp.overlay.parameters import Parameters
from specbp.simulation.build import build as build_model
from tests.forked import run_forked, start_command


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """The variables that it prints, its address, and its folder."""
    for cores in (1, 2):
        build_model(Parameters(cores=cores))
    folder = tmp_path_factory.mktemp("served")
    files = [folder / name for name in ("output", "error")]
    command = shlex.split("specbp board serve --ssh --port 0 --home account")
    process = start_command(command, folder, dict(os.environ), *files)
    end = time.monotonic() + 120
    while "board doctor" not in (said := files[0].read_text() if files[0].exists() else ""):
        assert process.is_alive() and time.monotonic() < end, files[1].read_text()
        time.sleep(0.1)
    variables = dict(re.findall(r"^export (\w+)=(\S+)$", said, re.MULTILINE))
    address = re.search(r"^specbp board doctor (\S+)$", said, re.MULTILINE)[1]
    yield os.environ | variables, address, folder
    os.kill(process.pid, signal.SIGTERM)
    process.join(30)
    assert process.exitcode == 0 and "Traceback" not in files[1].read_text()


def test_deploying_twice_and_going_back(served, tmp_path):
    environment, address, _ = served
    for command, words in (
        (f"board doctor {address}", "none, or"),
        ("overlay build --board simulated --lanes 16", "next: specbp board deploy"),
        (f"board deploy {address}", "is current now: 1 core of 16 lanes"),
        ("overlay build --board simulated --lanes 16 --cores 2", "next: specbp board deploy"),
        (f"board deploy {address}", "is current now: 2 cores of 16 lanes"),
        (f"board deploy {address} --rollback", "is current now: 1 core of 16 lanes"),
        (f"board doctor {address}", "before it"),
    ):
        done = run_forked(["specbp", *shlex.split(command)], tmp_path, environment)
        if words != "none, or":
            assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
            assert words in done.stdout
        assert environment["SPECBP_BOARD_PASSWORD"] not in done.stdout + done.stderr


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"SPECBP_BOARD_PASSWORD": "wrong"}, "the password is wrong"),
        ({"SPECBP_BOARD_PASSWORD": ""}, "no password"),
        ({"SPECBP_KNOWN_HOSTS": os.devnull}, "host key is not among the known ones"),
        ({"SPECBP_KNOWN_HOSTS": "nowhere"}, "nowhere: no such file of host keys"),
    ],
)
def test_ways_not_to_get_in_are_one_line(served, tmp_path, change, words):
    environment, address, _ = served
    done = run_forked(["specbp", "board", "doctor", address], tmp_path, environment | change)
    assert done.returncode == 1 and done.stderr.count("\n") == 1
    assert words in done.stderr and "Traceback" not in done.stderr


def test_a_board_that_is_off_is_one_line(served, tmp_path):
    environment, _, _ = served
    command = "specbp run --backend pynq://xilinx@127.0.0.1:1 --results r --batch-size 8 --train 8"
    done = run_forked(shlex.split(command), tmp_path, environment)
    assert done.returncode in (1, 4) and "Traceback" not in done.stderr + done.stdout
    assert "no SSH server at port 1: is it still starting" in done.stderr + done.stdout


def test_only_its_user_reads_what_lets_in(served):
    environment, _, folder = served
    for name in ("account/host_key", "account/home/.sudo-password"):
        assert stat.S_IMODE((folder / name).stat().st_mode) == 0o600, name
    assert len(environment["SPECBP_BOARD_PASSWORD"]) >= 12


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ("--ssh --host 0.0.0.0", "whoever logs in runs commands as you"),
        ("--home x", "--home has no effect without --ssh"),
        ("--board zedboard", "unknown board"),
    ],
)
def test_what_cannot_be_served(tmp_path, options, words):
    done = run_forked(shlex.split(f"specbp board serve {options}"), tmp_path, dict(os.environ))
    assert done.returncode == 2 and words in done.stderr


def test_a_port_in_use(served, tmp_path):
    _, address, _ = served
    port = address.rpartition(":")[2]
    done = run_forked(
        shlex.split(f"specbp board serve --ssh --port {port}"), tmp_path, dict(os.environ)
    )
    assert done.returncode == 2 and f"127.0.0.1:{port} is in use" in done.stderr
