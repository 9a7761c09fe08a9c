"""The way of the docs from an empty SD card to a training, on a board on loopback."""

import os
import re
import shlex

import pytest

import specbp as package
from specbp.overlay.parameters import Parameters
from specbp.simulation.build import build as build_model
from tests.conftest import REPOSITORY
from tests.deploy.loopback import LOGIN, SUDO
from tests.forked import run_forked

BLOCKS = re.findall(
    r"```console\n(.*?)```", (REPOSITORY / "docs" / "overlay.md").read_text(), re.DOTALL
)
(BLOCK,) = (block for block in BLOCKS if "ssh-copy-id" in block)
COMMANDS = BLOCK.strip().splitlines()
ON_A_BOARD = "xilinx@192.168.2.99"


def specbp(command, folder, board):
    words = shlex.split(command.replace(ON_A_BOARD, board.address))
    if words[1] == "overlay":
        words[words.index("pynq-z2")] = "simulated"
    if words[1] == "run":
        words += ["--train", "48", "--test", "20", "--batch-size", "8"]
    return run_forked(words, folder, os.environ | board.environment)


def test_at_most_ten_commands():
    assert len(COMMANDS) <= 10
    assert {shlex.split(command)[0] for command in COMMANDS} == {
        "pip", "specbp", "ssh-keyscan", "ssh-copy-id",
    }  # fmt: skip


def test_from_an_empty_card_to_a_training(bare_board, tmp_path):
    # Compiling the simulation takes longer than programming a board may.
    build_model(Parameters(cores=2))
    for command in COMMANDS:
        if command.startswith("specbp") and command != "specbp doctor":
            done = specbp(command, tmp_path, bare_board)
            assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
            for secret in (LOGIN, SUDO):
                assert secret not in done.stdout + done.stderr
    runs = package.load(tmp_path / "results/run").runs
    assert runs["status"].tolist() == ["ok"] and runs["simulated"].all()
    assert (runs["cycles"] > 0).all()


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("specbp board deploy xilinx:secret@board --build .", "no build of the overlay there"),
        ("specbp board deploy xilinx@192.168.2.99", "there is no build in build/overlay"),
        ("specbp board deploy xilinx@192.168.2.99 --rollback", "no version before"),
        ("specbp board deploy xilinx@192.168.2.99 --rollback --build .", "--build has no effect"),
        ("specbp board serve --host 0.0.0.0 --port 0", "no authentication"),
        ("specbp overlay build --board zedboard", "choose one of aup-zu3, kv260, pynq-z1"),
    ],
)
def test_one_line_says_what_is_wrong(bare_board, tmp_path, command, words):
    words_of = shlex.split(command.replace(ON_A_BOARD, bare_board.address))
    done = run_forked(words_of, tmp_path, os.environ | bare_board.environment)
    assert done.returncode in (1, 2) and words in done.stderr
    assert "secret" not in done.stderr.replace(LOGIN, "x")
    assert "Traceback" not in done.stderr
