"""Models that are lowered as PyTorch computes them, and what is refused by name instead."""

import re

import pytest
import torch
from torch import nn
from torch.nn import functional
from torch.nn.utils import parametrizations, parametrize, prune, spectral_norm, weight_norm

from specbp.errors import UsageError
from specbp.network import (
    GELU,
    AveragePooling,
    BatchNorm,
    Convolution,
    Dropout,
    GroupNorm,
    Linear,
    MaxPooling,
    ReLU,
)
from specbp.network.lowering import lower
from specbp.network.models import MODELS, build
from specbp.network.plain import LEAVES

SHAPES = {"digits-cnn": (1, 8, 8), "lenet5": (1, 28, 28)}


@pytest.mark.parametrize("name", MODELS)
def test_every_model_lowers_to_a_graph_whose_shapes_fit(name):
    shape = SHAPES.get(name, (3, 32, 32))
    network, weights = lower(build(name, shape[0], 10, seed=0), shape, 10)
    assert network.layers[0].input_shape == shape
    assert network.layers[-1].output_shape == (10,)
    shapes = [shape, *(layer.output_shape for layer in network.layers)]
    for layer, values in zip(network.layers, network.sources, strict=True):
        assert {shapes[value] for value in values} == {layer.input_shape}
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
        ([nn.BatchNorm2d(3), nn.Flatten(), nn.Linear(4, 2)], "(1, 2, 2): it takes 3 channels"),
        ([nn.AdaptiveAvgPool2d(3), nn.Flatten(), nn.Linear(9, 2)], "output_size 3 must divide"),
        ([nn.MaxPool2d(2, ceil_mode=True), nn.Flatten(), nn.Linear(1, 2)], "ceil_mode"),
        ([nn.Linear(4, 2)], "put a Flatten before it"),
        ([nn.Flatten(), nn.Linear(5, 2)], "1:Linear does not fit its input (4,): it takes 5 feat"),
        ([nn.Flatten(), nn.Conv2d(1, 1, 1)], "it needs an image"),
        ([nn.Conv2d(3, 2, 1), nn.Flatten(), nn.Linear(8, 2)], "(1, 2, 2): it takes 3 channels"),
        ([nn.MaxPool2d(3), nn.Flatten(), nn.Linear(1, 2)], "its window is larger than the pad"),
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


def chain(*layers):
    """The operations that `layers`, a Flatten and a Linear on 2 x 4 x 4 images become."""
    features = nn.Sequential(*layers, nn.Flatten())(torch.zeros(1, 2, 4, 4)).shape[1]
    model = nn.Sequential(*layers, nn.Flatten(), nn.Linear(features, 3))
    network, _ = lower(model, (2, 4, 4), 3)
    return network.layers


def test_a_layer_without_weights_may_be_used_again():
    """Kind: modules that are there more than once; `named_children` leaves repeats out."""
    relu, pool, pair = nn.ReLU(), nn.MaxPool2d(2), nn.Sequential(nn.ReLU(), nn.Identity())
    layers = chain(nn.Conv2d(2, 2, 1), relu, pool, nn.Conv2d(2, 2, 1), pair, pool, relu, pair)
    kinds = [type(layer.operation).__name__ for layer in layers]
    assert kinds == ["Convolution", "ReLU", "MaxPooling", "Convolution", "ReLU", "MaxPooling",
                     "ReLU", "ReLU", "Flatten", "Linear"]  # fmt: skip
    assert len({layer.name for layer in layers}) == len(layers)


class Forward(nn.Module):
    """Two layers, and a forward that a test chooses."""

    def __init__(self, forward):
        super().__init__()
        self.first, self.second = nn.Conv2d(2, 2, 1), nn.Conv2d(2, 2, 3, padding=1)
        self.last, self._forward = nn.Linear(32, 3), forward

    def forward(self, x):
        return self._forward(self, x)


def added(model, x):
    x = model.first(x)
    x = functional.relu(x + model.second(x))
    return model.last(torch.flatten(x, 1))


def added_in_place(model, x):
    x = model.first(x)
    y = model.second(x)
    y += x
    return model.last(y.relu_().view(y.size(0), -1))


def added_to_what_comes_later(model, x):
    x = model.first(x)
    return model.last(torch.relu(torch.add(model.second(x), x)).reshape(x.shape[0], 32))


