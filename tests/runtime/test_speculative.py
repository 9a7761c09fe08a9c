"""Speculative steps against what the method says, computed the long way round."""

import threading

import pytest
import torch

KEYS = ["label", "batch"]
REUSES = ["outcomes", "replay"]


def kinds(result):
    return [kind for _, kind, _ in result.done]


def change_weights(bench):
    for weight, bias in bench.weights:
        weight.mul_(1.2)
        bias.add_(0.1)


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("reuse", REUSES)
@pytest.mark.parametrize("engines", [1, 2])
def test_threshold_0_never_accepts_and_equals_sequential(bench, key, reuse, engines):
    """On one engine to the bit; two redo the halves of the batch apart, which rounds otherwise."""
    plain = bench.steps()
    method = {"key": key, "reuse": reuse, "gate_threshold": 0, "engines": engines}
    speculative = bench.steps(schedule="speculative", **method)
    for seed in range(4):
        images, labels = bench.batch(seed, [0, 1, 2, 3, 0, 1])
        expected, actual = plain.step(images, labels), speculative.step(images, labels)
        assert actual.accepts == 0
        assert torch.equal(actual.losses, expected.losses)
        torch.testing.assert_close(actual.gradient, expected.gradient)
        assert engines == 2 or torch.equal(actual.gradient, expected.gradient)


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("reuse", REUSES)
@pytest.mark.parametrize("gate", [{"gate_metric": "none"}, {"gate_threshold": 1}])
def test_with_every_sample_accepted_there_is_no_second_backward(bench, key, reuse, gate):
    speculative = bench.steps(schedule="speculative", key=key, reuse=reuse, **gate)
    first = speculative.step(*bench.batch(0, [0, 1, 2, 3]))
    assert "redo" in kinds(first), "nothing is cached yet: the first batch needs its own backward"
    for seed in range(1, 4):
        result = speculative.step(*bench.batch(seed, [3, 2, 1, 0]))
        assert result.accepts == 4
        assert "redo" not in kinds(result)


def test_replay_gives_the_gradient_of_the_cached_samples(bench):
    speculative = bench.steps(schedule="speculative", reuse="replay", gate_metric="none")
    first = bench.batch(0, [0, 1, 2, 3])
    speculative.step(*first)
    result = speculative.step(*bench.batch(1, [3, 2, 1, 0]))
    cached = bench.saved(*first)
    expected = bench.gradient_of(cached, first[1], cached.inputs, 4)
    torch.testing.assert_close(result.gradient, expected)


def test_outcomes_meet_the_current_layer_inputs(bench):
    speculative = bench.steps(schedule="speculative", reuse="outcomes", gate_metric="none")
    first, second = bench.batch(0, [0, 1, 2, 3]), bench.batch(1, [0, 1, 2, 3])
    speculative.step(*first)
    result = speculative.step(*second)
    expected = bench.gradient_of(bench.saved(*first), second[1], bench.saved(*second).inputs, 4)
    torch.testing.assert_close(result.gradient, expected)


def test_pipelined_gives_the_gradient_of_the_previous_batch_with_the_current_weights(bench):
    pipelined = bench.steps(schedule="pipelined")
    first = bench.batch(0, [0, 0, 1, 2])
    cached = bench.saved(*first)
    pipelined.step(*first)
    change_weights(bench)
    result = pipelined.step(*bench.batch(1, [3, 3, 2, 1]))
    expected = bench.gradient_of(cached, first[1], cached.inputs, 4)
    torch.testing.assert_close(result.gradient, expected)


@pytest.mark.parametrize("engines", [1, 2])
@pytest.mark.parametrize("reuse", REUSES)
@pytest.mark.parametrize("accepted", [[0], [1, 2], [0, 2, 4], [0, 1, 2, 4]])
def test_a_mixed_batch_sums_accepted_speculation_and_rejected_ordinary(
    bench, reuse, accepted, engines
):
    speculative = bench.steps(schedule="speculative", reuse=reuse, engines=engines)
    labels = [0, 1, 2, 3, 0]
    first, second = bench.batch(0, labels[:4]), bench.batch(1, labels)
    speculative.step(*first)
    verdict = torch.zeros(5, dtype=torch.bool)
    verdict[accepted] = True
    speculative.executor._gate = lambda actual, cached, losses: verdict
    result = speculative.step(*second)

    keep, redo = verdict.nonzero()[:, 0], (~verdict).nonzero()[:, 0]
    current = bench.saved(*second)
    cached = bench.saved(*first).rows(second[1])
    source = cached if reuse == "replay" else current
    kept = bench.gradient_of(cached.rows(keep), second[1][keep], source.rows(keep).inputs, 5)
    ordinary = bench.gradient_of(
        current.rows(redo), second[1][redo], current.rows(redo).inputs, batch_size=5
    )
    torch.testing.assert_close(result.gradient, kept + ordinary)
    assert result.accepts == len(accepted)


@pytest.mark.parametrize("reuse", REUSES)
def test_a_label_not_seen_before_gets_the_ordinary_backward(bench, reuse):
    speculative = bench.steps(schedule="speculative", reuse=reuse, gate_metric="none")
    speculative.step(*bench.batch(0, [0, 1]))
    assert speculative.step(*bench.batch(1, [0, 2, 1, 3])).accepts == 2
    assert speculative.step(*bench.batch(2, [0, 2, 1, 3])).accepts == 4


