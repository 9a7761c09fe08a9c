"""How weight gradients are divided where nobody can ask which engine is free."""

import time

from hypothesis import given
from hypothesis import strategies as st

from specbp.schedules.chain import Chain
from specbp.schedules.engines import Done
from specbp.schedules.passes import forward, weight_gradients
from specbp.schedules.sharing import Costs, DividedWork, divided
from specbp.schedules.spans import Recorder


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


def test_each_engine_does_its_own_tasks_and_waits_for_their_deltas(bench):
    images, labels = bench.batch(0, [0, 1, 2])
    outcome, _ = forward(bench.network, bench.arithmetic, bench.weights, images, labels)
    deltas = bench.deltas_of(outcome, labels, 3)
    weighted = [index for index, one in enumerate(bench.network.layers) if one.has_weights]
    names = [bench.network.layers[index].name for index in weighted]
    costs = Costs(weight_gradients=dict.fromkeys(names, 1.0))
    waited = []

    class Ready(Done):
        def result(self):
            waited.append(self)

    recorder = Recorder(time.perf_counter)
    chain = Chain(bench.network, bench.arithmetic)
    work = DividedWork(chain, recorder, costs, {0: 0.0, 1: 0.0}, lambda: Ready(None))
    for index, delta in reversed(list(zip(weighted, deltas, strict=True))):
        work.put(index, outcome.inputs[index], delta)
    work.close()
    work.work(1)
    on_1 = {span.layer for span in recorder.spans}
    assert len(on_1) == len(waited) == 2
    work.work(0)
    assert {span.layer for span in recorder.spans if span.engine == 0} == set(names) - on_1
    expected = weight_gradients(bench.network, bench.arithmetic, outcome.inputs, deltas)
    assert bench.flat(work.results()).equal(bench.flat(expected))
