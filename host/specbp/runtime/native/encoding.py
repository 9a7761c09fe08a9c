"""Networks, plans and update parts as the tables of numbers that the native runtime reads."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from specbp.arithmetic import UpdatePart
from specbp.arithmetic.float32 import PlainPart, PredictingPart, unreached
from specbp.network import (
    AveragePooling,
    Convolution,
    Flatten,
    Linear,
    MaxPooling,
    Network,
    ReLU,
)
from specbp.plan.outline import Outline
from specbp.plan.tasks import KINDS, ROWS, WHENS, Plan

_OPERATIONS = (Convolution, Linear, ReLU, MaxPooling, AveragePooling, Flatten)
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


def encoded_network(network: Network, outline: Outline) -> Tensor:
    """Return a row of 20 numbers for each node, int64 [nodes, 20]; runtime.cpp says which."""
    rows = []
    for index, layer in enumerate(network.layers):
        op = layer.operation
        kernel = stride = padding = beyond = (0, 0)
        if isinstance(op, Convolution | MaxPooling | AveragePooling):
            kernel, stride, padding = op.kernel, op.stride, op.padding
        if isinstance(op, Convolution):
            beyond = unreached(op, layer.input_shape, layer.output_shape)
        follows = index and not isinstance(network.layers[index - 1].operation, ReLU | Flatten)
        rows.append(
            [
                _OPERATIONS.index(type(op)), *kernel, *stride, *padding, *beyond,
                *_shape(layer.input_shape), *_shape(layer.output_shape), int(bool(follows)),
                _mask(outline, index), int(layer.has_weights),
            ]
        )  # fmt: skip
    loss = outline.loss
    last = [_LOSS, *[0] * 8, *_shape((network.classes,)), *_shape(()), 0, _mask(outline, loss), 0]
    return _table([*rows, last])


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
        table += [len(nodes), *nodes, first, count, int(part.place.has_bias)]
        tensors += [*part.weights, *part.momenta]
        if isinstance(part, PredictingPart):
            tensors += part.ahead
    return torch.tensor(table), tensors, isinstance(parts[0], PredictingPart)


def _rows_of(part: PlainPart) -> int:
    return len(part.weights[0])


def _mask(outline: Outline, node: int) -> int:
    mask = outline.nodes[node].mask
    return _NOTHING if mask is None else mask


def _shape(shape: Sequence[int]) -> list[int]:
    """Return the number of dimensions and three of them, the missing ones 0."""
    return [len(shape), *shape, *[0] * (3 - len(shape))]


def _table(rows: list[list[int]]) -> Tensor:
    return torch.tensor(rows, dtype=torch.int64)
