"""What only two cores, or a gate, need: interpreted."""

import numpy as np
import pytest

from specbp.overlay.cycles import predict_descriptors
from specbp.overlay.instructions import (
    Buffer,
    End,
    Gate,
    Load,
    LoadIndex,
    Loop,
    Move,
    Nop,
    Semaphores,
    Skip,
    Store,
    Total,
)
from specbp.overlay.interpreter import Interpreter, ProgramError
from specbp.overlay.parameters import Parameters
from specbp.overlay.races import RaceError

CORES = Parameters(cores=2)
NEW, OLD = 0, 512
"""Where things lie in memory: what one core writes, and what is there before."""


def copy(source, target, wait=0, signal=0):
    """Copy a word through a core."""
    return [
        Load(source, Buffer.SCALAR, 0, 1, order=Semaphores(signals=(1,), shared_wait=wait)),
        Total(0, (), (Loop(1),), 0, 0, order=Semaphores((1,), (3,))),
        Store(target, 0, 1, order=Semaphores((3,), shared_signal=signal)),
    ]


def machine(parameters=CORES):
    memory = np.zeros(1024, np.uint8)
    words = memory.view(np.int16).reshape(-1, 4)
    words[OLD // 8] = 1, 2, 3, 4
    return Interpreter(parameters, memory), words


def test_a_shared_semaphore_orders_memory_between_cores():
    interpreter, words = machine()
    reads = [*copy(NEW, NEW + 64, wait=5), End()]
    writes = [*copy(OLD, NEW, signal=5), End()]
    interpreter.run(reads, writes)
    assert words[8].tolist() == [1, 2, 3, 4]


def test_what_nothing_orders_between_cores_is_a_race():
    interpreter, _ = machine()
    with pytest.raises(RaceError, match="descriptor 2 of core 0 of the store unit writes"):
        interpreter.run([*copy(OLD, NEW), End()], [*copy(NEW, NEW + 64), End()])


def test_two_cores_that_wait_for_each_other_are_named():
    interpreter, _ = machine()
    with pytest.raises(ProgramError, match=r"core 0 waits at descriptor 0.*core 1 waits"):
        interpreter.run(
            [*copy(OLD, NEW, wait=1, signal=2), End()], [*copy(OLD, NEW, wait=2, signal=1), End()]
        )


def test_samples_are_found_through_the_index_table():
    interpreter, words = machine(Parameters())
    words[16:24] = np.arange(8)[:, None]
    words[40:43, 2] = 5, 0, 3
    interpreter.run([
        LoadIndex(40 * 8, 2, 7, 3), Nop(),
        Load(16 * 8, Buffer.SCALAR, 0, 1, (Move(3, 8, 1, table=7),), Semaphores(signals=(1,))),
        Total(0, (), (Loop(3, 1),), 0, 0, Semaphores((1,), (3,))),
        Store(0, 0, 3, order=Semaphores((3,))), End(),
    ])  # fmt: skip
    assert words[:3, 0].tolist() == [5, 0, 3]


def test_the_table_is_read_only_behind_a_barrier():
    interpreter, _ = machine(Parameters())
    load = Load(0, Buffer.SCALAR, 0, 1, (Move(1, 8, 1, table=0),))
    with pytest.raises(RaceError, match="entry 0 of the index table"):
        interpreter.run([LoadIndex(0, 0, 0, 1), load, End()])


@pytest.mark.parametrize(
    ("entry", "limit", "above", "skipped"),
    [(3, 3, False, True), (4, 3, False, False), (4, 3, True, True), (3, 3, True, False)],
)
def test_skip(entry, limit, above, skipped):
    interpreter, words = machine(Parameters())
    words[40, 1] = entry
    interpreter.run([LoadIndex(40 * 8, 1, 9, 1), Skip(3, 9, limit, above), *copy(OLD, NEW), End()])
    assert (words[0].tolist() == [0, 0, 0, 0]) == skipped


def gate(total, limit, valid=(0, 1)):
    """Judge three samples of two classes with distances 10 and 30, 100 and 0, 5 and 5."""
    interpreter, words = machine(Parameters())
    interpreter.labels.valid[list(valid)] = True
    words[16:19, :2] = [[100, 50], [300, 0], [7, 7]]
    words[19:22, :2] = [[110, 20], [200, 0], [2, 12]]
    words[22:25, :3] = [[0, 8, 9], [1, 18, 19], [4, 28, 29]]
    interpreter.run([
        Load(16 * 8, Buffer.SCALAR, 0, 9, order=Semaphores(signals=(1,))),
        Gate(0, 3, 6, 0, 1, total, 3, limit, Semaphores((1,), (3,))),
        Store(0, 0, 7, order=Semaphores((3,))), End(),
    ])  # fmt: skip
    return words[:7].tolist(), interpreter.labels


def test_a_gate_with_the_largest_difference():
    verdicts, labels = gate(total=False, limit=31)
    assert verdicts[:3] == [[1, 30, 8, 0], [0, 100, 19, 0], [0, 5, 29, 0]]
    # Label 4 was not valid; the list of rejected samples is filled up with its last.
    assert verdicts[3:6] == [[19, 1, 0, 0], [29, 2, 0, 0], [29, 2, 0, 0]]
    assert verdicts[6] == [1, 2, 0, 0]
    assert labels.valid[[0, 1, 4]].all()
    assert labels.judged[:, [0, 1, 4]].tolist() == [[1, 0, 0], [0, 1, 1]]


def test_a_gate_with_the_sum_of_differences():
    verdicts, _ = gate(total=True, limit=101, valid=(0, 1, 4))
    assert [one[:2] for one in verdicts[:3]] == [[1, 40], [1, 100], [1, 10]]
    assert verdicts[3:] == [[0, 0, 0, 0]] * 3 + [[3, 0, 0, 0]]


def test_a_gate_takes_time():
    program = [Gate(0, 3, 6, 0, 1, False, 3), End()]
    assert predict_descriptors(program, Parameters()) > predict_descriptors([End()], Parameters())
