import threading
import time
from contextlib import nullcontext
from functools import partial

import pytest
import torch

from specbp.schedules.engines import SameEngine, ThreadEngine, work_through


@pytest.fixture
def engine():
    engine = ThreadEngine(threads=1)
    yield engine
    engine.close()


def test_a_thread_engine_works_in_the_order_of_submission(engine):
    order = []
    pending = [engine.submit(lambda n=n: order.append(n)) for n in range(20)]
    for one in pending:
        one.result()
    assert order == list(range(20))


def test_a_thread_engine_runs_beside_its_caller(engine):
    go = threading.Event()
    pending = engine.submit(lambda: go.wait(20))
    go.set()
    assert pending.result()


def test_a_thread_engine_has_the_threads_it_was_given(engine):
    torch.set_num_threads(2)
    assert engine.submit(torch.get_num_threads).result() == 1


def test_the_same_engine_works_at_once():
    done = []
    pending = SameEngine().submit(lambda: done.append(1) or "value")
    assert done == [1]
    assert pending.result() == "value"


def test_two_engines_work_through_tasks_together_and_do_each_once():
    """The first task of each engine waits for that of the other."""
    meeting, done, by = threading.Barrier(2, timeout=20), [], {}

    def task(number):
        who = threading.get_ident()
        if who not in by:
            by[who] = number
            meeting.wait()
        done.append(number)

    engine = ThreadEngine(1)
    tasks = [partial(task, number) for number in range(20)]
    work_through(engine, tasks, lambda number: nullcontext())
    engine.close()
    assert sorted(done) == list(range(20))
    assert len(by) == 2


def test_an_error_in_a_task_of_engine_1_is_raised_in_the_caller():
    caller = threading.get_ident()

    def task():
        if threading.get_ident() != caller:
            raise RuntimeError("broken on purpose")
        time.sleep(0.01)

    engine = ThreadEngine(1)
    with pytest.raises(RuntimeError, match="broken on purpose"):
        work_through(engine, [task] * 50, lambda number: nullcontext())
    engine.close()
