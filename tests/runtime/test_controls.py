"""Ordinary steps against autograd, and the controls that speculation is held against."""

import torch
from torch.nn import functional


def autograd(bench, images, labels):
    """The gradient of the mean loss by PyTorch's own means."""
    pairs = [[one.clone().requires_grad_() for one in pair] for pair in bench.weights]
    x = images
    (w0, b0), (w3, b3), (w7, b7), (w9, b9) = pairs
    x = functional.max_pool2d(functional.conv2d(x, w0, b0, padding=1).relu(), 2)
    x = functional.avg_pool2d(functional.conv2d(x, w3, b3, padding=1).relu(), 3).flatten(1)
    x = functional.linear(functional.linear(x, w7, b7).relu(), w9, b9)
    functional.cross_entropy(x, labels).backward()
    return torch.cat([one.grad.flatten() for pair in pairs for one in pair])


def test_a_sequential_step_gives_the_gradient_of_autograd(bench):
    batch = bench.batch(0, [0, 1, 2, 3, 0])
    torch.testing.assert_close(bench.steps().step(*batch).gradient, autograd(bench, *batch))


def test_data_parallel_halves_give_the_gradient_of_the_whole_batch(bench):
    batch = bench.batch(0, [0, 1, 2, 3, 0])
    whole, halves = bench.steps().step(*batch), bench.steps(schedule="data-parallel").step(*batch)
    torch.testing.assert_close(halves.gradient, whole.gradient)
    torch.testing.assert_close(halves.losses, whole.losses)
    torch.testing.assert_close(halves.probabilities, whole.probabilities)
    assert {engine for engine, _, _ in halves.done} == {0, 1}


def test_selective_leaves_out_the_samples_with_a_small_loss(bench):
    images, labels = bench.batch(0, [0, 1, 2, 3])
    saved = bench.saved(images, labels)
    least = float(saved.losses.sort().values[2])
    result = bench.steps(schedule="selective", skip_loss=least).step(images, labels)
    index = (saved.losses >= least).nonzero()[:, 0]
    hard = saved.rows(index)
    assert len(index) == 2
    expected = bench.gradient_of(hard, labels[index], hard.inputs, 4)
    torch.testing.assert_close(result.gradient, expected)


def test_selective_survives_a_batch_with_no_large_loss(bench):
    result = bench.steps(schedule="selective", skip_loss=1e9).step(*bench.batch(0, [0, 1]))
    assert not result.gradient.any()
