"""Programs whose result would depend on timing are found, and no others."""

import numpy as np
import pytest

from specbp.overlay.instructions import Buffer, End, Fill, Load, Loop, Mask, Nop, Semaphores, Store
from specbp.overlay.interpreter import Interpreter, ProgramError
from specbp.overlay.parameters import Parameters
from specbp.overlay.races import RaceError

LOADED, FREE, READY, DRAINED = 1, 2, 3, 4
SOURCE, RESULT = 0, 1024


def order(waits=(), signals=()):
    return Semaphores(tuple(waits), tuple(signals))


def tile(number, waits=True):
    """Load a tile, ReLU it, store it; two slots everywhere."""
    slot = number % 2 * 8
    again = number >= 2 and waits
    return [
        Load(SOURCE + 64 * number, Buffer.SCALAR, slot, 8,
             order=order([FREE] if again else [], [LOADED])),
        Mask(slot, slot, (Loop(8, 1, 1),), slot,
             order=order([LOADED, DRAINED] if again else [LOADED], [FREE, READY])),
        Store(RESULT + 64 * number, slot, 8, order=order([READY], [DRAINED])),
    ]  # fmt: skip


def run(program, memory=None):
    memory = np.zeros(4096, np.uint8) if memory is None else memory
    Interpreter(Parameters(), memory).run([*program, End()])
    return memory


def test_two_slots_kept_apart_by_semaphores_pass():
    memory = np.zeros(4096, np.uint8)
    memory[:1024] = np.random.default_rng(0).integers(0, 256, 1024)
    run([one for number in range(6) for one in tile(number)], memory)
    values = memory.view(np.int16)
    expected = values[:192].clip(min=0)
    assert (values[512 : 512 + 192] == expected).all()


def without(program, position, semaphore):
    """Return `program` with one wait, and the signal it took, left out."""
    from dataclasses import replace

    changed = list(program)
    one = changed[position]
    waits = tuple(number for number in one.order.waits if number != semaphore)
    changed[position] = replace(one, order=Semaphores(waits, one.order.signals))
    return changed


@pytest.mark.parametrize(
    ("position", "semaphore", "said"),
    [
        (1, LOADED, "reads scalar word 0, which descriptor 0 of the load unit writes"),
        (2, READY, "reads output word 0, which descriptor 1 of the compute unit writes"),
        (6, FREE, "writes scalar word 0, which descriptor 1 of the compute unit reads"),
        (7, DRAINED, "writes output word 0, which descriptor 2 of the store unit reads"),
    ],
)
def test_every_missing_wait_is_found(position, semaphore, said):
    program = [one for number in range(3) for one in tile(number)]
    run(program)
    with pytest.raises(RaceError, match=said):
        run(without(program, position, semaphore))


def test_reading_back_what_was_stored_needs_a_barrier():
    stored = tile(0)
    back = Load(RESULT, Buffer.SCALAR, 100, 8)
    with pytest.raises(RaceError, match="reads memory word 128, which descriptor 2"):
        run([*stored, back])
    run([*stored, Nop(), back])


def test_a_semaphore_orders_all_that_came_before_its_signal():
    run([
        Fill(1, Buffer.SCALAR, 0, 4),
        Fill(1, Buffer.SCALAR, 4, 4, order=order([], [LOADED])),
        Mask(0, 4, (Loop(4, 1, 1),), 0, order=order([LOADED])),
    ])  # fmt: skip


def test_a_wait_that_nothing_signals_is_found():
    with pytest.raises(RaceError, match="waits for semaphore 7, which nothing before it signals"):
        run([Fill(0, Buffer.SCALAR, 0, 1, order=order([7]))])


def test_a_semaphore_of_two_units_orders_nothing():
    fill = Fill(0, Buffer.SCALAR, 0, 1, order=order([], [1]))
    with pytest.raises(RaceError, match="signals semaphore 1, as the load unit does"):
        run([fill, Nop(), Mask(0, 0, (), 0, order=order([], [1]))])


def test_a_semaphore_that_may_overflow_is_found():
    fill = Fill(0, Buffer.SCALAR, 0, 1, order=order([], [1]))
    run([fill] * 255)
    with pytest.raises(RaceError, match="beyond 255"):
        run([fill] * 256)


def test_what_nothing_has_written_is_not_read():
    with pytest.raises(ProgramError, match="descriptor 0: scalar word 3 is read before"):
        run([Mask(3, 3, (), 0)])
