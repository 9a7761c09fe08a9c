"""The compiler: a network, its scales and a batch size become programs and a memory map.

A program is one training step of a batch, without the host in between, for one core or for two;
or its forward alone. Each kind of pass is one module, which emits descriptors in an order in which
they are right one after the other (`emitter`); `ordering` then lets load, compute and store
overlap, `core_program` keeps two cores in step.
"""

from __future__ import annotations

from specbp.overlay.compiler.compile import compile_forward, compile_step
from specbp.overlay.compiler.program import Compiled, Update
from specbp.overlay.compiler.speculative import Method, Speculation, compile_speculation
from specbp.overlay.compiler.two_cores import compile_on_two_cores

__all__ = [
    "Compiled",
    "Method",
    "Speculation",
    "Update",
    "compile_forward",
    "compile_on_two_cores",
    "compile_speculation",
    "compile_step",
]
