"""The compiler: a network, its scales and a batch size become a program and a memory map.

A program is one training step of a batch, sequential, without the host in between; or its forward
alone. Each kind of pass is one module, which emits descriptors in an order in which they are right
one after the other (`emitter`); `ordering` then lets load, compute and store overlap.
"""

from __future__ import annotations

from specbp.overlay.compiler.compile import compile_forward, compile_step
from specbp.overlay.compiler.program import Compiled, Update

__all__ = ["Compiled", "Update", "compile_forward", "compile_step"]
