"""The update over flat memory against `torch.optim.SGD`."""

import pytest
import torch

from specbp.arithmetic import UpdateRule
from specbp.arithmetic.flat_float32 import FlatWeights, flattened, predict_flat, update_flat


def pairs(seed):
    generator = torch.Generator().manual_seed(seed)

    def draw(*shape):
        return torch.randn(*shape, generator=generator)

    return [(draw(3, 2, 3, 3), draw(3)), (draw(4, 5), draw(4))]


def test_weights_are_views_of_one_piece_of_memory():
    flat = FlatWeights(pairs(0))
    assert [weight.shape for weight, _ in flat.weights] == [(3, 2, 3, 3), (4, 5)]
    assert torch.equal(flattened(flat.weights), flattened(pairs(0)))
    flat.memory.zero_()
    assert not any(one.any() for pair in flat.weights for one in pair)


@pytest.mark.parametrize(("momentum", "nesterov"), [(0.0, False), (0.9, False), (0.9, True)])
@pytest.mark.parametrize("decay", [0.0, 0.01])
def test_steps_are_those_of_sgd(momentum, nesterov, decay):
    flat, momenta = FlatWeights(pairs(0)), FlatWeights(pairs(0))
    momenta.memory.zero_()
    parameters = [torch.nn.Parameter(one.clone()) for pair in pairs(0) for one in pair]
    optimizer = torch.optim.SGD(
        parameters, lr=0.1, momentum=momentum, weight_decay=decay, nesterov=nesterov
    )
    for seed in range(1, 5):
        gradients = flattened(pairs(seed))
        rule = UpdateRule(0.0, momentum, decay, nesterov)
        update_flat(flat.memory, momenta.memory, gradients, torch.tensor(-0.1), rule)
        for parameter, one in zip(parameters, (o for p in pairs(seed) for o in p), strict=True):
            parameter.grad = one
        optimizer.step()
    expected = torch.cat([parameter.detach().flatten() for parameter in parameters])
    torch.testing.assert_close(flat.memory, expected)


def test_prediction_goes_along_the_momenta():
    weights, momenta = flattened(pairs(0)), flattened(pairs(1))
    ahead = torch.empty_like(weights)
    predict_flat(weights, momenta, ahead, torch.tensor(-0.5))
    torch.testing.assert_close(ahead, weights - 0.5 * momenta)
