"""200 random models: each is trained as PyTorch computes it, or refused by name."""

import random

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations

from specbp.backends.agreement import require_agreement
from specbp.backends.cpu.training import CpuTraining
from specbp.datasets.loading import load
from specbp.errors import UsageError
from specbp.experiment import experiment_from
from specbp.initial import Initial
from specbp.network.lowering import lower
from specbp.network.models import MODELS, BuiltIn
from tests.oracle import PlainLoop

MODELS_TRIED = 200
CHANNELS, SIZE, CLASSES = 2, 9, 4
STEPS = 2


class Block(nn.Sequential):
    """A subclass that computes what its base does."""


class Unseen(nn.Sequential):
    def __call__(self, x):
        return -super().__call__(x)


class Negated(nn.ReLU):
    def forward(self, x):
        return -super().forward(x)


def form(draw, number):
    """One of the ways to write a setting of PyTorch."""
    return draw.choice([number, (number, number), [number, number]])


def pooling(draw):
    kind = draw.choice([nn.MaxPool2d, nn.AvgPool2d])
    kernel = draw.choice([2, (2,), [2, 2], (1, 2), 3])
    return kind(kernel, draw.choice([None, 1, 2, [], (2, 1)]), draw.choice([0, 1, [0, 0]]))


def supported_layers(draw):
    """The layers of a random model, in forward order; some without weights are there again."""
    relu, shared_pool = nn.ReLU(), nn.MaxPool2d(1)
    layers, channels = [], CHANNELS
    for _ in range(draw.randint(0, 3)):
        wide = draw.randint(1, 5)
        kernel, padding = draw.choice([1, 2, 3]), draw.choice([1, 1, 0])
        layers.append(
            nn.Conv2d(channels, wide, form(draw, kernel), draw.choice([1, 1, 2]), padding)
        )
        channels = wide
        layers.append(draw.choice([relu, nn.ReLU(inplace=True), nn.ReLU(), nn.Identity()]))
        if draw.random() < 0.4:
            layers.append(draw.choice([shared_pool, pooling(draw)]))
    layers.append(nn.Flatten())
    try:
        features = nn.Sequential(*layers)(torch.zeros(1, CHANNELS, SIZE, SIZE)).shape[1]
    except RuntimeError:  # a window is larger than its image
        return supported_layers(draw)
    for _ in range(draw.randint(0, 2)):
        layers += [nn.Linear(features, features := draw.randint(2, 9)), relu]
    return [*layers, nn.Linear(features, CLASSES)]


def weighted(draw, layers):
    return draw.choice([one for one in layers if isinstance(one, nn.Conv2d | nn.Linear)])


def insert(make):
    """Put a module that is not supported somewhere before the last layer."""

    def change(draw, layers):
        layer = make()
        layers.insert(draw.randrange(len(layers) - 1), layer)
        return layer

    return change


def change_one(change):
    """Do something to a layer with weights."""

    def changed(draw, layers):
        layer = weighted(draw, layers)
        change(layer)
        return layer

    return changed


def own_forward(layer):
    layer.forward = lambda x, forward=layer.forward: 2 * forward(x)


def use_again(draw, layers):
    layer = nn.Linear(CLASSES, CLASSES)
    layers += [layer, nn.ReLU(), layer]
    return layer


def tie(draw, layers):
    first, second = nn.Linear(CLASSES, CLASSES), nn.Linear(CLASSES, CLASSES)
    second.bias = first.bias
    layers += [first, second]
    return second


FAULTS = [
    insert(nn.AlphaDropout), insert(nn.Softplus), insert(nn.Tanh), insert(Negated), insert(nn.ELU),
    insert(lambda: nn.Unflatten(1, (1, -1))), insert(lambda: Unseen(nn.ReLU())),
    insert(lambda: nn.ConvTranspose2d(1, 1, 1)), insert(lambda: nn.InstanceNorm2d(1)),
    insert(lambda: nn.MaxPool2d(1, return_indices=True)),
    insert(lambda: nn.MaxPool2d(2, ceil_mode=True)), insert(lambda: nn.Flatten(0)),
    change_one(own_forward),
    change_one(lambda it: it.register_forward_hook(lambda module, x, y: y + 1)),
    change_one(lambda it: it.register_full_backward_hook(lambda module, x, y: None)),
    change_one(lambda it: it.weight.register_hook(lambda gradient: gradient * 2)),
    change_one(lambda it: it.requires_grad_(False)),
    change_one(lambda it: it.bias.requires_grad_(False)),
    change_one(lambda it: it.double()),
    change_one(lambda it: it.register_buffer("mask", torch.ones(1))),
    change_one(parametrizations.spectral_norm), change_one(parametrizations.weight_norm),
    use_again, tie,
]  # fmt: skip


