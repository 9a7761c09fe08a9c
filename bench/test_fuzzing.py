"""Input that nobody vouches for, damaged at random for longer than the tests do it.

SPECBP_FUZZ_SECONDS says how long the calls to a board, its answers and builds, 60 unless set;
SPECBP_FUZZ_FILES how many files of each data set, 5,000; SPECBP_FUZZ_STATES how many frames and
checkpoints of each kind, 1,500; SPECBP_FUZZ_SEED from which seed, 1.
"""

import os

import pytest

from tests.datasets.conftest import write_idx, write_pickle  # noqa: F401
from tests.datasets.test_damaged_files import CifarFiles, IdxFiles, fuzz
from tests.matrix import test_damaged_results as damaged

SECONDS = float(os.environ.get("SPECBP_FUZZ_SECONDS", "60"))
STATES = int(os.environ.get("SPECBP_FUZZ_STATES", "1500"))
FILES = int(os.environ.get("SPECBP_FUZZ_FILES", "5000"))
SEED = int(os.environ.get("SPECBP_FUZZ_SEED", "1"))


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_idx_files(tmp_path, write_idx, suffix):  # noqa: F811
    assert fuzz(IdxFiles(tmp_path, write_idx, suffix), FILES, SEED) > FILES / 2


def test_cifar_files(tmp_path, write_pickle):  # noqa: F811
    assert fuzz(CifarFiles(tmp_path, write_pickle), FILES, SEED) > FILES / 2


def test_frames(tmp_path):
    assert damaged.fuzz(damaged.fuzz_results, tmp_path, STATES, SEED) > STATES / 3


def test_published_frames(tmp_path):
    assert damaged.fuzz(damaged.fuzz_published, tmp_path, STATES, SEED) > STATES / 3


def test_checkpoints(tmp_path):
    assert damaged.fuzz(damaged.fuzz_checkpoints, tmp_path, STATES, SEED) > STATES / 3


def test_answers_of_a_board():
    pytest.importorskip("asyncssh", reason="needs the extra boards")
    from tests.deploy.test_untrusted_board import fuzz_answers

    assert fuzz_answers(SECONDS, SEED) > SECONDS


def test_calls_to_a_board():
    pytest.importorskip("pynq", reason="needs the extra fpga")
    from tests.remote.test_calls_of_anything import fuzz_a_board

    assert len(fuzz_a_board(SECONDS, SEED)) > SECONDS
