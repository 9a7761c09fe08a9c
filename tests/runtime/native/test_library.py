"""The native runtime is compiled by a compiler that fits, or one line says what is missing."""

import pytest

from specbp.backends.cpu import training as cpu
from specbp.backends.cpu.training import CpuTraining
from specbp.compiling import ToolError
from specbp.experiment import experiment_from
from specbp.runtime.native import library


@pytest.fixture
def compiler(monkeypatch, tmp_path):
    """A compiler that does what it is told to, and an empty cache."""
    monkeypatch.setenv("SPECBP_CACHE", str(tmp_path / "cache"))
    library.library.cache_clear()
    cpu.native_is_there.cache_clear()
    yield lambda does: _use(monkeypatch, tmp_path / "compiler", does)
    library.library.cache_clear()
    cpu.native_is_there.cache_clear()


def _use(monkeypatch, path, does):
    path.write_text(f'#!/bin/sh\nif [ "$1" = --version ]; then echo mine 1; exit; fi\n{does}\n')
    path.chmod(0o755)
    monkeypatch.setenv("CXX", str(path))


def test_a_compiler_that_fails_says_why(compiler):
    compiler("echo no such header; exit 1")
    with pytest.raises(ToolError, match="no such header"):
        library.library()


def test_what_a_compiler_built_must_load(compiler):
    compiler('while [ "$1" != -o ]; do shift; done; echo not a library > "$2"')
    with pytest.raises(ToolError, match="what mine 1 built does not load"):
        library.library()


def test_a_pytorch_without_the_stable_interface_is_named_before_anything_is_compiled(
    compiler, monkeypatch
):
    compiler("exit 1")
    monkeypatch.setattr(library, "_NEEDED_HEADER", "include/none.h")
    with pytest.raises(ToolError, match=r"has no stable C\+\+ interface: take 2\.10 or later"):
        library.library()


def test_without_a_compiler_that_fits_the_reference_trains_and_says_so(compiler, digits, caplog):
    """Kind: another execution than usual that nobody would know of."""
    compiler("echo no such header; exit 1")
    experiment = experiment_from({"schedule": "pipelined"})
    trainings = [CpuTraining(experiment, digits) for _ in range(2)]
    assert [one.about["runtime"] for one in trainings] == ["threads", "threads"]
    (said,) = [line for line in caplog.messages if "reference runtime in Python" in line]
    assert "no such header" in said
    library.library.cache_clear()