def nested(draw, layers):
    """`layers` in containers within containers, which compute the same."""
    if len(layers) > 1 and draw.random() < 0.6:
        first = draw.randrange(len(layers))
        last = draw.randint(first + 1, len(layers))
        container = draw.choice([nn.Sequential, Block])(*nested(draw, layers[first:last]))
        return [*layers[:first], container, *nested(draw, layers[last:])]
    return layers


def random_model(number, faulty):
    """Return a model, and the names of its layer that is not supported; equal for equal numbers."""
    draw = random.Random(number)
    torch.manual_seed(number)
    layers = supported_layers(draw)
    layer = draw.choice(FAULTS)(draw, layers) if faulty else None
    model = nn.Sequential(*nested(draw, layers))
    paths = [name for name, one in model.named_modules(remove_duplicate=False) if one is layer]
    return model, paths


@pytest.fixture(scope="module")
def data():
    return load(f"random:{CHANNELS}x{SIZE}x{SIZE}/{CLASSES}", train=16, test=4)


def experiment_on(data, monkeypatch, number, faulty):
    """The training of a random model on both sides."""
    name = f"random-{number}-{faulty}"
    built = BuiltIn(lambda channels, classes: random_model(number, faulty)[0], SIZE)
    monkeypatch.setitem(MODELS, name, built)
    return experiment_from(
        {"dataset": data.info.name, "model": name, "batch_size": 5, "weight_decay": 0.01}
    )


@pytest.mark.parametrize("tenth", range(10))
def test_a_model_is_trained_as_pytorch_computes_it_or_refused_by_name(tenth, data, monkeypatch):
    """Kind: whatever a model may hold; half of these hold something that is not supported."""
    for number in range(tenth * MODELS_TRIED // 10, (tenth + 1) * MODELS_TRIED // 10):
        faulty = number % 2 == 1
        experiment = experiment_on(data, monkeypatch, number, faulty)
        if faulty:
            _, paths = random_model(number, faulty)
            with pytest.raises(UsageError) as error:
                CpuTraining(experiment, data)
            assert any(f"layer {path}:" in str(error.value) for path in paths), number
            assert "\n" not in str(error.value)
        else:
            # Not channels last: there PyTorch's own kernel of a strided 1 x 1 convolution writes
            # beyond its memory, on processors without AVX-512.
            plain = PlainLoop(experiment, data, torch.contiguous_format)
            training = CpuTraining(experiment, data)
            losses = plain.advance(STEPS)
            rows = training.advance(STEPS)
            assert [row["loss"] for row in rows] == pytest.approx(losses, rel=1e-4), number
            own = [one for pair in training.state()["weights"] for one in pair]
            for one, other in zip(own, plain.model.parameters(), strict=True):
                assert torch.allclose(one, other, rtol=1e-3, atol=1e-5), number
            training.close()


def start(*layers):
    model = nn.Sequential(nn.Flatten(), nn.Linear(4, 4), *layers, nn.Linear(4, 2))
    return Initial(model, *lower(model, (1, 2, 2), 2))


def test_what_looks_like_a_layer_and_is_none_is_caught_by_trying_it(monkeypatch):
    """Kind: what no look at the model shows, here a class that was changed from outside."""
    initial = start(nn.ReLU())
    require_agreement("plain", initial, initial.network)
    monkeypatch.setattr(nn.ReLU, "forward", lambda self, x: x.clamp(min=0.01))
    with pytest.raises(UsageError, match='"changed": its loss is not what its layers compute'):
        require_agreement("changed", initial, initial.network)


def test_a_gradient_that_differs_is_caught_too(monkeypatch):
    """Kind: the same, where forward is as it should be."""

    class Louder(torch.autograd.Function):
        @staticmethod
        def forward(context, x):
            return x.relu()

        @staticmethod
        def backward(context, gradient):
            return gradient * 1.001

    initial = start(nn.ReLU())
    monkeypatch.setattr(nn.ReLU, "forward", lambda self, x: Louder.apply(x))
    with pytest.raises(UsageError, match="its gradient of layer 1:Linear is not what"):
        require_agreement("louder", initial, initial.network)


def test_what_pytorch_cannot_train_is_refused_in_one_line():
    initial = start(nn.ReLU(inplace=True), nn.ReLU(inplace=True))
    with pytest.raises(UsageError, match="PyTorch itself cannot train it: one of the var") as error:
        require_agreement("in place", initial, initial.network)
    assert "\n" not in str(error.value)


def test_a_model_is_tried_once(monkeypatch):
    initial = start(nn.ReLU())
    require_agreement("once", initial, initial.network)
    monkeypatch.setattr(nn.Sequential, "forward", None)
    require_agreement("once", initial, initial.network)
