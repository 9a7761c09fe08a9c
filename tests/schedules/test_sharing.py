"""Weight gradients and update on two engines: taken by whoever is free, or divided beforehand."""

import time
from dataclasses import dataclass, field
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from specbp.arithmetic import Numbers, UpdateRule
from specbp.schedules.chain import Chain
from specbp.schedules.engines import Done, ThreadEngine
from specbp.schedules.passes import forward, weight_gradients
from specbp.schedules.sharing import Costs, DividedWork, TakenWork, divided
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


ALL = (0, 1, 2, 3)
ONE_BY_ONE = [(0,), (1,), (2,), (3,)]
SEVERAL_TOGETHER = [(0, 2, 3), (1,), (1,)]


@dataclass
class NotedPart:
    """A part that notes what it was given."""

    layers: tuple
    done: list

    def do(self, gradients, numbers):
        assert numbers is Noted.numbers
        self.done.append((self.layers, gradients))


@dataclass
class Noted:
    """An update that notes which of its parts were done, and given what."""

    layers: list = field(default_factory=lambda: ONE_BY_ONE)
    done: list = field(default_factory=list)

    numbers = Numbers(UpdateRule(learning_rate=0.1, momentum=0.0, weight_decay=0.0))

    @property
    def parts(self):
        return [NotedPart(layers, self.done) for layers in self.layers]

    def whole(self, gradients):
        self.done.append((tuple(range(len(gradients))), gradients))

    @property
    def layers_done(self):
        return sorted(layers for layers, _ in self.done)


BOTH, ENGINE_1 = {0: 0.0, 1: 0.0}, {1: 0.0}


def test_each_engine_does_its_own_tasks_and_waits_for_their_deltas(bench, step):
    costs = Costs(weight_gradients=dict.fromkeys(step.names, 1.0))
    waited, update = [], Noted()

    class Ready(Done):
        def result(self):
            waited.append(self)

    work = DividedWork(step.chain, step.recorder, costs, BOTH, update, lambda: Ready(None))
    step.put_into(work)
    work.work(1)
    on_1 = set(step.layers_of(1, "weight gradient"))
    assert len(on_1) == len(waited) == 2
    work.work(0)
    assert set(step.layers_of(0, "weight gradient")) == step.names - on_1
    assert not update.done
    assert bench.flat(work.finish()).equal(bench.flat(step.expected))
    assert update.layers_done == [ALL]


@pytest.mark.parametrize("free_at", [BOTH, ENGINE_1])
@pytest.mark.parametrize("layers", [ONE_BY_ONE, SEVERAL_TOGETHER, [ALL]], ids=str)
def test_two_engines_do_every_part_of_the_update_once_after_its_gradients(
    bench, step, free_at, layers
):
    update = Noted(layers)
    work = TakenWork(step.chain, step.recorder, Costs(), free_at, update)
    engine = ThreadEngine(1)
    on_engine_1 = engine.submit(partial(work.work, 1))
    step.put_into(work)
    work.work(0)
    on_engine_1.result()
    engine.close()
    assert bench.flat(work.finish()).equal(bench.flat(step.expected))
    assert update.layers_done == sorted(layers)
    for positions, gradients in update.done:
        expected = [step.expected[position] for position in positions]
        assert bench.flat(gradients).equal(bench.flat(expected))
    ended = {one.layer: one.ended for one in step.recorder.spans if one.phase == "weight gradient"}
    updates = [one for one in step.recorder.spans if one.phase == "update"]
    assert len(updates) == len(layers)
    names = [layer.name for layer in step.chain.network.trained]
    together = [names[position] for part in layers if len(part) > 1 for position in part]
    for one in updates:
        assert all(one.started >= ended[name] for name in ([one.layer] if one.layer else together))
    if free_at is ENGINE_1:
        assert not step.layers_of(0, "weight gradient")


def test_nothing_is_updated_while_forward_reads_the_weights(step):
    update = Noted()
    work = TakenWork(step.chain, step.recorder, Costs(), BOTH, update)
    step.put_into(work)
    work.work(1)
    assert set(step.layers_of(1, "weight gradient")) == step.names
    assert not update.done
    work.work(0)
    assert update.layers_done == ONE_BY_ONE


def test_layers_that_cost_most_go_first_the_update_counted(step):
    layers = step.chain.network.trained
    first = layers[-1].name
    costs = Costs(weight_gradients=dict.fromkeys(step.names, 1.0), updates={first: 1.0})
    work = TakenWork(step.chain, step.recorder, costs, ENGINE_1, None)
    step.put_into(work)
    work.work(1)
    assert step.layers_of(1, "weight gradient")[0] == first


def test_an_error_on_engine_1_does_not_leave_the_other_waiting(step, monkeypatch):
    def broken(*_):
        raise RuntimeError("broken on purpose")

    monkeypatch.setattr(step.chain, "weight_gradient", broken)
    work = TakenWork(step.chain, step.recorder, Costs(), ENGINE_1, Noted())
    step.put_into(work)
    with pytest.raises(RuntimeError, match="broken on purpose"):
        work.work(1)
    work.work(0)


def test_without_any_task_nobody_waits(step):
    step.tasks = []
    work = TakenWork(step.chain, step.recorder, Costs(), BOTH, Noted())
    step.put_into(work)
    work.work(1)
    work.work(0)