@pytest.mark.parametrize("gate", [{"gate_metric": "none"}, {"gate_threshold": 0.5}])
def test_forward_and_speculative_backward_run_at_the_same_time(bench, monkeypatch, gate):
    """Each pass waits until the other has begun: in turns, this would time out."""
    speculative = bench.steps(schedule="speculative", reuse="replay", **gate)
    speculative.step(*bench.batch(0, [0, 1, 2, 3]))
    meeting, loss = threading.Barrier(2, timeout=20), len(bench.network.layers)
    execute = speculative.executor.execute

    def after_meeting(task, values, load, params):
        last = task.kind == "input_grad" and task.node == loss
        if last or (task.kind == "forward" and task.node == 0):
            meeting.wait()
        execute(task, values, load, params)

    monkeypatch.setattr(speculative.executor, "execute", after_meeting)
    result = speculative.step(*bench.batch(1, [0, 1, 2, 3]))
    assert {engine for engine, _, _ in result.done} == {0, 1}


def test_balanced_engines_both_do_weight_gradients(bench, monkeypatch):
    pipelined = bench.steps(schedule="pipelined")
    pipelined.step(*bench.batch(0, [0, 1, 2, 3]))
    meeting, met = threading.Barrier(2, timeout=20), []
    execute = pipelined.executor.execute

    def after_meeting(task, values, load, params):
        if task.kind == "weight_grad" and len(met) < 2:  # the first one of each engine
            met.append(threading.get_ident())
            meeting.wait()
        execute(task, values, load, params)

    monkeypatch.setattr(pipelined.executor, "execute", after_meeting)
    pipelined.step(*bench.batch(1, [0, 1, 2, 3]))
    assert len(set(met)) == 2


@pytest.mark.parametrize("reuse", REUSES)
@pytest.mark.parametrize("threshold", [0.05, 1])
def test_one_engine_and_two_balanced_or_not_agree(bench, reuse, threshold):
    """To the bit where nothing is redone."""
    schedules = [
        bench.steps(schedule="speculative", reuse=reuse, gate_threshold=threshold, **engines)
        for engines in ({"engines": 1}, {"balanced": False}, {"balanced": True})
    ]
    for seed in range(6):
        batch = bench.batch(seed, [0, 1, 2, 3])
        one, two, balanced = (steps.step(*batch) for steps in schedules)
        assert one.accepts == two.accepts == balanced.accepts
        assert torch.equal(two.gradient, balanced.gradient)
        torch.testing.assert_close(one.gradient, two.gradient)
        assert one.accepts < 4 or torch.equal(one.gradient, two.gradient)


@pytest.mark.parametrize("balanced", [True, False])
@pytest.mark.parametrize("method", [{"gate_metric": "none"}, {"gate_threshold": 0.5}])
@pytest.mark.parametrize("kind", ["forward", "input_grad", "weight_grad", "commit"])
def test_an_error_on_either_engine_reaches_the_caller(bench, monkeypatch, method, kind, balanced):
    steps = bench.steps(schedule="speculative", reuse="replay", balanced=balanced, **method)
    steps.step(*bench.batch(0, [0, 1]))
    execute = steps.executor.execute

    def broken(task, values, load, params):
        if task.kind == kind:
            raise RuntimeError("broken on purpose")
        execute(task, values, load, params)

    monkeypatch.setattr(steps.executor, "execute", broken)
    with pytest.raises(RuntimeError, match="broken on purpose"):
        steps.step(*bench.batch(1, [0, 1]))


@pytest.mark.parametrize("reuse", REUSES)
def test_with_refresh_the_speculation_starts_from_what_current_weights_make_of_the_cache(
    bench, reuse
):
    method = {"reuse": reuse, "refresh": 2, "gate_metric": "none", "key": "batch"}
    speculative = bench.steps(schedule="speculative", **method)
    first, second = bench.batch(0, [0, 1, 2, 3]), bench.batch(1, [3, 1, 1, 0])
    cached = bench.saved(*first)
    speculative.step(*first)
    change_weights(bench)
    result = speculative.step(*second)
    start = 7  # the last two layers with weights are 7 and 9
    again = bench.saved(cached.inputs[start], first[1], first=start)
    fresh = again
    fresh.inputs = cached.inputs[:start] + again.inputs
    fresh.masks = cached.masks[:start] + again.masks
    current = bench.saved(*second)
    inputs, labels = (fresh.inputs, first[1]) if reuse == "replay" else (current.inputs, second[1])
    torch.testing.assert_close(result.gradient, bench.gradient_of(fresh, labels, inputs, 4))


def test_forward_uses_the_predicted_weights_and_backward_the_current_ones(bench):
    ahead = [(weight * 1.2, bias + 0.1) for weight, bias in bench.weights]
    pipelined = bench.steps(schedule="pipelined", ahead=ahead)
    first, second = bench.batch(0, [0, 1, 2, 3]), bench.batch(1, [3, 1, 1, 0])
    pipelined.step(*first)
    result = pipelined.step(*second)
    cached = bench.saved(*first, weights=ahead)
    expected = bench.gradient_of(cached, first[1], cached.inputs, 4)
    torch.testing.assert_close(result.gradient, expected)
