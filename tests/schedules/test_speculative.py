"""The schedule against what the method says, computed the long way round."""

import threading

import pytest
import torch

from specbp.schedules import StepWeights
from specbp.schedules.chain import Chain
from specbp.schedules.passes import forward, refreshed

KEYS = ["label", "batch"]
REUSES = ["outcomes", "replay"]


def redone(result):
    return [span for span in result.spans if span.phase == "redo"]


def outcome_of(bench, images, labels):
    return forward(bench.network, bench.arithmetic, bench.weights, images, labels)[0]


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
        expected = plain.gradients(bench.step_weights, images, labels)
        actual = schedule.gradients(bench.step_weights, images, labels)
        assert actual.accepts == 0
        assert torch.equal(bench.flat(actual.gradients), bench.flat(expected.gradients))
        assert torch.equal(actual.losses, expected.losses)


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("reuse", REUSES)
@pytest.mark.parametrize("gate", [{"gate_metric": "none"}, {"gate_threshold": 1}])
def test_with_every_sample_accepted_there_is_no_second_backward(bench, key, reuse, gate):
    schedule = bench.schedule(schedule="speculative", key=key, reuse=reuse, **gate)
    first = schedule.gradients(bench.step_weights, *bench.batch(0, [0, 1, 2, 3]))
    assert redone(first), "nothing is cached yet: the first batch needs an ordinary backward"
    for seed in range(1, 4):
        result = schedule.gradients(bench.step_weights, *bench.batch(seed, [3, 2, 1, 0]))
        assert result.accepts == 4
        assert not redone(result)


def test_replay_gives_the_gradient_of_the_cached_samples(bench):
    schedule = bench.schedule(schedule="speculative", reuse="replay", gate_metric="none")
    first = bench.batch(0, [0, 1, 2, 3])
    schedule.gradients(bench.step_weights, *first)
    result = schedule.gradients(bench.step_weights, *bench.batch(1, [3, 2, 1, 0]))
    cached = outcome_of(bench, *first)
    expected = bench.gradient_of(cached, first[1], cached.inputs, 4)
    torch.testing.assert_close(bench.flat(result.gradients), expected)


def test_outcomes_meet_the_current_layer_inputs(bench):
    schedule = bench.schedule(schedule="speculative", reuse="outcomes", gate_metric="none")
    first, second = bench.batch(0, [0, 1, 2, 3]), bench.batch(1, [0, 1, 2, 3])
    schedule.gradients(bench.step_weights, *first)
    result = schedule.gradients(bench.step_weights, *second)
    cached, current = outcome_of(bench, *first), outcome_of(bench, *second)
    expected = bench.gradient_of(cached, second[1], current.inputs, 4)
    torch.testing.assert_close(bench.flat(result.gradients), expected)


def test_pipelined_gives_the_gradient_of_the_previous_batch_with_the_current_weights(bench):
    schedule = bench.schedule(schedule="pipelined")
    first = bench.batch(0, [0, 0, 1, 2])
    cached = outcome_of(bench, *first)
    schedule.gradients(bench.step_weights, *first)
    for weight, bias in bench.weights:
        weight.mul_(1.1)
        bias.add_(0.1)
    result = schedule.gradients(bench.step_weights, *bench.batch(1, [3, 3, 2, 1]))
    expected = bench.gradient_of(cached, first[1], cached.inputs, 4)
    torch.testing.assert_close(bench.flat(result.gradients), expected)


