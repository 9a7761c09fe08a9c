"""Steps in C++, since Python between their passes takes its time; compiled when first used."""

from __future__ import annotations

import hashlib
import importlib.util
import logging
import sysconfig
from functools import cache
from pathlib import Path
from types import ModuleType

import torch

from specbp.compiling import ToolError, cached, find_compiler, run

SOURCE = Path(__file__).with_name("steps.cpp")
_FLAGS = ("-std=c++20", "-O2", "-fPIC", "-shared", "-w")
_LIBRARIES = ("torch", "torch_cpu", "torch_python", "c10")


@cache
def compiled() -> ModuleType:
    """Return steps.cpp as a module; compiling it, once for each PyTorch, takes half a minute.

    Raises:
        ToolError: there is no C++ compiler or no header of Python, or what it made is of no use.
    """
    compiler = find_compiler()
    python = sysconfig.get_path("include")
    if not Path(python, "Python.h").exists():
        raise ToolError(f"{python}/Python.h is missing: install python3-dev, or take backend cpu")
    torch_folder = Path(torch.__file__).parent
    text = SOURCE.read_text()
    made_of = text, torch.__version__, torch_folder, python, compiler.version, _FLAGS
    key = hashlib.sha256(repr(made_of).encode()).hexdigest()[:16]

    def make(folder: Path) -> Path:
        logging.getLogger(__name__).warning("compiling native steps, once: half a minute")
        target = folder / SOURCE.stem
        includes = (torch_folder / "include", torch_folder / "include/torch/csrc/api/include")
        libraries = torch_folder / "lib"
        run(
            [
                *compiler.command,
                *_FLAGS,
                *(f"-I{one}" for one in (*includes, python)),
                str(SOURCE),
                *("-o", str(target)),
                f"-L{libraries}",
                f"-Wl,-rpath,{libraries}",
                *(f"-l{one}" for one in _LIBRARIES),
            ]
        )
        return target

    path = cached(f"{SOURCE.stem}-{key}.so", make)
    try:
        return _imported(path)
    except ImportError as error:  # its standard library is not that of PyTorch's compiler
        raise ToolError(
            f"{compiler.version} does not fit this PyTorch: install g++ and set CXX=g++, or take "
            f"backend cpu ({error})"
        ) from error


def _imported(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(SOURCE.stem, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
