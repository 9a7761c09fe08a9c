"""Checks what a runtime remembered, as a checkpoint has it, before the runtime goes on from it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from specbp.arithmetic import Arithmetic
from specbp.experiment import Experiment
from specbp.network import Network
from specbp.plan.outline import Outline
from specbp.plan.tasks import StepPlans
from specbp.runtime.cache import NEVER, Saved, cache_shape
from specbp.runtime.gates import Gate, gate_of
from specbp.saved_state import (
    MOST_STEPS,
    SavedForms,
    StateError,
    TensorForm,
    fields,
    integers,
    real_number,
    whole_number,
)

_NATIVE_NAMES = ("input", "saved")
"""What a forward saves for a node, by the number that the native runtime gives it."""


@dataclass(frozen=True)
class RuntimeForm:
    """What a runtime may remember.

    Attributes:
        forms: for each node, in order, what a forward saves for it, by name.
        committed: nodes that a step commits to the cache.
        cache: shape of the cache, see `specbp.runtime.cache.cache_shape`; None without one.
        classes: number of labels.
        batch: number of samples of a batch.
        gate: the gate before its first batch.
    """

    forms: Mapping[int, Mapping[str, TensorForm]]
    committed: frozenset[int]
    cache: tuple[int, int, int | None] | None
    classes: int
    batch: int
    gate: Gate

    def read(self, runtime: str, value: Any) -> dict[str, Any]:
        """Return a copy of the state of a runtime, named as in `specbp.runtime.step.Runtime`.

        Raises:
            StateError: it is none that this runtime could have saved.
        """
        return self._native_state(value) if runtime == "native" else self._threads_state(value)

    def _threads_state(self, value: Any) -> dict[str, Any]:
        state = fields(value, ("cache", "put_off", "put_off_labels", "threshold"), "the runtime")
        labels = state["put_off_labels"]
        rows = 0 if labels is None else _length(labels, 1, self.batch, "labels of rejected samples")
        return {
            "cache": self._threads_cache(state["cache"]),
            "put_off": self._threads_put_off(state["put_off"], rows),
            "put_off_labels": None if labels is None else self._labels(labels, rows),
            "threshold": self._threshold(state["threshold"]),
        }

    def _native_state(self, value: Any) -> dict[str, Any]:
        state = fields(value, ("native", "threshold"), "the runtime")
        tensors = state["native"]
        if not isinstance(tensors, list) or len(tensors) < 4:
            raise StateError("the runtime is not a list of tensors")
        numbers, cached, put_off, labels = tensors[:4]
        rows = _length(labels, 0, self.batch, "labels of rejected samples")
        cache_rows = self._native_cache_rows(numbers)
        slots = self._native_slots(cached, self.committed, cache_rows)
        slots += self._native_slots(put_off, frozenset(self.forms if rows else ()), rows)
        if len(tensors) != 4 + len(slots):
            raise StateError(f"the runtime remembers {len(tensors) - 4} tensors, not {len(slots)}")
        found = [
            form.read(tensor, count, f"{name} of node {node}")
            for tensor, (node, name, form, count) in zip(tensors[4:], slots, strict=True)
        ]
        names = [one.clone() for one in (cached, put_off)]
        heads = [numbers.clone(), *names, self._labels(labels, rows)]
        threshold = state["threshold"]
        if self.gate.target is None and threshold is not None:
            raise StateError("the threshold of the gate does not change, but was saved")
        adapted = None if self.gate.target is None else self._threshold(threshold)
        return {"native": [*heads, *found], "threshold": adapted}

    def _threads_cache(self, value: Any) -> dict[str, Any] | None:
        if self.cache is None:
            if value is not None:
                raise StateError("there is a cache, but nothing is cached")
            return None
        keys = self.cache[0]
        if not keys:
            state = fields(value, ("labels", "slots"), "the cache")
            rows = self.batch if state["slots"] else 0
            labels = self._labels(state["labels"], rows)
            return {"labels": labels, "slots": self._threads_slots(state["slots"], rows)}
        state = fields(value, ("step", "stored_at", "labels", "slots"), "the cache")
        step = whole_number(state["step"], 0, MOST_STEPS, "the step of the cache")
        stored_at = integers(state["stored_at"], keys, NEVER, step - 1, "stored_at")
        return {
            "step": step,
            "stored_at": stored_at,
            "labels": self._labels(state["labels"], keys + 1),
            "slots": self._threads_slots(state["slots"], keys + 1, stored_at),
        }

    def _threads_slots(
        self, value: Any, rows: int, stored_at: Tensor | None = None
    ) -> dict[int, Saved]:
        """Return the slots of the cache: of all nodes that are committed, or of none before."""
        expected = self.committed if value else frozenset()
        if stored_at is not None and not value and bool((stored_at >= 0).any()):
            raise StateError("the cache has keys, but no slots")
        slots = fields(value, expected, "the cache")
        return {
            node: {
                name: form.read(saved[name], rows, f"{name} of node {node}")
                for name, form in self.forms[node].items()
            }
            for node in sorted(expected)
            for saved in [fields(slots[node], self.forms[node], f"the cache of node {node}")]
        }

    def _threads_put_off(self, value: Any, rows: int) -> list[tuple[str, int, Tensor]]:
        expected = {(name, node) for node, forms in self.forms.items() for name in forms}
        names = [(one[0], one[1]) for one in _triples(value)]
        if set(names) != (expected if rows else set()) or len(names) != len(set(names)):
            raise StateError("what is saved of rejected samples is not what a forward leaves")
        return [
            (name, node, self.forms[node][name].read(tensor, rows, f"{name} of node {node}"))
            for name, node, tensor in value
        ]

    def _native_cache_rows(self, numbers: Any) -> int:
        """Check the numbers of the native cache, and return how many rows its slots have."""
        if self.cache is None:
            integers(numbers, 0, 0, 0, "numbers of the cache")
            return 0
        keys = self.cache[0]
        if not keys:
            count = _length(numbers, 1, 1 + self.batch, "numbers of the cache")
            if count not in (1, 1 + self.batch):
                raise StateError("the cache is not of a whole batch")
            integers(numbers, count, 0, self.classes - 1, "numbers of the cache")
            return count - 1
        integers(numbers, 1 + 2 * keys, NEVER, MOST_STEPS, "numbers of the cache")
        step = whole_number(int(numbers[0]), 0, MOST_STEPS, "the step of the cache")
        integers(numbers[1 : 1 + keys], keys, NEVER, step - 1, "stored_at")
        self._labels(numbers[1 + keys :], keys)
        return keys if step else 0

    def _native_slots(
        self, value: Any, nodes: frozenset[int], rows: int
    ) -> list[tuple[int, str, TensorForm, int]]:
        """Return node, name, form and rows of the tensors that a list of names announces."""
        expected = [
            (node, name, form, rows)
            for node in sorted(nodes)
            for name, form in self.forms[node].items()
            if rows
        ]
        numbers = [
            number for node, name, _, _ in expected for number in (node, _NATIVE_NAMES.index(name))
        ]
        names = integers(value, len(numbers), 0, max(self.forms) + 1, "names of saved tensors")
        if names.tolist() != numbers:
            raise StateError("the saved tensors are not those that a forward leaves")
        return expected

    def _labels(self, value: Any, count: int) -> Tensor:
        return integers(value, count, 0, self.classes - 1, "labels")

    def _threshold(self, value: Any) -> float:
        threshold = real_number(value, 0, math.inf, "the threshold of the gate")
        if self.gate.target is None and threshold != self.gate.threshold:
            raise StateError(f"the threshold of the gate is not {self.gate.threshold:g}")
        return threshold


def runtime_form(
    experiment: Experiment,
    network: Network,
    outline: Outline,
    plans: StepPlans,
    arithmetic: Arithmetic,
) -> RuntimeForm:
    """Return what a runtime may remember.

    Args:
        experiment: what is trained, and how.
        network: the chain of layers.
        outline: outline of the network, as plans see it.
        plans: plans of the steps.
        arithmetic: number format of the training.
    """
    images = arithmetic.encode_images(torch.zeros(1, *network.layers[0].input_shape))
    saved = SavedForms.of(network, images.dtype)
    forms: dict[int, dict[str, TensorForm]] = {}
    for index, node in enumerate(outline.nodes):
        if outline.saved_by(index):
            forms[index] = {}
        if index in outline.kept:
            forms[index]["input"] = saved.inputs[index]
        if node.mask == index:
            forms[index]["saved"] = saved.masks[index]
    committed = {
        plan.tasks[index].node
        for plan in (plans.hit, plans.missed)
        for index in plan.of_kind("commit")
    }
    return RuntimeForm(
        forms,
        frozenset(committed),
        cache_shape(experiment, network.classes),
        network.classes,
        experiment.batch_size,
        gate_of(experiment),
    )


def _length(value: Any, least: int, most: int, name: str) -> int:
    if not isinstance(value, Tensor) or value.dim() != 1 or not least <= len(value) <= most:
        raise StateError(f"{name} are not {least} to {most} numbers")
    return len(value)


def _triples(value: Any) -> Sequence[tuple[Any, Any, Any]]:
    if not isinstance(value, list) or not all(
        isinstance(one, tuple) and len(one) == 3 and type(one[1]) is int for one in value
    ):
        raise StateError("what is saved of rejected samples is not a list of tensors")
    return value
