"""The schedule against what the method says, computed the long way round."""

import threading

import pytest
import torch

from specbp.schedules import sequential, speculative
from specbp.schedules.passes import forward, input_gradients, weight_gradients

KEYS = ["label", "batch"]
REUSES = ["outcomes", "replay"]


def flat(gradients):
    return torch.cat([one.flatten() for pair in gradients for one in pair])


def outcome_of(bench, images, labels):
    return forward(bench.network, bench.arithmetic, bench.weights, images, labels)[0]


def gradient_of(bench, outcome, labels, inputs, batch_size):
    """Weight gradients from the masks and softmax of `outcome` and the layer inputs `inputs`."""
    delta = bench.arithmetic.logit_gradient(outcome.probabilities, labels, batch_size)
    deltas = input_gradients(bench.network, bench.arithmetic, bench.weights, outcome.masks, delta)
    return flat(weight_gradients(bench.network, bench.arithmetic, inputs, deltas))


@pytest.fixture
def calls(monkeypatch):
    """Counts the ordinary backward passes that the schedules do."""
    counted = []
    for module in (sequential, speculative):
        original = module.ordinary_deltas
        monkeypatch.setattr(
            module, "ordinary_deltas", lambda *a, f=original: (counted.append(1), f(*a))[1]
        )
    return counted


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("reuse", REUSES)
@pytest.mark.parametrize("engines", [1, 2])
def test_threshold_0_never_accepts_and_equals_sequential_bit_for_bit(bench, key, reuse, engines):
    plain = bench.schedule()
    schedule = bench.schedule(
        schedule="speculative", key=key, reuse=reuse, gate_threshold=0, engines=engines
    )
    for seed in range(4):
        images, labels = bench.batch(seed, [0, 1, 2, 3, 0, 1])
        expected = plain.gradients(bench.weights, images, labels)
        actual = schedule.gradients(bench.weights, images, labels)
        assert actual.accepts == 0
        assert torch.equal(flat(actual.gradients), flat(expected.gradients))
        assert torch.equal(actual.losses, expected.losses)
    schedule.close()


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("reuse", REUSES)
@pytest.mark.parametrize("gate", [{"gate_metric": "none"}, {"gate_threshold": 1}])
def test_with_every_sample_accepted_there_is_no_second_backward(bench, calls, key, reuse, gate):
    schedule = bench.schedule(schedule="speculative", key=key, reuse=reuse, **gate)
    schedule.gradients(bench.weights, *bench.batch(0, [0, 1, 2, 3]))
    assert len(calls) == 1, "nothing is cached yet: the first batch needs an ordinary backward"
    for seed in range(1, 4):
        result = schedule.gradients(bench.weights, *bench.batch(seed, [3, 2, 1, 0]))
        assert result.accepts == 4
    assert len(calls) == 1
    schedule.close()


def test_replay_gives_the_gradient_of_the_cached_samples(bench):
    schedule = bench.schedule(schedule="speculative", reuse="replay", gate_metric="none")
    first = bench.batch(0, [0, 1, 2, 3])
    schedule.gradients(bench.weights, *first)
    result = schedule.gradients(bench.weights, *bench.batch(1, [3, 2, 1, 0]))
    cached = outcome_of(bench, *first)
    expected = gradient_of(bench, cached, first[1], cached.inputs, 4)
    torch.testing.assert_close(flat(result.gradients), expected)


def test_outcomes_meet_the_current_layer_inputs(bench):
    schedule = bench.schedule(schedule="speculative", reuse="outcomes", gate_metric="none")
    first, second = bench.batch(0, [0, 1, 2, 3]), bench.batch(1, [0, 1, 2, 3])
    schedule.gradients(bench.weights, *first)
    result = schedule.gradients(bench.weights, *second)
    cached, current = outcome_of(bench, *first), outcome_of(bench, *second)
    expected = gradient_of(bench, cached, second[1], current.inputs, 4)
    torch.testing.assert_close(flat(result.gradients), expected)


def test_pipelined_gives_the_gradient_of_the_previous_batch_with_the_current_weights(bench):
    schedule = bench.schedule(schedule="pipelined")
    first = bench.batch(0, [0, 0, 1, 2])
    cached = outcome_of(bench, *first)
    schedule.gradients(bench.weights, *first)
    for weight, bias in bench.weights:
        weight.mul_(1.1)
        bias.add_(0.1)
    result = schedule.gradients(bench.weights, *bench.batch(1, [3, 3, 2, 1]))
    expected = gradient_of(bench, cached, first[1], cached.inputs, 4)
    torch.testing.assert_close(flat(result.gradients), expected)


