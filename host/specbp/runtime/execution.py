"""What each kind of task does, over any arithmetic: the reference for every other runtime.

The values of a step are named as in `specbp.plan.checks`, by what they are, whose rows they have,
and the node they belong to.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from specbp.arithmetic import Arithmetic, Numbers, UpdatePart
from specbp.arithmetic.dropout import Draw
from specbp.memory_order import in_memory_order
from specbp.network import Dropout, Network, Weights
from specbp.plan.outline import Outline
from specbp.plan.tasks import Plan, Rows, Task, When
from specbp.runtime.cache import Cache, Saved, rows_of
from specbp.runtime.gates import Gate
from specbp.runtime.step import StepParams


@dataclass(frozen=True)
class Trained:
    """The tensors that training changes, of each layer with weights, in forward order.

    Attributes:
        weights: what backward and refresh read, and what is updated.
        ahead: what forward reads: the same, or with weight prediction where the weights are
            expected to be when the result of the forward is used.
        parts: parts of the update of these tensors.
    """

    weights: Sequence[Weights]
    ahead: Sequence[Weights]
    parts: Sequence[UpdatePart]


@dataclass
class Values:
    """The values of one step in progress.

    Attributes:
        labels: int64, by rows.
        hit: whether the cache holds a sample for the key of each, bool [batch].
        ahead: weights that the forward reads.
        samples: places of the samples in the training set, int64 [batch]; None for dropout that
            drops nothing.
        step: number of the step.
        tensors: by name, rows and node.
        gradients: weight gradients by rows and node; under `sum` those the update reads.
        accepted: bool [batch], from the gate on.
        index: positions in the batch of picked rows, int64, from the gate on.
        by_products: weight gradients that input gradients have made, by rows and node.
        output_grads: gradient at the output of each node with weights that its weight gradient
            was made from.
    """

    labels: dict[Rows, Tensor]
    hit: Tensor
    ahead: Sequence[Weights]
    samples: Tensor | None = None
    step: int = 0
    tensors: dict[tuple[str, Rows, int], Tensor] = field(default_factory=dict)
    gradients: dict[tuple[str, int], Weights] = field(default_factory=dict)
    losses: dict[Rows, Tensor] = field(default_factory=dict)
    accepted: Tensor | None = None
    index: dict[Rows, Tensor] = field(default_factory=dict)
    by_products: dict[tuple[Rows, int], Weights] = field(default_factory=dict)
    output_grads: dict[int, Tensor] = field(default_factory=dict)


class Executor:
    """Executes tasks.

    Args:
        network: the graph of layers.
        arithmetic: number format of the training.
        outline: outline of the network.
        trained: what training changes.
        cache: for plans that look up.
        gate: for plans with a gate.
        seed: seed of what dropout drops.
    """

    def __init__(
        self,
        network: Network,
        arithmetic: Arithmetic,
        outline: Outline,
        trained: Trained,
        cache: Cache | None,
        gate: Gate,
        seed: int = 0,
    ) -> None:
        self._seed = seed
        self._layers = network.layers
        self._arithmetic = arithmetic
        self._outline = outline
        self._trained = trained
        self._cache = cache
        self._gate = gate
        self._position = {node: place for place, node in enumerate(outline.trained)}
        self.put_off: dict[tuple[str, Rows, int], Tensor] = {}
        """What the last step left of rejected samples, as values of the rows `deferred`."""
        self.put_off_labels: Tensor | None = None

    def begin(
        self, labels: Tensor, warmup: bool = False, samples: Tensor | None = None, step: int = 0
    ) -> Values:
        """Return the values of a step before its first task.

        Args:
            labels: int64 [batch].
            warmup: whether the forward reads the weights themselves, predicted or not.
            samples: places of the samples in the training set, int64 [batch]; None for dropout
                that drops nothing.
            step: number of the step.
        """
        hit = torch.zeros_like(labels, dtype=torch.bool)
        if self._cache is not None:
            hit = self._cache.hit(labels)
        trained = self._trained
        weights = trained.weights if warmup else trained.ahead
        values = Values({"batch": labels}, hit, weights, samples, step)
        if self._cache is not None:
            values.labels["cached"] = self._cache.labels_of(labels)
        if self.put_off_labels is not None:
            values.labels["deferred"] = self.put_off_labels
            values.tensors |= self.put_off
        return values

    def runs(self, when: When, values: Values) -> bool:
        """Return whether tasks of that condition run in this step."""
        match when:
            case "hit":
                return bool(values.hit.any())
            case "rejected":
                return bool(len(values.index["rejected"]))
            case "deferred":
                return "deferred" in values.labels
            case _:
                return True

    def execute(
        self,
        task: Task,
        values: Values,
        load: Callable[[], Tensor],
        params: StepParams | None,
    ) -> None:
        """Execute a task.

        Args:
            task: one task of the step.
            values: values of the step, which the task reads and adds to.
            load: gives the images of the batch.
            params: numbers of the update; only an update needs them.
        """
        match task.kind:
            case "load":
                values.tensors["input", "batch", 0] = load()
            case "forward":
                self._forward(task, values, values.ahead)
            case "refresh":
                self._forward(task, values, self._trained.weights)
            case "lookup":
                self._lookup(task.node, values)
            case "gate":
                self._decide(values)
            case "input_grad" | "redo":
                self._input_grad(task, values)
            case "weight_grad":
                self._weight_grad(task, values)
            case "reduce_grad":
                self._reduce_grad(task.node, values)
            case "update":
                assert params is not None
                self._update(task.node, values, params)
            case "commit":
                assert self._cache is not None
                self._cache.commit(
                    task.node, values.labels["batch"], self._saved(task.node, values)
                )

    def state(self) -> dict[str, Any]:
        """Return what is remembered from earlier steps, as plain containers of tensors."""
        return {
            "cache": None if self._cache is None else self._cache.state(),
            "put_off": [(name, node, rows) for (name, _, node), rows in self.put_off.items()],
            "put_off_labels": self.put_off_labels,
            "threshold": self._gate.threshold,
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from `state`."""
        if self._cache is not None:
            self._cache.restore(state["cache"])
        self.put_off = {(name, "deferred", node): rows for name, node, rows in state["put_off"]}
        self.put_off_labels = state["put_off_labels"]
        self._gate.threshold = state["threshold"]

    def end(self, plan: Plan, values: Values) -> None:
        """Finish a step whose tasks are all done."""
        if self._cache is not None and plan.of_kind("commit"):
            self._cache.end_step(values.labels["batch"])
        self.put_off, self.put_off_labels = {}, None
        if any(task.rows == "deferred" for task in plan.tasks) and len(values.index["rejected"]):
            index = values.index["rejected"]
            self.put_off_labels = values.labels["batch"].index_select(0, index)
            self.put_off = {
                (name, "deferred", node): rows_of(rows, index)
                for (name, whose, node), rows in values.tensors.items()
                if whose == "batch" and name in ("input", "saved") and self._is_saved(name, node)
            }

    def _forward(self, task: Task, values: Values, weights: Sequence[Weights]) -> None:
        node, rows = task.node, task.rows
        inputs = [self._value(values, rows, value) for value in self._outline.inputs[node]]
        if node == self._outline.loss:
            labels = self._labels(values, rows)
            probabilities, losses = self._arithmetic.softmax_cross_entropy(inputs[0], labels)
            values.tensors["saved", rows, node] = probabilities
            values.losses[rows] = losses
            return
        layer, own = self._layers[node], self._of(weights, node)
        if isinstance(layer.operation, Dropout):
            inputs.append(self._factors(node, layer.operation, rows, values, inputs[0]))
        output, mask = self._arithmetic.forward(layer, own, *inputs)
        values.tensors["input", rows, node + 1] = output
        if mask is not None:
            values.tensors["saved", rows, node] = mask

    def _factors(
        self, node: int, operation: Dropout, rows: Rows, values: Values, x: Tensor
    ) -> Tensor:
        """Return the factor of each value that dropout is given."""
        if values.samples is None:
            return torch.ones_like(x)
        samples = _half(values.samples, rows) if rows in ("half 0", "half 1") else values.samples
        draw = Draw(self._seed, values.step, node)
        factors = draw.factors(samples, self._layers[node].output_shape, operation.probability)
        return torch.empty_like(x).copy_(factors)

    def _lookup(self, node: int, values: Values) -> None:
        assert self._cache is not None
        saved = self._cache.lookup(node, values.labels["batch"])
        for name, rows in saved.items():
            values.tensors[name, "cached", node] = rows

    def _saved(self, node: int, values: Values) -> Saved:
        """Return what the forward of the batch saved for a node."""
        return {
            name: values.tensors[name, "batch", node]
            for name in ("input", "saved")
            if self._is_saved(name, node)
        }

    def _is_saved(self, name: str, node: int) -> bool:
        outline = self._outline
        return node in outline.kept if name == "input" else outline.nodes[node].mask == node

    def _decide(self, values: Values) -> None:
        loss = self._outline.loss
        actual = values.tensors["saved", "batch", loss]
        accepted = torch.zeros_like(values.hit)
        if self._cache is None:  # the gate of selective looks at losses alone
            accepted = self._gate(actual, actual, values.losses["batch"])
        elif bool(values.hit.all()):
            cached = values.tensors["saved", "cached", loss]
            accepted = self._gate(actual, cached, values.losses["batch"])
        elif bool(values.hit.any()):
            cached = values.tensors["saved", "cached", loss]
            hit = values.hit
            of_hits = self._gate(actual[hit], cached[hit], values.losses["batch"][hit])
            accepted = accepted.masked_scatter_(hit, of_hits)
        values.accepted = accepted
        rejected = (~accepted).nonzero()[:, 0]
        half = -(-len(rejected) // 2)
        values.index = {
            "rejected": rejected,
            "rejected 0": rejected[:half],
            "rejected 1": rejected[half:],
            "kept": accepted.nonzero()[:, 0],
        }

    def _input_grad(self, task: Task, values: Values) -> None:
        node, rows = task.node, task.rows
        picked = rows in values.index
        if task.kind == "redo" and not len(values.index[rows]):
            return
        of_node = self._outline.nodes[node]
        saved: Tensor | None = None
        if of_node.mask is not None:
            name = "saved" if of_node.mask == node else "input"
            saved = self._picked(values, name, rows, of_node.mask)
        if node == self._outline.loss:
            assert saved is not None
            labels = self._labels(values, rows if picked else task.inputs)
            grad = self._arithmetic.logit_gradient(saved, labels, len(values.labels["batch"]))
        else:
            grad = self._layer_grad(node, rows, values, saved)
        for number, value in enumerate(self._outline.passes[node]):
            # A weight gradient may overwrite rows of what was speculated: not those of another.
            one = grad.clone() if number and rows == "cached" else grad
            others = values.tensors.get(("grad", rows, value - 1))
            values.tensors["grad", rows, value - 1] = one if others is None else others + one

    def _layer_grad(self, node: int, rows: Rows, values: Values, saved: Tensor | None) -> Tensor:
        """Return the gradient at each input of a layer, and keep what comes with it."""
        outline, layer = self._outline, self._layers[node]
        weights = self._of(self._trained.weights, node)
        output_grad = values.tensors["grad", rows, node]
        x: Tensor | None = None
        if outline.nodes[node].reads_input:
            x = self._picked(values, "input", rows, outline.inputs[node][0])
        if outline.nodes[node].makes_both:
            assert weights is not None and saved is not None and x is not None
            grad, own = self._arithmetic.norm_gradients(layer, weights, saved, output_grad, x)
            values.by_products[rows, node] = own
            return grad
        return self._arithmetic.input_gradient(layer, weights, saved, output_grad, x)

    def _weight_grad(self, task: Task, values: Values) -> None:
        node, value = task.node, self._outline.inputs[task.node][0]
        match task.rows:
            case "merged":
                x, grad = self._merged(task, values)
            case "accepted":
                x, grad = self._accepted(task, values)
            case rows:
                grad = values.tensors["grad", rows, node]
                if rows == task.inputs and (rows, node) in values.by_products:
                    values.output_grads[node] = grad
                    values.gradients[rows, node] = values.by_products[rows, node]
                    return
                picked = rows in values.index
                x = (
                    self._picked(values, "input", rows, value)
                    if picked
                    else self._value(values, task.inputs, value)
                )
        layer = self._layers[node]
        values.output_grads[node] = grad
        values.gradients[task.rows, node] = self._arithmetic.weight_gradient(layer, x, grad)

    def _merged(self, task: Task, values: Values) -> tuple[Tensor, Tensor]:
        """Return layer inputs and gradients, speculated where accepted, redone elsewhere."""
        node = task.node
        rejected, value = values.index["rejected"], self._outline.inputs[node][0]
        from_batch = self._value(values, "batch", value)
        redone = [
            (values.index[rows], values.tensors["grad", rows, node])
            for rows in ("rejected", "rejected 0", "rejected 1")
            if ("grad", rows, node) in values.tensors
        ]
        if len(rejected) == len(from_batch):
            return from_batch, torch.cat([rows for _, rows in redone])
        grad = values.tensors["grad", "cached", node]
        for index, rows in redone:
            _put_rows(grad, index, rows)
        x = self._value(values, task.inputs, value)
        if task.inputs == "cached" and len(rejected):
            _put_rows(x, rejected, rows_of(from_batch, rejected))
        return x, grad

    def _accepted(self, task: Task, values: Values) -> tuple[Tensor, Tensor]:
        """Return layer inputs and speculated gradients, zero where they were not accepted."""
        node, value = task.node, self._outline.inputs[task.node][0]
        if not bool(values.hit.any()):
            x = self._value(values, "batch", value)
            return x, x.new_zeros(len(x), *self._layers[node].output_shape)
        grad = values.tensors["grad", "cached", node]
        return self._value(values, task.inputs, value), grad.index_fill_(
            0, values.index["rejected"], 0
        )

    def _reduce_grad(self, node: int, values: Values) -> None:
        summands = [pair for (_, of), pair in values.gradients.items() if of == node]
        first, *others = [[pair] for pair in summands]
        for other in others:
            first = self._arithmetic.add(first, other)
        values.gradients["sum", node] = first[0]

    def gradient(self, node: int, values: Values) -> Weights:
        """Return the gradient of the weights of a node, which the update reads."""
        pairs = {rows: pair for (rows, of), pair in values.gradients.items() if of == node}
        return pairs.get("sum") or next(iter(pairs.values()))

    def _update(self, number: int, values: Values, params: StepParams) -> None:
        gradients = [self.gradient(node, values) for node in self._outline.updates[number]]
        self._trained.parts[number].do(gradients, Numbers(params.rule, params.distance))

    def _value(self, values: Values, rows: Rows, value: int) -> Tensor:
        """Return what nodes read, for rows that are there as a whole."""
        if value == 0 and rows in ("half 0", "half 1"):
            return _half(values.tensors["input", "batch", 0], rows)
        return values.tensors["input", rows, value]

    def _picked(self, values: Values, name: str, rows: Rows, place: int) -> Tensor:
        """Return what is saved at a place, the rows picked from the batch if need be."""
        if rows not in values.index:
            by_value = name == "input"
            return (
                self._value(values, rows, place) if by_value else values.tensors[name, rows, place]
            )
        whole = values.tensors[name, "batch", place]
        index = values.index[rows]
        return whole if len(index) == len(whole) else rows_of(whole, index)

    def _labels(self, values: Values, rows: Rows) -> Tensor:
        if rows in values.index:
            return values.labels["batch"].index_select(0, values.index[rows])
        if rows in ("half 0", "half 1"):
            return _half(values.labels["batch"], rows)
        return values.labels[rows]

    def _of(self, weights: Sequence[Weights], node: int) -> Weights | None:
        position = self._position.get(node)
        return None if position is None else weights[position]


def _half(rows: Tensor, which: Rows) -> Tensor:
    return rows.chunk(2)[0 if which == "half 0" else 1]


def _put_rows(target: Tensor, index: Tensor, rows: Tensor) -> None:
    """Copy `rows` into the rows of `target` at `index`, int64."""
    in_memory_order(target).index_copy_(0, index, in_memory_order(rows))