@pytest.mark.parametrize("forward", [added, added_in_place, added_to_what_comes_later])
def test_a_residual_is_one_graph_however_it_is_written(forward):
    network, weights = lower(Forward(forward), (2, 4, 4), 3)
    kinds = [type(layer.operation).__name__ for layer in network.layers]
    assert kinds == ["Convolution", "Convolution", "Addition", "ReLU", "Flatten", "Linear"]
    assert sorted(network.sources[2]) == [1, 2]
    assert not network.is_chain
    assert len(weights) == 3


@pytest.mark.parametrize(
    ("forward", "message"),
    [
        (lambda model, x: model.last(model.second(2 * model.first(x)).flatten(1)), "mul:mul is no"),
        (lambda model, x: (model.first(x), x), "its forward must return its logits"),
        (lambda model, x: model.last(model.first(x).flatten(1)), "layer second:Conv2d is not supp"),
        (
            lambda model, x: model.last(model.second(model.first(x) + 1).flatten(1)),
            "add:add is not supported with these settings: it must add the outputs of two layers",
        ),
        (
            lambda model, x: model.last(model.second(model.first(model.first(x))).flatten(1)),
            "layer first:Conv2d is not supported: it is called twice",
        ),
        (
            lambda model, x: model.last((model.second(model.first(x)) * model.last.bias).sum(1)),
            "last.bias is not supported: a parameter must be a layer's own",
        ),
        (
            lambda model, x: model.last(model.first(x).flatten(1)) if x.sum() > 0 else x,
            "torch.fx cannot trace its forward: symbolically traced variables cannot be used as",
        ),
        (
            lambda model, x: model.last(
                model.second(model.first(x) + functional.avg_pool2d(x, 2)).flatten(1)
            ),
            "layer add:add does not fit its input (2, 4, 4): it adds (2, 2, 2)",
        ),
    ],
)  # fmt: skip
def test_a_forward_that_is_no_graph_of_layers_is_refused_by_name(forward, message):
    with pytest.raises(UsageError) as error:
        lower(Forward(forward), (2, 4, 4), 3)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_another_residual_has_another_hash():
    def skipping(model, x):
        x = model.first(x)
        return model.last((x + model.second(x)).flatten(1))

    def straight(model, x):
        x = model.first(x)
        y = model.second(x)
        return model.last((y + x).flatten(1))

    hashes = [lower(Forward(one), (2, 4, 4), 3)[0].sha256 for one in (added, skipping, straight)]
    assert len(set(hashes)) == 3


@pytest.mark.parametrize("nested", [False, True])
def test_a_layer_with_weights_may_not(nested):
    """Kind: the same; two copies would be trained in place of one layer."""
    linear = nn.Linear(4, 4)
    second = nn.Sequential(linear) if nested else linear
    model = nn.Sequential(nn.Flatten(), linear, nn.ReLU(), second, nn.Linear(4, 2))
    named = "3.0:Linear" if nested else "3:Linear"
    with pytest.raises(UsageError, match=f"layer {named} .* the same module as layer 1:Linear"):
        lower(model, (1, 2, 2), 2)


class Scaled(nn.Linear):
    def forward(self, x):
        return 2 * super().forward(x)


class Called(nn.ReLU):
    def __call__(self, x):
        return x


class Absolute(nn.Linear):
    @property
    def stride(self):
        return 1

    def __getattr__(self, name):
        value = super().__getattr__(name)
        return value.abs() if name == "weight" else value


class Unseen(nn.Sequential):
    def __call__(self, x):
        return x


class Derived(nn.Parameter):
    pass


def own_forward(linear):
    linear.forward = lambda x: x


def hooked(register, hook=lambda *args: None):
    return lambda linear: getattr(linear, register)(hook)


def replaced(make):
    """Give a layer another weight, made from its own."""

    def change(linear):
        linear.weight = make(linear.weight)

    return change


class Doubled(nn.Module):
    def forward(self, weight):
        return 2 * weight


NORMS = {
    "parametrisation": lambda it: parametrize.register_parametrization(it, "weight", Doubled()),
    "spectral norm": parametrizations.spectral_norm,
    "weight norm": parametrizations.weight_norm,
    "old spectral norm": spectral_norm,
    "old weight norm": weight_norm,
    "pruning": lambda it: prune.l1_unstructured(it, "weight", 0.5),
}