@pytest.mark.parametrize("reuse", REUSES)
@pytest.mark.parametrize("accepted", [[0], [1, 2], [0, 2, 4], [0, 1, 2, 4]])
def test_a_mixed_batch_sums_accepted_speculation_and_rejected_ordinary(bench, reuse, accepted):
    """Few and many accepted, since the two cases are settled differently."""
    schedule = bench.schedule(schedule="speculative", reuse=reuse)
    labels = [0, 1, 2, 3, 0]
    first, second = bench.batch(0, labels[:4]), bench.batch(1, labels)
    schedule.gradients(bench.weights, *first)
    verdict = torch.zeros(5, dtype=torch.bool)
    verdict[accepted] = True
    schedule._gate = lambda actual, cached: verdict
    result = schedule.gradients(bench.weights, *second)

    keep, redo = verdict.nonzero()[:, 0], (~verdict).nonzero()[:, 0]
    current = outcome_of(bench, *second)
    cached = outcome_of(bench, *first).rows(second[1])
    source = cached if reuse == "replay" else current
    kept = gradient_of(
        bench, cached.rows(keep), second[1][keep], source.rows(keep).inputs, batch_size=5
    )
    redone = current.rows(redo)
    ordinary = gradient_of(bench, redone, redone.labels, redone.inputs, batch_size=5)
    torch.testing.assert_close(flat(result.gradients), kept + ordinary)
    assert result.accepts == len(accepted)


@pytest.mark.parametrize("reuse", REUSES)
def test_a_label_not_seen_before_gets_the_ordinary_backward(bench, reuse):
    schedule = bench.schedule(schedule="speculative", reuse=reuse, gate_metric="none")
    schedule.gradients(bench.weights, *bench.batch(0, [0, 1]))
    result = schedule.gradients(bench.weights, *bench.batch(1, [0, 2, 1, 3]))
    assert result.accepts == 2
    again = schedule.gradients(bench.weights, *bench.batch(2, [0, 2, 1, 3]))
    assert again.accepts == 4


def test_forward_and_speculative_backward_run_at_the_same_time(bench, monkeypatch):
    """Each pass waits inside until the other has begun: in turns, this would time out."""
    schedule = bench.schedule(schedule="speculative", reuse="replay", gate_metric="none")
    schedule.gradients(bench.weights, *bench.batch(0, [0, 1, 2, 3]))
    meeting = threading.Barrier(2, timeout=20)

    def after_meeting(function):
        return lambda *arguments: (meeting.wait(), function(*arguments))[1]

    monkeypatch.setattr(speculative, "forward", after_meeting(speculative.forward))
    monkeypatch.setattr(speculative, "input_gradients", after_meeting(speculative.input_gradients))
    result = schedule.gradients(bench.weights, *bench.batch(1, [0, 1, 2, 3]))
    assert result.accepts == 4
    schedule.close()


@pytest.mark.parametrize("reuse", REUSES)
def test_one_engine_and_two_give_the_same_bits(bench, reuse):
    schedules = [
        bench.schedule(schedule="speculative", reuse=reuse, gate_threshold=0.05, engines=engines)
        for engines in (1, 2)
    ]
    for seed in range(6):
        one, two = (s.gradients(bench.weights, *bench.batch(seed, [0, 1, 2, 3])) for s in schedules)
        assert one.accepts == two.accepts
        assert torch.equal(flat(one.gradients), flat(two.gradients))


def test_an_error_on_the_backward_engine_reaches_the_caller(bench, monkeypatch):
    schedule = bench.schedule(schedule="speculative", reuse="replay", gate_metric="none")
    schedule.gradients(bench.weights, *bench.batch(0, [0, 1]))

    def broken(*_):
        raise RuntimeError("broken on purpose")

    monkeypatch.setattr(speculative, "input_gradients", broken)
    with pytest.raises(RuntimeError, match="broken on purpose"):
        schedule.gradients(bench.weights, *bench.batch(1, [0, 1]))


def test_every_time_is_recorded(bench):
    schedule = bench.schedule(schedule="speculative", reuse="replay")
    schedule.gradients(bench.weights, *bench.batch(0, [0, 1, 2, 3]))
    times = vars(schedule.gradients(bench.weights, *bench.batch(1, [0, 1, 2, 3])).times)
    assert all(value is not None and value >= 0 for value in times.values())
    assert times["forward_ms"] > 0
    assert times["backward_ms"] >= times["weight_gradient_ms"] > 0
