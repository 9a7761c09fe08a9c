"""Compiles the native runtime when it is first used, and loads it.

It is built against PyTorch's stable C interface, whose light headers compile in seconds with any
C++20 compiler and need no header of Python.
"""

from __future__ import annotations

import hashlib
import logging
from functools import cache
from pathlib import Path
from typing import Any

import torch

from specbp.compiling import ToolError, cached, find_compiler, processor, run

FOLDER = Path(__file__).parent
_FLAGS = (
    "-std=c++20", "-O3", "-march=native", "-ffp-contract=off", "-fPIC", "-shared", "-w",
)  # fmt: skip
_LIBRARIES = ("torch", "torch_cpu", "c10")
_NEEDED_HEADER = "include/torch/csrc/stable/library.h"


@cache
def library() -> Any:
    """Return the operators of the native runtime, compiled once for each PyTorch and processor.

    Raises:
        ToolError: no C++ compiler is there, PyTorch is too old, or the compiler failed.
    """
    torch_folder = Path(torch.__file__).parent
    if not (torch_folder / _NEEDED_HEADER).exists():
        raise ToolError(
            f"PyTorch {torch.__version__} has no stable C++ interface: take 2.10 or later"
        )
    compiler = find_compiler()
    sources = sorted(path for path in FOLDER.iterdir() if path.suffix in (".h", ".cpp"))
    made_of = (
        [path.read_text() for path in sources], torch.__version__, str(torch_folder),
        compiler.version, _FLAGS, processor(),
    )  # fmt: skip
    key = hashlib.sha256(repr(made_of).encode()).hexdigest()[:16]

    def make(folder: Path) -> Path:
        logging.getLogger(__name__).warning("compiling the native runtime, once: 10 to 20 s")
        target = folder / "runtime.so"
        libraries = torch_folder / "lib"
        run(
            [
                *compiler.command, *_FLAGS, f"-I{torch_folder / 'include'}",
                str(FOLDER / "runtime.cpp"), "-o", str(target), f"-L{libraries}",
                f"-Wl,-rpath,{libraries}", *(f"-l{name}" for name in _LIBRARIES),
            ]
        )  # fmt: skip
        return target

    path = cached(f"runtime-{key}.so", make)
    try:
        torch.ops.load_library(str(path))
    except OSError as error:
        raise ToolError(f"{path}: what {compiler.version} built does not load: {error}") from error
    return torch.ops.specbp
