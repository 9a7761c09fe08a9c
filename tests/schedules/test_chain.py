import torch

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
            plain.deltas(bench.weights, expected, batch[1], 4),
            traced.deltas(bench.weights, actual, batch[1], 4),
            strict=True,
        ):
            assert index == traced_index
            assert torch.equal(delta, traced_delta)
