"""Weight gradients on two engines, divided beforehand."""

import time
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from specbp.runtime.spans import Recorder
from specbp.schedules.chain import Chain
from specbp.schedules.engines import Done
from specbp.schedules.passes import forward, weight_gradients
from specbp.schedules.sharing import Costs, DividedWork, divided


def loads(costs, free_at, engine_of):
    return {
        engine: start + sum(costs[name] for name in costs if engine_of[name] == engine)
        for engine, start in free_at.items()
    }


def test_the_longest_task_goes_first_and_to_who_is_free_first():
    costs = {"first": 3.0, "second": 5.0, "third": 2.0}
    assert divided(costs, {0: 0.0, 1: 1.0}) == {"second": 0, "first": 1, "third": 1}


@given(
    st.dictionaries(st.text(), st.floats(0, 10), max_size=8),
    st.floats(0, 10),
    st.floats(0, 10),
)
def test_no_engine_ends_later_than_the_other_by_more_than_a_task(costs, free_0, free_1):
    free_at = {0: free_0, 1: free_1}
    ends = loads(costs, free_at, divided(costs, free_at))
    longest = max([0.0, *costs.values()])
    assert abs(ends[0] - ends[1]) <= max(longest, abs(free_0 - free_1)) + 1e-9


def test_who_does_not_take_part_gets_nothing():
    assert set(divided({"one": 1.0, "two": 2.0}, {1: 5.0}).values()) == {1}


@dataclass
class Step:
    """The weight gradients of a step, ready to be put."""

    chain: Chain
    tasks: list
    expected: list
    recorder: Recorder

    def put_into(self, work):
        for task in self.tasks:
            work.put(*task)
        work.close()

    def layers_of(self, engine, phase):
        return [
            one.layer for one in self.recorder.spans if (one.engine, one.phase) == (engine, phase)
        ]

    @property
    def names(self):
        return {layer.name for layer in self.chain.network.trained}


@pytest.fixture
def step(bench):
    images, labels = bench.batch(0, [0, 1, 2])
    outcome, _ = forward(bench.network, bench.arithmetic, bench.weights, images, labels)
    deltas = bench.deltas_of(outcome, labels, 3)
    weighted = [index for index, one in enumerate(bench.network.layers) if one.has_weights]
    return Step(
        Chain(bench.network, bench.arithmetic),
        [(i, outcome.inputs[i], one) for i, one in zip(weighted, deltas, strict=True)][::-1],
        weight_gradients(bench.network, bench.arithmetic.weight_gradient, outcome.inputs, deltas),
        Recorder(time.perf_counter),
    )


BOTH = {0: 0.0, 1: 0.0}


def test_each_engine_does_its_own_tasks_and_waits_for_their_deltas(bench, step):
    costs = Costs(weight_gradients=dict.fromkeys(step.names, 1.0))
    waited = []

    class Ready(Done):
        def result(self):
            waited.append(self)

    work = DividedWork(step.chain, step.recorder, costs, BOTH, lambda: Ready(None))
    step.put_into(work)
    work.work(1)
    on_1 = set(step.layers_of(1, "weight gradient"))
    assert len(on_1) == len(waited) == 2
    work.work(0)
    assert set(step.layers_of(0, "weight gradient")) == step.names - on_1
    assert bench.flat(work.finish()).equal(bench.flat(step.expected))
