"""The overlay's instructions, one file for each family.

A descriptor class has all of an instruction: its fields, its encoding, its text in a listing, what
it reads and writes, how long its unit is at work, and what it computes. `overlays/specbp/ISA.md`
specifies the same.
"""

from specbp.overlay.instructions.control import Copy, End, Nop, Skip
from specbp.overlay.instructions.descriptor import (
    DESCRIPTOR_BYTES,
    DESCRIPTOR_WORDS,
    Descriptor,
    Semaphores,
    Unit,
    encode,
)
from specbp.overlay.instructions.gate import Gate
from specbp.overlay.instructions.loops import Loop, Loops
from specbp.overlay.instructions.mac import Addend, Mac, Result
from specbp.overlay.instructions.move import (
    Buffer,
    Fill,
    Load,
    LoadIndex,
    LoadTransposed,
    Store,
)
from specbp.overlay.instructions.pooling import Mask, Maximum, Select, Total
from specbp.overlay.instructions.sgd import Factors, Sgd
from specbp.overlay.instructions.softmax import Softmax
from specbp.overlay.instructions.strides import Move, Moves

__all__ = [
    "DESCRIPTOR_BYTES",
    "DESCRIPTOR_WORDS",
    "Addend",
    "Buffer",
    "Copy",
    "Descriptor",
    "End",
    "Factors",
    "Fill",
    "Gate",
    "Load",
    "LoadIndex",
    "LoadTransposed",
    "Loop",
    "Loops",
    "Mac",
    "Mask",
    "Maximum",
    "Move",
    "Moves",
    "Nop",
    "Result",
    "Select",
    "Semaphores",
    "Sgd",
    "Skip",
    "Softmax",
    "Store",
    "Total",
    "Unit",
    "encode",
]
