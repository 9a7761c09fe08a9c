"""The controls: schedules that speculation is held against."""

import time

import torch

from specbp.schedules.chain import Chain
from specbp.schedules.engines import ThreadEngine
from specbp.schedules.passes import forward
from specbp.schedules.sequential import SequentialOnTwo


def test_data_parallel_halves_give_the_gradient_of_the_whole_batch(bench):
    batch = bench.batch(0, [0, 1, 2, 3, 0])
    whole = bench.schedule().gradients(bench.step_weights, *batch)
    halves = bench.schedule(schedule="data-parallel").gradients(bench.step_weights, *batch)
    torch.testing.assert_close(bench.flat(halves.gradients), bench.flat(whole.gradients))
    torch.testing.assert_close(halves.losses, whole.losses)
    torch.testing.assert_close(halves.probabilities, whole.probabilities)
    assert {span.engine for span in halves.spans} == {0, 1}


def test_weight_gradients_beside_deltas_give_sequential_bits(bench):
    batch = bench.batch(0, [0, 1, 2, 3, 0])
    plain = bench.schedule().gradients(bench.step_weights, *batch)
    engine = ThreadEngine(1)
    chain = Chain(bench.network, bench.arithmetic)
    on_two = SequentialOnTwo(chain, engine, time.perf_counter)
    result = on_two.gradients(bench.step_weights, lambda: batch[0], batch[1])
    on_two.close()
    assert torch.equal(bench.flat(result.gradients), bench.flat(plain.gradients))
    assert torch.equal(result.losses, plain.losses)
    by = {span.layer: span.engine for span in result.spans if span.phase == "weight gradient"}
    names = [layer.name for layer in bench.network.layers if layer.has_weights]
    assert by == {name: int(name != names[0]) for name in names}


def test_selective_leaves_out_the_samples_with_a_small_loss(bench):
    images, labels = bench.batch(0, [0, 1, 2, 3])
    outcome, losses = forward(bench.network, bench.arithmetic, bench.weights, images, labels)
    least = float(losses.sort().values[2])
    result = bench.schedule(schedule="selective", skip_loss=least).gradients(
        bench.step_weights, images, labels
    )
    hard = outcome.rows((losses >= least).nonzero()[:, 0])
    expected = bench.gradient_of(hard, hard.labels, hard.inputs, 4)
    assert len(hard.labels) == 2
    torch.testing.assert_close(bench.flat(result.gradients), expected)


def test_selective_survives_a_batch_with_no_large_loss(bench):
    result = bench.schedule(schedule="selective", skip_loss=1e9).gradients(
        bench.step_weights, *bench.batch(0, [0, 1])
    )
    assert not bench.flat(result.gradients).any()
