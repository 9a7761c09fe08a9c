"""Random small networks, and data to train them on."""

import torch
from hypothesis import strategies as st
from torch import nn

from specbp.arithmetic import UpdateRule
from specbp.arithmetic.calibration import calibrate
from specbp.experiment import experiment_from
from specbp.network.lowering import lower
from specbp.network.models import build
from specbp.overlay.compiler import compile_step


class SmallRecipe:
    """Like `specbp.backends.recipe.Recipe`, for a model and random data."""

    def __init__(self, model, image_shape, classes, batch_size, seed=0, **method):
        method = {"backend": "sim:model", "batch_size": batch_size, **method}
        self.experiment = experiment_from(method)
        self.network, self.initial = lower(model, image_shape, classes)
        self._shape, self._classes, self._size, self._seed = image_shape, classes, batch_size, seed

    def batch(self, step):
        generator = torch.Generator().manual_seed(1000 * self._seed + step)
        labels = torch.randint(self._classes, (self._size,), generator=generator)
        noise = torch.randn(self._size, *self._shape, generator=generator)
        return noise + labels[:, None, None, None] / self._classes, labels

    def scales(self):
        return calibrate(self.network, self.initial, [self.batch(0)])

    def rule(self, step):
        return UpdateRule(0.05 / (step + 1), 0.9, 1e-3)

    def images(self, arithmetic, pixels):
        return arithmetic.encode_images(pixels)


def lenet5_step(batch_size, parameters):
    """Return a compiled step of lenet5."""
    recipe = SmallRecipe(build("lenet5", 1, 10, seed=0), (1, 28, 28), 10, batch_size)
    return compile_step(recipe.network, recipe.scales(), batch_size, parameters)


def pairs(low, high):
    return st.tuples(st.integers(low, high), st.integers(low, high))


@st.composite
def poolings(draw, size):
    maximum = draw(st.booleans())
    kernel = draw(pairs(1, 3) if maximum else st.sampled_from([(2, 2), (1, 2), (4, 1), (1, 1)]))
    padding = tuple(draw(st.integers(0, side // 2)) for side in kernel)
    kind = nn.MaxPool2d if maximum else nn.AvgPool2d
    return kind(kernel, draw(pairs(1, 3)), padding)


@st.composite
def convolutions(draw, channels, widest):
    out = draw(st.integers(1, widest))
    kernel, stride, padding = draw(pairs(1, 4)), draw(pairs(1, 3)), draw(pairs(0, 2))
    return nn.Conv2d(channels, out, kernel, stride, padding)


@st.composite
def small_recipes(draw, widest=20, most_samples=7):
    """Up to three convolutions and poolings with ReLUs between, then up to two linear layers."""
    channels, size = draw(st.integers(1, 6)), draw(pairs(3, 11))
    image_shape = (channels, *size)
    seed = draw(st.integers(0, 2**16))
    layers = []
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        for _ in range(draw(st.integers(0, 4))):
            kind = draw(st.sampled_from(["convolution", "pooling", "relu"]))
            if kind == "relu":
                layers.append(nn.ReLU())
                continue
            layer = draw(
                convolutions(channels, widest) if kind == "convolution" else poolings(size)
            )
            moved = _sizes(layer, size)
            if min(moved) < 1:
                continue
            layers.append(layer)
            size, channels = moved, getattr(layer, "out_channels", channels)
        layers.append(nn.Flatten())
        features, classes = channels * size[0] * size[1], draw(st.integers(2, 12))
        if draw(st.booleans()):
            hidden = draw(st.integers(1, widest))
            layers += [nn.Linear(features, hidden), nn.ReLU()]
            features = hidden
        layers.append(nn.Linear(features, classes))
        model = nn.Sequential(*layers)
    return SmallRecipe(model, image_shape, classes, draw(st.integers(1, most_samples)), seed)


def _sizes(layer, size):
    def pair(value):
        return value if isinstance(value, tuple) else (value, value)

    numbers = zip(
        size, pair(layer.kernel_size), pair(layer.stride), pair(layer.padding), strict=True
    )
    return tuple((side + 2 * padding - kernel) // stride + 1
                 for side, kernel, stride, padding in numbers)  # fmt: skip
