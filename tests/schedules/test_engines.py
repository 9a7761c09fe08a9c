import threading

import pytest
import torch

from specbp.schedules.engines import SameEngine, ThreadEngine


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
