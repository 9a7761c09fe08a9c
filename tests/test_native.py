"""Native steps are compiled by a compiler that fits, or one line says what is missing."""

import pytest

from specbp import native
from specbp.compiling import ToolError


@pytest.fixture
def compiler(monkeypatch, tmp_path):
    """A compiler that does what it is told to, and an empty cache."""
    monkeypatch.setenv("SPECBP_CACHE", str(tmp_path / "cache"))
    native.compiled.cache_clear()
    yield lambda does: _use(monkeypatch, tmp_path / "compiler", does)
    native.compiled.cache_clear()


def _use(monkeypatch, path, does):
    path.write_text(f'#!/bin/sh\nif [ "$1" = --version ]; then echo mine 1; exit; fi\n{does}\n')
    path.chmod(0o755)
    monkeypatch.setenv("CXX", str(path))


def test_a_compiler_that_fails_says_why(compiler):
    compiler("echo no such header; exit 1")
    with pytest.raises(ToolError, match="no such header"):
        native.compiled()


def test_a_compiler_that_does_not_fit_is_named_with_the_cure(compiler):
    compiler('while [ "$1" != -o ]; do shift; done; echo not a library > "$2"')
    with pytest.raises(ToolError, match="mine 1 does not fit this PyTorch: install g"):
        native.compiled()


def test_without_the_header_of_python_nothing_is_compiled(compiler, monkeypatch, tmp_path):
    monkeypatch.setattr(native.sysconfig, "get_path", lambda name: str(tmp_path))
    with pytest.raises(ToolError, match=r"Python\.h is missing: install python3-dev"):
        native.compiled()