@pytest.mark.parametrize("reuse", REUSES)
@pytest.mark.parametrize("accepted", [[0], [1, 2], [0, 2, 4], [0, 1, 2, 4]])
def test_a_mixed_batch_sums_accepted_speculation_and_rejected_ordinary(bench, reuse, accepted):
    """Few and many accepted, since the two cases are settled differently."""
    schedule = bench.schedule(schedule="speculative", reuse=reuse)
    labels = [0, 1, 2, 3, 0]
    first, second = bench.batch(0, labels[:4]), bench.batch(1, labels)
    schedule.gradients(bench.step_weights, *first)
    verdict = torch.zeros(5, dtype=torch.bool)
    verdict[accepted] = True
    schedule._gate = lambda actual, cached: verdict
    result = schedule.gradients(bench.step_weights, *second)

    keep, redo = verdict.nonzero()[:, 0], (~verdict).nonzero()[:, 0]
    current = outcome_of(bench, *second)
    cached = outcome_of(bench, *first).rows(second[1])
    source = cached if reuse == "replay" else current
    kept = bench.gradient_of(
        cached.rows(keep), second[1][keep], source.rows(keep).inputs, batch_size=5
    )
    redone = current.rows(redo)
    ordinary = bench.gradient_of(redone, redone.labels, redone.inputs, batch_size=5)
    torch.testing.assert_close(bench.flat(result.gradients), kept + ordinary)
    assert result.accepts == len(accepted)


@pytest.mark.parametrize("reuse", REUSES)
def test_a_label_not_seen_before_gets_the_ordinary_backward(bench, reuse):
    schedule = bench.schedule(schedule="speculative", reuse=reuse, gate_metric="none")
    schedule.gradients(bench.step_weights, *bench.batch(0, [0, 1]))
    result = schedule.gradients(bench.step_weights, *bench.batch(1, [0, 2, 1, 3]))
    assert result.accepts == 2
    again = schedule.gradients(bench.step_weights, *bench.batch(2, [0, 2, 1, 3]))
    assert again.accepts == 4


def test_forward_and_speculative_backward_run_at_the_same_time(bench, monkeypatch):
    """Each pass waits inside until the other has begun: in turns, this would time out."""
    schedule = bench.schedule(schedule="speculative", reuse="replay", gate_metric="none")
    schedule.gradients(bench.step_weights, *bench.batch(0, [0, 1, 2, 3]))
    meeting = threading.Barrier(2, timeout=20)
    schedule._chain = Chain(bench.network, bench.arithmetic)

    def after_meeting(function):
        return lambda *arguments: (meeting.wait(), function(*arguments))[1]

    for name in ("forward", "deltas_in_turn"):
        monkeypatch.setattr(schedule._chain, name, after_meeting(getattr(schedule._chain, name)))
    result = schedule.gradients(bench.step_weights, *bench.batch(1, [0, 1, 2, 3]))
    assert result.accepts == 4


@pytest.mark.parametrize("gate", [{"gate_metric": "none"}, {"gate_threshold": 0.5}])
def test_images_are_loaded_while_engine_1_speculates(bench, monkeypatch, gate):
    schedule = bench.schedule(schedule="speculative", reuse="replay", **gate)
    schedule.gradients(bench.step_weights, *bench.batch(0, [0, 1, 2, 3]))
    images, labels = bench.batch(1, [0, 1, 2, 3])
    speculating = threading.Event()
    recall = schedule.cache.recall
    monkeypatch.setattr(schedule.cache, "recall", lambda x: (speculating.set(), recall(x))[1])

    def load():
        assert speculating.wait(20)
        return images

    result = type(schedule).gradients(schedule, bench.step_weights, load, labels)
    assert result.accepts is not None


def test_balanced_engines_both_do_weight_gradients(bench, monkeypatch):
    schedule = bench.schedule(schedule="pipelined")
    schedule.gradients(bench.step_weights, *bench.batch(0, [0, 1, 2, 3]))
    meeting = threading.Barrier(2, timeout=20)
    original, met = schedule._chain.weight_gradient, []

    def after_meeting(*arguments):
        if len(met) < 2:  # the first task of each engine
            met.append(threading.get_ident())
            meeting.wait()
        return original(*arguments)

    monkeypatch.setattr(schedule._chain, "weight_gradient", after_meeting)
    schedule.gradients(bench.step_weights, *bench.batch(1, [0, 1, 2, 3]))
    assert len(set(met)) == 2


