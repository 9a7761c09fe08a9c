import torch

from specbp.arithmetic.float32 import Float32
from specbp.schedules.chain import Chain, TracedChain


def test_a_replayed_pass_gives_the_bits_of_the_computed_one(bench):
    """With weights, images and batch sizes other than those it was recorded with."""
    plain, traced = (kind(bench.network, bench.arithmetic) for kind in (Chain, TracedChain))
    for seed, labels in enumerate([[0, 1, 2], [3, 2, 1], [0], [1, 1, 0]]):
        batch = bench.batch(seed, labels)
        for weight, bias in bench.weights:
            weight.mul_(1.1)
            bias.add_(0.1)
        (expected, losses), (actual, traced_losses) = (
            one.forward(bench.weights, *batch) for one in (plain, traced)
        )
        assert torch.equal(losses, traced_losses)
        for one, other in zip(
            (expected.probabilities, *expected.masks, *expected.inputs),
            (actual.probabilities, *actual.masks, *actual.inputs),
            strict=True,
        ):
            assert (one is None and other is None) or torch.equal(one, other)
        for (index, delta), (traced_index, traced_delta) in zip(
            plain.deltas(bench.weights, expected, batch[1], len(labels)),
            traced.deltas(bench.weights, actual, batch[1], len(labels)),
            strict=True,
        ):
            assert index == traced_index
            assert torch.equal(delta, traced_delta)
            of = bench.network.layers[index], expected.inputs[index], delta
            assert all(map(torch.equal, plain.weight_gradient(*of), traced.weight_gradient(*of)))


def test_trainings_of_equal_networks_share_what_was_traced(bench):
    images, labels = bench.batch(0, [0, 1, 2])
    first, second = (TracedChain(bench.network, Float32()) for _ in range(2))
    other = TracedChain(bench.network, Float32(torch.channels_last))
    first.forward(bench.weights, images, labels)
    assert len(first._recordings) > 0
    assert second._recordings is first._recordings
    assert other._recordings is not first._recordings


def test_what_was_traced_in_single_precision_does_not_serve_double(bench):
    images, labels = bench.batch(0, [0, 1, 2])
    chain = TracedChain(bench.network, bench.arithmetic)
    double = [(weight.double(), bias.double()) for weight, bias in bench.weights]
    for weights, batch in ((bench.weights, images), (double, images.double())):
        outcome, _ = chain.forward(weights, batch, labels)
        assert outcome.probabilities.dtype == batch.dtype
        chain.deltas(weights, outcome, labels, 3)
