"""Semaphores and barriers: all that are needed, and what the program would be without them."""

from dataclasses import replace

import numpy as np
import pytest

from specbp.overlay.compiler import compile_step
from specbp.overlay.compiler.ordering import ordered
from specbp.overlay.instructions import End, Nop, Semaphores
from specbp.overlay.interpreter import Interpreter
from specbp.overlay.parameters import Parameters
from specbp.overlay.races import RaceError
from tests.overlay.networks import SmallRecipe


@pytest.fixture(scope="module")
def compiled():
    from specbp.network.models import build

    recipe = SmallRecipe(build("digits-cnn", 1, 10, seed=0), (1, 8, 8), 10, batch_size=12)
    return compile_step(recipe.network, recipe.scales(), 12, Parameters())


def run(compiled, program):
    memory = np.zeros(compiled.memory.size, np.uint8)
    Interpreter(compiled.parameters, memory).run(program)


def test_a_compiled_step_has_no_races(compiled):
    run(compiled, compiled.descriptors)


def without_wait(program, position):
    """Return `program` with the first wait of a descriptor left out, and the signal it took."""
    changed = list(program)
    order = program[position].order
    number, *kept = order.waits
    taken = sum(number in one.order.waits for one in program[:position] if one.unit)
    signals = [place for place, one in enumerate(program)
               if one.unit and number in one.order.signals]  # fmt: skip
    changed[position] = replace(changed[position], order=Semaphores(tuple(kept), order.signals))
    signaller = changed[signals[taken]]
    others = tuple(one for one in signaller.order.signals if one != number)
    changed[signals[taken]] = replace(signaller, order=Semaphores(signaller.order.waits, others))
    return changed


def test_no_wait_can_be_left_out(compiled):
    program = compiled.descriptors
    waiting = [place for place, one in enumerate(program) if one.unit and one.order.waits]
    assert len(waiting) > 100
    for position in waiting[::7]:
        with pytest.raises(RaceError):
            run(compiled, without_wait(program, position))


def test_no_barrier_can_be_left_out(compiled):
    program = compiled.descriptors
    barriers = [place for place, one in enumerate(program) if isinstance(one, Nop)]
    assert barriers
    for position in barriers:
        with pytest.raises(RaceError):
            run(compiled, program[:position] + program[position + 1 :])


def test_ordering_again_changes_nothing(compiled):
    extent = compiled.memory
    bare = [
        replace(one, descriptor=replace(one.descriptor, order=Semaphores()))
        if one.descriptor.unit
        else one
        for one in compiled.tagged
        if not isinstance(one.descriptor, Nop)
    ]
    assert tuple(ordered(bare, compiled.parameters, extent)) == compiled.tagged
    assert isinstance(compiled.descriptors[-1], End)
