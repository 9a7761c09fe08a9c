"""Networks, plans and update parts as the tables of numbers that the native runtime reads."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from specbp.arithmetic import UpdatePart
from specbp.arithmetic.dropout import threshold
from specbp.arithmetic.float32 import PlainPart, PredictingPart, unreached
from specbp.network import (
    GELU,
    Addition,
    AveragePooling,
    BatchNorm,
    Convolution,
    Dropout,
    Flatten,
    GroupNorm,
    LeakyReLU,
    Linear,
    MaxPooling,
    Network,
    Operation,
    ReLU,
    SiLU,
    Weights,
)
from specbp.plan.outline import Outline
from specbp.plan.tasks import KINDS, ROWS, WHENS, Plan

_OPERATIONS: tuple[type[Operation], ...] = (
    Convolution, Linear, ReLU, MaxPooling, AveragePooling, Flatten, LeakyReLU, SiLU, GELU, Addition,
    BatchNorm, GroupNorm, Dropout,
)  # fmt: skip
_LOSS = len(_OPERATIONS)
_NOTHING = -1


def encoded_plan(plan: Plan) -> list[Tensor]:
    """Return tasks [tasks, 6], their needs [pairs, 2] and the number of engines [1], int64."""
    table = [
        [
            KINDS.index(task.kind),
            task.node,
            _NOTHING if task.engine is None else task.engine,
            ROWS.index(task.rows),
            ROWS.index(task.inputs),
            WHENS.index(task.when),
        ]
        for task in plan.tasks
    ]
    needs = [[index, need] for index, task in enumerate(plan.tasks) for need in task.needs]
    return [_table(table), _table(needs), torch.tensor([plan.engines])]


def encoded_network(
    network: Network, outline: Outline, weights: Sequence[Weights]
) -> tuple[Tensor, Tensor]:
    """Return the numbers of each node, int64 [nodes, 32] and float64 [nodes, 2].

    runtime.cpp says which they are.
    """
    rows, numbers = [], []
    owns = _owned_gradients(network, outline)
    remaining = iter(weights)
    for index, layer in enumerate(network.layers):
        op = layer.operation
        kernel = stride = padding = beyond = (0, 0)
        if isinstance(op, Convolution | MaxPooling | AveragePooling):
            kernel, stride, padding = op.kernel, op.stride, op.padding
        if isinstance(op, Convolution):
            beyond = unreached(op, layer.input_shape, layer.output_shape)
        tensors = len(next(remaining)) if layer.has_weights else 0
        rows.append(
            [
                _OPERATIONS.index(type(op)), *kernel, *stride, *padding, *beyond,
                *_some(layer.input_shape, 3), *_some(layer.output_shape, 3),
                *_graph(outline, index), getattr(op, "groups", 1), _mask(outline, index), tensors,
                int(tensors > 1), int(_works_in_place(network, outline, index)), int(owns[index]),
                *_flags(outline, index),
            ]
        )  # fmt: skip
        numbers.append(_numbers(op))
    loss = outline.loss
    rows.append(
        [
            _LOSS, *[0] * 8, *_some((network.classes,), 3), *_some((), 3), *_graph(outline, loss),
            1, _mask(outline, loss), 0, 0, 0, 1, *_flags(outline, loss),
        ]
    )  # fmt: skip
    return _table(rows), torch.tensor([*numbers, (0.0, 0.0)], dtype=torch.float64)


def _numbers(op: Operation) -> tuple[float, float]:
    """Return the settings of an operation that are no whole numbers."""
    match op:
        case LeakyReLU():
            return op.slope, 0.0
        case GELU():
            return float(op.approximate == "tanh"), 0.0
        case BatchNorm():
            return op.eps, op.momentum
        case GroupNorm():
            return op.eps, 0.0
        case Dropout():
            return 1 / (1 - op.probability), float(threshold(op.probability))
        case _:
            return 0.0, 0.0


def _graph(outline: Outline, node: int) -> list[int]:
    return [*_some(outline.inputs[node], 2), *_some(outline.passes[node], 2)]


def _flags(outline: Outline, node: int) -> list[int]:
    of_node = outline.nodes[node]
    return [int(node in outline.kept), int(of_node.reads_input), int(of_node.makes_both)]


def _works_in_place(network: Network, outline: Outline, index: int) -> bool:
    """Return whether a layer may write over its first input: nobody reads that any more."""
    value = network.sources[index][0]
    if value == 0 or value in outline.kept or len(network.readers(value)) > 1:
        return False
    # The output of a ReLU is its mask, that of a flattening may be its input.
    return not isinstance(network.layers[value - 1].operation, ReLU | LeakyReLU | Flatten)


def _owned_gradients(network: Network, outline: Outline) -> list[bool]:
    """Return for each layer whether only its input gradient reads that at its output, or weights.

    An addition hands one gradient to both its inputs.
    """
    owned = [True] * len(outline.nodes)
    for index in reversed(range(len(network.layers))):
        readers = [one for one, values in enumerate(outline.passes) if index + 1 in values]
        if len(readers) == 1 and readers[0] != outline.loss:
            match network.layers[readers[0]].operation:
                case Addition():
                    owned[index] = False
                case Flatten():
                    owned[index] = owned[readers[0]]
    return owned


def encoded_parts(
    parts: Sequence[UpdatePart], outline: Outline
) -> tuple[Tensor, list[Tensor], bool]:
    """Return the table of the parts, int64, their tensors, and whether weights are predicted."""
    table: list[int] = []
    tensors: list[Tensor] = []
    for part, nodes in zip(parts, outline.updates, strict=True):
        assert isinstance(part, PlainPart)
        rows = part.place.rows
        first, count = (0, 0) if rows is None else (rows.start, _rows_of(part))
        table += [len(nodes), *nodes, first, count, int(part.place.has_bias), len(part.weights)]
        tensors += [*part.weights, *part.momenta]
        if isinstance(part, PredictingPart):
            tensors += part.ahead
    return torch.tensor(table), tensors, isinstance(parts[0], PredictingPart)


def _rows_of(part: PlainPart) -> int:
    return len(part.weights[0])


def _mask(outline: Outline, node: int) -> int:
    mask = outline.nodes[node].mask
    return _NOTHING if mask is None else mask


def _some(numbers: Sequence[int], most: int) -> list[int]:
    """Return how many numbers there are, and the numbers, filled up with 0."""
    return [len(numbers), *numbers, *[0] * (most - len(numbers))]


def _table(rows: list[list[int]]) -> Tensor:
    return torch.tensor(rows, dtype=torch.int64)
