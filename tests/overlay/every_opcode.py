"""A program with every opcode, and all that is known of each of its descriptors."""

import hashlib

import numpy as np

from specbp.overlay.cycles import predict_descriptors
from specbp.overlay.instructions import (
    Addend,
    Buffer,
    Copy,
    End,
    Factors,
    Fill,
    Gate,
    Load,
    LoadIndex,
    LoadTransposed,
    Loop,
    Mac,
    Mask,
    Maximum,
    Move,
    Nop,
    Result,
    Select,
    Semaphores,
    Sgd,
    Skip,
    Softmax,
    Store,
    Total,
    encode,
)
from specbp.overlay.interpreter import Interpreter
from specbp.overlay.parameters import Parameters

PARAMETERS = Parameters()
BASE, SIZE = 1 << 16, 1 << 13
COPIED, STORED, ENTRIES, RECORDS, LABELS = (BASE + 1024 * n for n in range(2, 7))


def program():
    """Return its descriptors."""
    groups = PARAMETERS.groups
    return [
        Load(
            BASE, Buffer.SCALAR, 0, 64, (Move(2, 512, 64), Move(2, 16, 128)), Semaphores((), (1,)),
        ),
        Load(BASE + 64, Buffer.VECTOR, 0, 4 * groups, (), Semaphores((), (3,))),
        Load(BASE + 8, Buffer.BIAS, 2, 8, (Move(2, 24, 8),)),
        Fill(-7, Buffer.SCALAR, 300, 3, (Move(2, 0, 4),)),
        Fill(3, Buffer.VECTOR, 4 * groups, groups),
        LoadTransposed(BASE + 256, 8 * groups, 2, 16, (Move(2, 64, 1),)),
        LoadIndex(ENTRIES, 1, 5, 4),
        Nop(),
        Load(BASE, Buffer.SCALAR, 400, 2, (Move(2, 16, 2), Move(3, 32, 8, table=5))),
        Load(RECORDS, Buffer.SCALAR, 500, 3),
        Load(LABELS, Buffer.SCALAR, 510, 2),
        Nop(3),
        Mac(
            5, 0, (Loop(4, 1, 1),), (Loop(3, 4),), 10, Result.SUMS, groups,
            order=Semaphores((1, 3)),
        ),
        Mac(9, 1, (Loop(2, 1, 1),), (Loop(3, 4),), 20, Result.INT32, groups, 3, Addend.PARTIAL, 10),
        Mac(
            1, 0, (Loop(2, 1, 2),), (Loop(2, 4, 1),), 60, Result.INT16, 2,
            shift=5, addend=Addend.BIAS, addend_base=1, left=2, relu=True,
        ),
        Maximum(0, (Loop(3, 2, 0, 1),), (Loop(4, 8),), 80, index=90, t=-1),
        Maximum(4, (Loop(3, 2),), (Loop(4, 8),), 100),
        Total(2, (Loop(2, 1), Loop(2, 4)), (Loop(3, 5),), 110, 2),
        Mask(10, 40, (Loop(5, 1, 2),), 120),
        Select(10, 300, (Loop(2, 1, 0),), (Loop(3, 2, 1),), 130, -7),
        Softmax(16, 2040, 140, 150, 7, 12, 3),
        Sgd(0, 32, 64, 200, 5, Factors(29491, 20972, 26, 5, 7)),
        Gate(32, 96, 500, 240, 2, True, 3, 70_000),
        Gate(32, 96, 500, 250, 2, False, 3, 30_000, Semaphores((), (2,))),
        Store(STORED, 20, 4, (Move(6, 32, 4),), Semaphores((2,))),
        Store(STORED + 192, 60, 4),
        *(Store(STORED + 224 + 32 * n, 80 + 10 * n, 3) for n in range(6)),
        Store(STORED + 416, 140, 6, (Move(2, 48, 10),)),
        Store(STORED + 512, 200, 25),
        Store(STORED + 712, 240, 7, (Move(2, 56, 10),)),
        Store(STORED + 840, 240, 2, (Move(3, 8, 2, table=5),)),
        Skip(1, 5, 0, above=True),
        Nop(1000),
        Copy(STORED, COPIED, 999),
        Skip(1, 6, 60_000),
        Copy(BASE, BASE + 512, 100),
        End(),
    ]  # fmt: skip


def memory():
    """Return the memory before the program."""
    values = np.random.default_rng(0).integers(0, 256, SIZE).astype(np.uint8)
    words = values.view(np.uint16).reshape(-1, 4)
    words[(ENTRIES - BASE) // 8 :][:4, 1] = [2, 0, 7, 3]
    words[(RECORDS - BASE) // 8 :][:3] = [[4, 1, 2, 0], [9, 3, 4, 0], [4, 5, 6, 0]]
    words[(LABELS - BASE) // 8 :][:2] = [[0, 6, 3, 1], [2, 2, 2, 2]]
    return values


def known():
    """Return all that is known of each descriptor, and what the program left."""
    rows = []
    descriptors = program()
    words = encode(descriptors)
    for position, descriptor in enumerate(descriptors):
        accesses = descriptor.accesses(PARAMETERS.groups, lambda _: (BASE + 8, BASE + 808))
        rows.append(
            {
                "opcode": descriptor.opcode.name,
                "words": " ".join(f"{word:x}" for word in words[position]),
                "text": descriptor.text,
                "accesses": [[one.space, one.low, one.high, one.write] for one in accesses],
                "work": descriptor.work,
                "complete": predict_descriptors(descriptors[: position + 1], PARAMETERS),
            }
        )
    values = memory()
    interpreter = Interpreter(PARAMETERS, values, BASE, detect_races=False)
    interpreter.run(descriptors)
    judged = interpreter.labels.judged.nonzero()
    left = {
        "memory": hashlib.sha256(values.tobytes()).hexdigest(),
        "judged": [one.tolist() for one in judged],
    }
    return {"descriptors": rows, "left": left}