@pytest.mark.parametrize("name", NORMS)
def test_a_weight_that_is_computed_is_refused(name):
    """Kind: what the lowering cannot see, in the weights: they are not what is trained."""
    linear = nn.Linear(4, 4)
    NORMS[name](linear)
    with pytest.raises(UsageError, match=r"layer 1:\w+ .*(is parametrised|has a forward pre-hook)"):
        lower(nn.Sequential(nn.Flatten(), linear, nn.Linear(4, 2)), (1, 2, 2), 2)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (own_forward, "it has its own forward"),
        (hooked("register_forward_hook"), "it has a forward hook"),
        (hooked("register_forward_pre_hook"), "it has a forward pre-hook"),
        (hooked("register_full_backward_hook"), "it has a backward hook"),
        (hooked("register_full_backward_pre_hook"), "it has a backward pre-hook"),
        (lambda it: it.weight.register_hook(torch.neg), "its weight has a gradient hook"),
        (
            lambda it: it.bias.register_post_accumulate_grad_hook(print),
            "its bias has a gradient hook",
        ),
        (lambda it: it.requires_grad_(False), "its weight is not trained"),
        (lambda it: it.bias.requires_grad_(False), "its bias is not trained"),
        (lambda it: it.register_buffer("scale", torch.ones(1)), 'it has the buffer "scale"'),
        (
            lambda it: it.register_parameter("gain", nn.Parameter(torch.ones(1))),
            'it has the parameter "gain"',
        ),
        (lambda it: it.double(), "its weight is float64, not float32"),
        (lambda it: it.to(torch.bfloat16), "its weight is bfloat16, not float32"),
        (lambda it: it.to("meta"), "its weight lies on meta"),
        (replaced(lambda weight: Derived(weight.detach())), "its weight is a Derived"),
        (
            replaced(lambda weight: nn.Parameter(weight.detach()[:1, :1].expand(4, 4))),
            "its weight is a view of other memory",
        ),
        (
            replaced(lambda weight: nn.Parameter(torch.zeros(7).as_strided((4, 4), (1, 1)))),
            "its weight is a view of other memory",
        ),
        (replaced(lambda weight: nn.Parameter(weight.detach() / 0)), "numbers that are not finite"),
        (
            lambda it: setattr(it, "bias", nn.Parameter(torch.zeros(1))),
            "bias must have 4 elements",
        ),
    ],
)
@pytest.mark.parametrize("nested", [False, True])
def test_what_was_added_to_a_layer_is_refused_by_name(change, message, nested):
    """Kind: what the lowering cannot see, added to one module."""
    linear = nn.Linear(4, 4)
    change(linear)
    layer = nn.Sequential(nn.ReLU(), linear) if nested else linear
    model = nn.Sequential(nn.Flatten(), layer, nn.ReLU(), nn.Linear(4, 2))
    with pytest.raises(UsageError) as error:
        lower(model, (1, 2, 2), 2)
    assert message in str(error.value)
    assert f"layer {'1.1' if nested else '1'}:Linear" in str(error.value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (own_forward, "the model is not supported: it has its own forward"),
        (hooked("register_forward_hook"), "the model is not supported: it has a forward hook"),
        (lambda it: it.register_buffer("scale", torch.ones(1)), "the model .* buffer"),
        (lambda it: it.add_module("again", it), "layer again:Sequential .* contains itself"),
        (lambda it: it.add_module("none", None), "layer none .* None"),
        (lambda it: it.insert(1, nn.ModuleList([nn.ReLU()])), "layer 1:ModuleList is not"),
    ],
)
def test_what_was_added_to_a_container_is_refused_too(change, message):
    """Kind: the same, where the module has no layer of its own."""
    model = nn.Sequential(nn.Flatten(), nn.Linear(4, 2))
    change(model)
    with pytest.raises(UsageError, match=message):
        lower(model, (1, 2, 2), 2)


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        (Scaled(4, 4), "1:Scaled is not supported: it is a Linear with its own forward"),
        (Called(), "1:Called is not supported: it is a ReLU with its own __call__"),
        (Absolute(4, 4), "a Linear with its own __getattr__"),
        (Unseen(nn.ReLU()), "1:Unseen is not supported: it has its own __call__"),
        (nn.LazyLinear(4), "1:LazyLinear is not supported"),
        (nn.ReLU6(), "1:ReLU6 is not supported"),
    ],
)
def test_a_subclass_that_computes_something_else_is_refused(layer, message):
    """Kind: what the lowering cannot see, in the class of a module."""
    with pytest.raises(UsageError) as error:
        lower(nn.Sequential(nn.Flatten(), layer, nn.Linear(4, 2)), (1, 2, 2), 2)
    assert message in str(error.value)


