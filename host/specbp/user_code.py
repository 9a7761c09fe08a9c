"""Code that a user names as ``module:attribute``: a model, a data set, a schedule."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch

from specbp.errors import UsageError


def attribute(kind: str, name: str) -> object:
    """Return what ``module:attribute`` names; the current folder is searched too.

    Args:
        kind: what it is to be, for errors, such as ``model``.
        name: module and attribute, with a colon between them.

    Raises:
        UsageError: the module cannot be imported, or has no such attribute.
    """
    module_name, _, attribute_name = name.partition(":")
    current = str(Path.cwd())
    if current not in sys.path:
        sys.path.insert(0, current)
    with errors_named(kind, name, f"importing {module_name}"), torch_untouched(seed=0):
        module = importlib.import_module(module_name)
    with errors_named(kind, name, f"{module_name}.{attribute_name}"):
        return getattr(module, attribute_name)


@contextmanager
def errors_named(kind: str, name: str, doing: str) -> Iterator[None]:
    """Turn whatever a user's own code raises, ending the process included, into one line."""
    try:
        yield
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        first_line = next(iter(str(error).splitlines()), "")
        raise UsageError(
            f'{kind} "{name}": {doing}: {type(error).__name__}: {first_line}'
        ) from error


@contextmanager
def torch_untouched(seed: int) -> Iterator[None]:
    """Seed PyTorch's generator, and leave PyTorch afterwards as it was before."""
    dtype, gradients = torch.get_default_dtype(), torch.is_grad_enabled()
    with torch.random.fork_rng(devices=[]):
        # Not `torch.manual_seed`, which means all devices and remembers every call, with its stack.
        torch.default_generator.manual_seed(seed)
        try:
            yield
        finally:
            torch.set_default_dtype(dtype)
            torch.set_grad_enabled(gradients)