@pytest.mark.parametrize("reuse", REUSES)
@pytest.mark.parametrize("threshold", [0.05, 1])
def test_one_engine_and_two_balanced_or_not_give_the_same_bits(bench, reuse, threshold):
    schedules = [
        bench.schedule(schedule="speculative", reuse=reuse, gate_threshold=threshold, **engines)
        for engines in ({"engines": 1}, {"balanced": False}, {"balanced": True})
    ]
    for seed in range(6):
        batch = bench.batch(seed, [0, 1, 2, 3])
        one, *others = (s.gradients(bench.step_weights, *batch) for s in schedules)
        for other in others:
            assert one.accepts == other.accepts
            assert torch.equal(bench.flat(one.gradients), bench.flat(other.gradients))


@pytest.mark.parametrize("balanced", [True, False])
@pytest.mark.parametrize("method", [{"gate_metric": "none"}, {"gate_threshold": 0.5}])
@pytest.mark.parametrize("pass_name", ["forward", "deltas", "weight_gradient"])
def test_an_error_on_either_engine_reaches_the_caller(
    bench, monkeypatch, method, pass_name, balanced
):
    schedule = bench.schedule(schedule="speculative", reuse="replay", balanced=balanced, **method)
    schedule.gradients(bench.step_weights, *bench.batch(0, [0, 1]))

    def broken(*_):
        raise RuntimeError("broken on purpose")

    monkeypatch.setattr(schedule._chain, pass_name, broken)
    with pytest.raises(RuntimeError, match="broken on purpose"):
        schedule.gradients(bench.step_weights, *bench.batch(1, [0, 1]))


def test_every_time_is_recorded(bench):
    schedule = bench.schedule(schedule="speculative", reuse="replay")
    schedule.gradients(bench.step_weights, *bench.batch(0, [0, 1, 2, 3]))
    times = vars(schedule.gradients(bench.step_weights, *bench.batch(1, [0, 1, 2, 3])).times)
    assert all(value is not None and value >= 0 for value in times.values())
    assert times["forward_ms"] > 0
    assert times["backward_ms"] >= times["weight_gradient_ms"] > 0


@pytest.mark.parametrize("reuse", REUSES)
def test_with_refresh_the_speculation_starts_from_what_current_weights_make_of_the_cache(
    bench, reuse
):
    schedule = bench.schedule(
        schedule="speculative", reuse=reuse, refresh=2, gate_metric="none", key="batch"
    )
    first, second = bench.batch(0, [0, 1, 2, 3]), bench.batch(1, [3, 1, 1, 0])
    cached = outcome_of(bench, *first)
    schedule.gradients(bench.step_weights, *first)
    for weight, bias in bench.weights:
        weight.mul_(1.2)
        bias.add_(0.1)
    result = schedule.gradients(bench.step_weights, *second)
    fresh = refreshed(bench.network, bench.arithmetic, bench.weights, cached, 2)
    current = outcome_of(bench, *second)
    inputs, labels = (fresh.inputs, first[1]) if reuse == "replay" else (current.inputs, second[1])
    expected = bench.gradient_of(fresh, labels, inputs, 4)
    torch.testing.assert_close(bench.flat(result.gradients), expected)


def test_forward_uses_the_predicted_weights_and_backward_the_current_ones(bench):
    schedule = bench.schedule(schedule="pipelined")
    ahead = [(weight * 1.2, bias + 0.1) for weight, bias in bench.weights]
    first, second = bench.batch(0, [0, 1, 2, 3]), bench.batch(1, [3, 1, 1, 0])
    schedule.gradients(StepWeights(bench.weights, ahead), *first)
    result = schedule.gradients(bench.step_weights, *second)
    cached, _ = forward(bench.network, bench.arithmetic, ahead, *first)
    expected = bench.gradient_of(cached, first[1], cached.inputs, 4)
    torch.testing.assert_close(bench.flat(result.gradients), expected)