class Small(nn.Linear):
    """Only builds its layer in its own way."""

    sizes = (4, 2)

    def __init__(self):
        super().__init__(*self.sizes)

    def reset_parameters(self):
        nn.init.constant_(self.weight, 0.5)
        nn.init.zeros_(self.bias)

    def describe(self):
        return f"{self.sizes}"


def test_a_subclass_that_computes_the_same_is_what_it_is_derived_from():
    network, ((weight, _),) = lower(nn.Sequential(nn.Flatten(), Small()), (1, 2, 2), 2)
    assert network.layers[1].operation == Linear(4, 2)
    assert (weight == 0.5).all()


def tied(first, second):
    second.weight = first.weight


def same_memory(first, second):
    second.weight = nn.Parameter(first.weight.t())


@pytest.mark.parametrize("tie", [tied, same_memory])
def test_weights_that_are_tied_are_refused(tie):
    """Kind: one piece of memory that two layers train."""
    first, second = nn.Linear(4, 4), nn.Linear(4, 4)
    tie(first, second)
    model = nn.Sequential(nn.Flatten(), first, nn.ReLU(), second, nn.Linear(4, 2))
    with pytest.raises(UsageError, match=r"3:Linear .* weight shares memory with .* 1:Linear"):
        lower(model, (1, 2, 2), 2)


@pytest.mark.parametrize(
    ("layer", "operation"),
    [
        (nn.MaxPool2d([2, 2]), MaxPooling((2, 2), (2, 2), (0, 0))),
        (nn.MaxPool2d((2,)), MaxPooling((2, 2), (2, 2), (0, 0))),
        (nn.MaxPool2d(3, (1,), [1]), MaxPooling((3, 3), (1, 1), (1, 1))),
        (nn.MaxPool2d(2, stride=[]), MaxPooling((2, 2), (2, 2), (0, 0))),
        (nn.MaxPool2d(2, dilation=[1, 1]), MaxPooling((2, 2), (2, 2), (0, 0))),
        (nn.AvgPool2d([2, 1], 1), AveragePooling((2, 1), (1, 1), (0, 0))),
        (nn.AvgPool2d(2, count_include_pad=False), AveragePooling((2, 2), (2, 2), (0, 0))),
        (nn.Conv2d(2, 3, [3, 1], [2, 1], [1, 0]), Convolution(2, 3, (3, 1), (2, 1), (1, 0))),
        (nn.Conv2d(2, 3, 3, (2,), (1,), (1,)), Convolution(2, 3, (3, 3), (2, 2), (1, 1))),
        (nn.Conv2d(2, 3, 3, padding="same"), Convolution(2, 3, (3, 3), (1, 1), (1, 1))),
        (nn.Conv2d(2, 3, 3, padding="valid"), Convolution(2, 3, (3, 3), (1, 1), (0, 0))),
        (
            nn.Conv2d(2, 4, 1, groups=2, bias=False),
            Convolution(2, 4, (1, 1), (1, 1), (0, 0), groups=2, bias=False),
        ),
        (nn.AdaptiveAvgPool2d((2, None)), AveragePooling((2, 1), (2, 1), (0, 0))),
        (nn.BatchNorm2d(2, 1e-3, 0.2), BatchNorm(2, 1e-3, 0.2)),
        (nn.GroupNorm(1, 2, 1e-3), GroupNorm(1, 2, 1e-3)),
        (nn.GELU("tanh"), GELU("tanh")),
        (nn.Dropout(0.25), Dropout(0.25)),
    ],
)
def test_a_setting_means_what_pytorch_takes_it_for(layer, operation):
    """Kind: forms of a setting that PyTorch takes, beside a number and a tuple of two."""
    first = chain(layer)[0]
    assert first.operation == operation
    assert first.output_shape == layer(torch.zeros(1, 2, 4, 4)).shape[1:]


