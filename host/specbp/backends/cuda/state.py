"""Checks what a schedule on a GPU remembered, as a checkpoint has it, before it is gone on from."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import fields as fields_of
from typing import Any

import torch

from specbp.arithmetic import Arithmetic
from specbp.experiment import Experiment
from specbp.network import Network
from specbp.runtime.cache import NEVER, cache_shape
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
from specbp.schedules.outcome import Outcome

_OUTCOME = [field.name for field in fields_of(Outcome)]


def schedule_state(
    value: Any, experiment: Experiment, network: Network, arithmetic: Arithmetic
) -> Mapping[str, Any]:
    """Return `value`, what the schedule of a training on a GPU remembered.

    Args:
        value: from a checkpoint.
        experiment: what is trained, and how.
        network: the chain of layers.
        arithmetic: number format of the training.

    Raises:
        StateError: it is none that the schedule could have saved.
    """
    shape = cache_shape(experiment, network.classes)
    if shape is None:
        return fields(value, (), "the schedule")
    state = fields(value, ("cache", "gate"), "the schedule")
    _require_threshold(state["gate"], experiment)
    images = arithmetic.encode_images(torch.zeros(1, *network.layers[0].input_shape))
    forms = SavedForms.of(network, images.dtype)
    keys = shape[0]
    if not keys:
        cache = fields(state["cache"], ("outcome",), "the cache")
        _require_outcome(cache["outcome"], network, forms, experiment.batch_size)
        return state
    cache = fields(state["cache"], ("step", "stored_at", "slots"), "the cache")
    step = whole_number(cache["step"], 0, MOST_STEPS, "the step of the cache")
    stored_at = integers(cache["stored_at"], keys, NEVER, step - 1, "stored_at")
    if cache["slots"] is None and bool((stored_at >= 0).any()):
        raise StateError("the cache has keys, but no slots")
    _require_outcome(cache["slots"], network, forms, keys + 1)
    return state


def _require_threshold(value: Any, experiment: Experiment) -> None:
    if experiment.gate_target is not None:
        real_number(value, 0, math.inf, "the threshold of the gate")
    elif value is not None:
        raise StateError("the threshold of the gate does not change, but was saved")


def _require_outcome(value: Any, network: Network, forms: SavedForms, rows: int) -> None:
    if value is None:
        return
    outcome = fields(value, _OUTCOME, "the cache")
    integers(outcome["labels"], rows, 0, network.classes - 1, "labels")
    loss = len(network.layers)
    forms.masks[loss].read(outcome["probabilities"], rows, "probabilities")
    for name, known in (("masks", forms.masks), ("inputs", forms.inputs)):
        _require_layers(outcome[name], network, known, rows, name)


def _require_layers(
    value: Any, network: Network, forms: Mapping[int, TensorForm], rows: int, name: str
) -> None:
    """Refuse what is not a tensor for each layer that has one; inputs may have been dropped."""
    if not isinstance(value, tuple) or len(value) != len(network.layers):
        raise StateError(f"{name} are not those of {len(network.layers)} layers")
    for position, tensor in enumerate(value):
        if tensor is None and (position not in forms or name == "inputs"):
            continue
        if position not in forms:
            raise StateError(f"{name} of layer {position} are there, but not needed")
        forms[position].read(tensor, rows, f"{name} of layer {position}")
