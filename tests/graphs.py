"""Random networks: residuals, both norms, groups, all activations and poolings, dropout."""

from dataclasses import dataclass, replace

import torch
from hypothesis import strategies as st
from torch import nn

CHANNELS, SIZE, CLASSES = 2, 8, 4


@dataclass(frozen=True)
class Part:
    """One layer: what makes it, and the values that it reads, by number."""

    kind: str
    inputs: tuple
    settings: tuple = ()

    def build(self, channels):
        """Return the layer, for an image of so many channels."""
        make = {
            "convolution": lambda width, kernel, stride, groups, bias: nn.Conv2d(
                channels, width, kernel, stride, "same" if stride == 1 else kernel // 2,
                groups=groups, bias=bias,
            ),
            "batch norm": lambda: nn.BatchNorm2d(channels, momentum=0.3),
            "group norm": lambda groups: nn.GroupNorm(groups, channels),
            "relu": nn.ReLU, "leaky": lambda slope: nn.LeakyReLU(slope), "silu": nn.SiLU,
            "gelu": nn.GELU, "max": lambda: nn.MaxPool2d(2), "average": lambda: nn.AvgPool2d(2),
            "dropout": nn.Dropout, "add": nn.Identity,
        }  # fmt: skip
        return make[self.kind](*self.settings)


class Graph(nn.Module):
    """The network of some parts, ended by a pooling and a linear layer."""

    def __init__(self, parts):
        super().__init__()
        self.parts = parts
        channels = [CHANNELS]
        layers = []
        for part in parts:
            before = channels[part.inputs[0]]
            layers.append(part.build(before))
            channels.append(part.settings[0] if part.kind == "convolution" else before)
        self.layers = nn.ModuleList(layers)
        self.head = nn.Sequential(
            nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels[-1], CLASSES)
        )

    def forward(self, x):
        values = [x]
        for part, layer in zip(self.parts, self.layers, strict=True):
            read = [values[number] for number in part.inputs]
            values.append(read[0] + read[1] if part.kind == "add" else layer(read[0]))
        return self.head(values[-1])


def model_of(parts, seed=0):
    """Return the network of `parts` with weights from a seed, norms included."""
    torch.manual_seed(seed)
    model = Graph(parts)
    for name, parameter in model.named_parameters():
        if parameter.dim() == 1:
            nn.init.uniform_(parameter, *((0.5, 1.5) if name.endswith("weight") else (-0.5, 0.5)))
    return model


KINDS = (
    "convolution", "batch norm", "group norm", "relu", "leaky", "silu", "gelu", "max", "average",
    "add", "add", "dropout",
)  # fmt: skip


@st.composite
def graphs(draw, without=(), most=10):
    """Parts of a network, each of which reads the one before it; additions read another too."""
    shapes = [(CHANNELS, SIZE)]
    parts = [Part("convolution", (0,), (4, 3, 1, 1, draw(st.booleans())))]
    shapes.append((4, SIZE))
    for _ in range(draw(st.integers(2, most))):
        channels, size = shapes[-1]
        kind = draw(st.sampled_from([one for one in KINDS if one not in without]))
        part = Part(kind, (len(shapes) - 1,))
        match kind:
            case "convolution":
                width, stride = draw(st.sampled_from([4, 8])), draw(st.sampled_from([1, 1, 2]))
                kernel, groups = draw(st.sampled_from([1, 3])), draw(st.sampled_from([1, 2, 4]))
                settings = (width, kernel, stride, groups, draw(st.booleans()))
                part = replace(part, settings=settings)
                channels, size = width, (size - 1) // stride + 1
            case "group norm":
                part = replace(part, settings=(draw(st.sampled_from([1, 2, 4])),))
            case "leaky":
                part = replace(part, settings=(draw(st.sampled_from([0.0, 0.1])),))
            case "dropout":
                part = replace(part, settings=(draw(st.sampled_from([0.2, 0.5])),))
            case "max" | "average" if size < 4:
                continue
            case "max" | "average":
                size //= 2
            case "add":
                others = [one for one in range(1, len(shapes) - 1) if shapes[one] == shapes[-1]]
                if not others:
                    continue
                part = replace(part, inputs=(len(shapes) - 1, draw(st.sampled_from(others))))
        parts.append(part)
        shapes.append((channels, size))
    return tuple(parts)
