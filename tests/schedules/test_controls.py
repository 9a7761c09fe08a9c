"""The controls: schedules that speculation is held against."""

import torch

from specbp.schedules.passes import forward


def test_data_parallel_halves_give_the_gradient_of_the_whole_batch(bench):
    batch = bench.batch(0, [0, 1, 2, 3, 0])
    whole = bench.schedule().gradients(bench.step_weights, *batch)
    halves = bench.schedule(schedule="data-parallel").gradients(bench.step_weights, *batch)
    torch.testing.assert_close(bench.flat(halves.gradients), bench.flat(whole.gradients))
    torch.testing.assert_close(halves.losses, whole.losses)
    torch.testing.assert_close(halves.probabilities, whole.probabilities)
    assert {span.engine for span in halves.spans} == {0, 1}


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
