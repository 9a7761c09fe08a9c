"""Bounds from the passes of a sequential step, and where the cycles of a core go."""

from specbp.overlay.core_cycles import Event
from specbp.overlay.cycles import CoreCycles, Prediction
from specbp.overlay.explained import CoreTime, SequentialCycles, core_spans, core_times
from specbp.overlay.instructions import Unit

STEP = SequentialCycles(forward=100, deltas=120, weight_gradients=150, updates=30)


def test_the_papers_bound_counts_all_but_the_forward_as_backward():
    assert STEP.papers_bound == 300 / 400


LOAD, COMPUTE = Unit.LOAD, Unit.COMPUTE
EVENTS = (
    Event(0, LOAD, given=0, started=0, ended=10, waited_for="unit", late=2.0),
    Event(1, COMPUTE, given=0, started=10, ended=40, waited_for="semaphore"),
    Event(2, COMPUTE, given=5, started=30, ended=60, waited_for="unit"),
    Event(3, LOAD, given=50, started=80, ended=90, waited_for="other core", late=1.0),
    Event(4, LOAD, given=55, started=85, ended=95, waited_for="other core"),
    Event(5, COMPUTE, given=60, started=95, ended=100, waited_for="semaphore"),
    Event(6, Unit.STORE, given=60, started=100, ended=110, waited_for="semaphore"),
)
"""A core that computes from 10 to 60 and from 95 to 100; two loads wait for the other core."""


def test_a_core_does_one_thing_at_a_time_and_always_something():
    found = [(one.started, one.ended, one.doing, one.position) for one in core_spans(EVENTS)]
    assert found == [
        (0, 10, "memory", None),
        (10, 40, "computing", 1),
        (40, 60, "computing", 2),
        (60, 85, "other core", None),
        (85, 95, "memory", None),
        (95, 100, "computing", 5),
        (100, 110, "memory", None),
    ]


def test_the_times_of_a_core_add_up_to_the_step():
    both = Prediction((CoreCycles(110, (), EVENTS), CoreCycles(130, (), ())))
    first, second = core_times(both)
    assert first == CoreTime(computing=55, other_core=25, memory=30, ended=20, contention=3)
    assert second == CoreTime(0, 0, 0, ended=130, contention=0)
