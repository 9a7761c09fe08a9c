"""The commands of the docs that need a GPU."""

import re

import pytest
import torch

from tests.conftest import DATA_ROOT, REPOSITORY

PAGE = (REPOSITORY / "docs" / "backends.md").read_text()
(BLOCK,) = (
    block for block in re.findall(r"```console\n(.*?)```", PAGE, flags=re.DOTALL) if "cuda" in block
)
RUNS = [line for line in BLOCK.splitlines() if line.startswith("specbp run")]


@pytest.mark.skipif(not torch.cuda.is_available(), reason="PyTorch sees no GPU")
@pytest.mark.parametrize("command", RUNS)
def test_a_command_for_a_gpu_runs(specbp, command):
    if not (DATA_ROOT / "cifar-100-python").exists() and "cifar100" in command:
        pytest.skip(f"CIFAR-100 is not in {DATA_ROOT}")
    _, *arguments = command.split()
    small = ["--train", "640", "--test", "100", "--epochs", "1"]
    code, _, error = specbp(*arguments, *small, SPECBP_DATA=str(DATA_ROOT))
    assert code == 0, error


@pytest.mark.skipif(torch.cuda.is_available(), reason="PyTorch sees a GPU")
def test_without_a_gpu_one_line_says_what_is_missing(specbp):
    code, message = specbp.fails("run", "--backend", "cuda")
    assert code == 2
    assert "cuda:0: PyTorch sees no GPU" in message
