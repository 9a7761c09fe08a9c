import pytest
import torch
from torch import nn

from specbp.errors import UsageError
from specbp.models import MODELS, build
from specbp.network import Convolution, Linear, ReLU, lower

SHAPES = {"digits-cnn": (1, 8, 8), "lenet5": (1, 28, 28)}


@pytest.mark.parametrize("name", MODELS)
def test_every_model_lowers_to_a_chain_whose_shapes_fit(name):
    shape = SHAPES.get(name, (3, 32, 32))
    network, weights = lower(build(name, shape[0], 10, seed=0), shape, 10)
    assert network.layers[0].input_shape == shape
    assert network.layers[-1].output_shape == (10,)
    for before, after in zip(network.layers, network.layers[1:], strict=False):
        assert before.output_shape == after.input_shape
    assert len(weights) == sum(layer.has_weights for layer in network.layers)


def test_nested_sequentials_become_one_chain():
    model = nn.Sequential(
        nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU()), nn.Flatten(), nn.Linear(8, 3)
    )
    network, _ = lower(model, (1, 4, 4), 3)
    assert [type(layer.operation) for layer in network.layers][:2] == [Convolution, ReLU]
    assert network.layers[0].name == "0.0:Conv2d"
    assert isinstance(network.layers[-1].operation, Linear)


def test_the_weights_are_copies():
    model = nn.Sequential(nn.Flatten(), nn.Linear(4, 2))
    _, ((weight, _),) = lower(model, (1, 2, 2), 2)
    weight.zero_()
    assert model[1].weight.abs().sum() > 0


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        ([nn.Flatten(), nn.BatchNorm1d(4), nn.Linear(4, 2)], "1:BatchNorm1d is not supported"),
        ([nn.Conv2d(1, 2, 1, dilation=2), nn.Flatten(), nn.Linear(8, 2)], "dilation must be 1"),
        ([nn.Conv2d(1, 1, 1, bias=False), nn.Flatten(), nn.Linear(4, 2)], "bias must be True"),
        ([nn.MaxPool2d(2, ceil_mode=True), nn.Flatten(), nn.Linear(1, 2)], "ceil_mode"),
        ([nn.Linear(4, 2)], "put a Flatten before it"),
        ([nn.Flatten(), nn.Linear(5, 2)], "layer 1:Linear does not fit its input (4,)"),
        ([nn.Flatten(), nn.Conv2d(1, 1, 1)], "it needs an image"),
        ([nn.Conv2d(3, 2, 1), nn.Flatten(), nn.Linear(8, 2)], "layer 0:Conv2d does not fit"),
        ([nn.Flatten(), nn.Linear(4, 3)], "shape (3,), the data set has 2 classes"),
        ([nn.Flatten(), nn.ReLU()], "no layer with weights"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused_by_name(layers, message):
    with pytest.raises(UsageError) as error:
        lower(nn.Sequential(*layers), (1, 2, 2), 2)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_the_first_layer_with_weights_need_not_be_the_first():
    network, _ = lower(nn.Sequential(nn.AvgPool2d(2), nn.Flatten(), nn.Linear(4, 2)), (1, 4, 4), 2)
    assert network.first_weights == 2


def test_padding_and_stride_are_kept_in_both_directions():
    model = nn.Sequential(nn.Conv2d(1, 1, (3, 1), (2, 1), (1, 0)), nn.Flatten(), nn.Linear(8, 2))
    network, _ = lower(model, (1, 4, 4), 2)
    assert network.layers[0].operation == Convolution(1, 1, (3, 1), (2, 1), (1, 0))
    assert network.layers[0].output_shape == (1, 2, 4)
    assert torch.Size(network.layers[0].output_shape).numel() == 8