@pytest.mark.parametrize(
    "layers",
    [
        (nn.Flatten(), nn.Flatten()),
        (nn.Flatten(1, 3),),
        (nn.Flatten(-3, -1),),
        (nn.Flatten(2, 2), nn.Flatten()),
        (nn.Identity(1, two=2), nn.Flatten()),
    ],
)
def test_what_changes_nothing_is_left_out(layers):
    model = nn.Sequential(*layers, nn.Linear(32, 3))
    network, _ = lower(model, (2, 4, 4), 3)
    assert [type(layer.operation).__name__ for layer in network.layers] == ["Flatten", "Linear"]


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        (nn.MaxPool2d(2, return_indices=True), "return_indices must be False"),
        (nn.MaxPool2d((2, 2, 2)), "(2, 2, 2) must be one or two numbers"),
        (nn.MaxPool2d(2.0), "2.0 must be whole numbers"),
        (nn.MaxPool2d("2"), "'2' must be whole numbers"),
        (nn.MaxPool2d(None), "None must be whole numbers"),
        (nn.MaxPool2d(2, padding=2), "padding must be at most half of the kernel"),
        (nn.AvgPool2d(2, padding=1, count_include_pad=False), "count_include_pad must be True"),
        (nn.AvgPool2d(2, divisor_override=3), "divisor_override must be None"),
        (nn.Conv2d(2, 2, (3,)), "kernel_size must be one or two numbers"),
        (nn.Conv2d(2, 2, 1, []), "() must be one or two numbers"),
        (nn.Conv2d(2, 2, 1, 0), "stride must be at least 1"),
        (nn.Conv2d(2, 2, 1, 1, -1), "padding must not be negative"),
        (nn.MaxPool2d(0), "kernel_size must be at least 1"),
        (nn.Conv2d(2, 2, 2, padding="same"), 'padding "same" needs a kernel of odd size'),
        (nn.LeakyReLU(-0.1), "negative_slope must not be negative"),
        (nn.BatchNorm2d(2, affine=False), "affine must be True"),
        (nn.GroupNorm(1, 2, affine=False), "affine must be True"),
        (nn.BatchNorm2d(2, track_running_stats=False), "track_running_stats must be True"),
        (nn.BatchNorm2d(2, momentum=None), "momentum must be a number"),
        (nn.BatchNorm2d(2).eval(), "it is in evaluation mode: call train()"),
        (nn.Dropout().eval(), "it is in evaluation mode: call train()"),
        (nn.Dropout(1.0), "p must be below 1"),
        (nn.Flatten(0), "it must leave the samples of a batch apart"),
        (nn.Flatten(2), "it must flatten all"),
        (nn.Flatten("1"), "whole numbers"),
    ],
)
def test_a_setting_that_is_not_supported_is_refused(layer, message):
    """Kind: settings of a layer, each named with its layer in one line."""
    with pytest.raises(UsageError) as error:
        lower(nn.Sequential(layer, nn.Flatten(), nn.Linear(8, 3)), (2, 4, 4), 3)
    assert message in str(error.value)
    assert "layer 0:" in str(error.value)
    assert "\n" not in str(error.value)


def test_the_hash_of_a_network_is_that_of_what_it_computes():
    """Equal for other names and nesting, another for each setting; pinned, since it is stored."""

    def hash_of(*layers):
        return lower(nn.Sequential(*layers), (1, 4, 4), 2)[0].sha256

    def layers(stride=2, padding=0, kernel=2, pooling=nn.MaxPool2d):
        return pooling(kernel, stride, padding), nn.ReLU(), nn.Flatten(), nn.LazyLinear(2)

    def made(**settings):
        *before, lazy = layers(**settings)
        lazy(nn.Sequential(*before)(torch.zeros(1, 1, 4, 4)))
        return *before, lazy

    same = [made(), made(), (nn.Identity(), nn.Sequential(*made()))]
    other = [
        made(stride=1),
        made(padding=1),
        made(kernel=4),
        made(kernel=(2, 1)),
        made(pooling=nn.AvgPool2d),
        (*made()[:1], *made()[2:]),
    ]
    assert len({hash_of(*one) for one in same}) == 1
    assert len({hash_of(*one) for one in (made(), *other)}) == 1 + len(other)
    assert hash_of(*made()).startswith("002e4733b1104e3d")


def test_the_docs_list_the_layers_that_there_are(repository):
    table = (repository / "docs/own.md").read_text().split("## Supported layers")[1]
    rows = [line.split("|")[1] for line in table.splitlines() if line.startswith("| `")]
    listed = {name for row in rows for name in re.findall(r"`(\w+)`", row)}
    assert {kind.__name__ for kind in LEAVES} <= listed
    assert {name for name in listed if hasattr(nn, name)} == {kind.__name__ for kind in LEAVES}
