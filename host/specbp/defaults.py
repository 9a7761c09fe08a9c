"""What the fields of an experiment mean beside one another: shorthands, defaults, and no effect.

Works on plain values as they were written, before they are checked one by one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from specbp.backends.table import find_backend
from specbp.cores import available_cores

SPECULATION_FIELDS = (
    "key",
    "buckets",
    "reuse",
    "refresh",
    "weight_prediction",
    "warmup_epochs",
    "max_age",
    "gate_metric",
    "gate_threshold",
    "gate_target",
    "balanced",
)
"""The fields that only a speculative schedule has."""

KEY_DEFAULTS: dict[Any, dict[str, Any]] = {
    "label": {"reuse": "outcomes", "refresh": 0, "warmup_epochs": 0},
    "other-label": {"reuse": "outcomes", "refresh": 0, "warmup_epochs": 0},
    "bucket": {"reuse": "replay", "refresh": 1, "warmup_epochs": 1},
    "batch": {"reuse": "replay", "refresh": 0, "warmup_epochs": 0},
}
"""What a key implies unless said otherwise.

`label` is the paper's scheme, `other-label` its control: an outcome as old, of another label. A
bucket's outcome belongs to another label and is many steps old: the last layer is refreshed, and
the first epoch is sequential, since early weights move fastest. A batch's outcome is one step old
and needs no help.
"""

PIPELINED: dict[str, Any] = {"key": "batch", "reuse": "replay", "gate_metric": "none"}
"""``schedule = "pipelined"`` is one-step delayed SGD: the previous batch, no gate."""

SPECULATING = ("speculative", "deferred")
"""The schedules with a cache."""
SCHEDULES = ("sequential", *SPECULATING, "data-parallel", "selective", "pipelined")
TRUE_WORDS = ("true", "1", "yes", "on", "t", "y")
"""What a switch that is on may be written as."""

DEFAULT_BUCKETS = 20
DEFAULT_GATE_THRESHOLD = 0.25
DEFAULT_SKIP_LOSS = 0.1

Fields = dict[str, Any]


def spelled_out(given: Mapping[str, Any]) -> Fields:
    """Return `given` fields with shorthands and defaults that depend on other fields spelled out.

    Equal runs have equal descriptions then.

    Raises:
        ValueError: a shorthand and another field contradict each other.
    """
    fields = {name: value for name, value in given.items() if value is not None}
    if fields.get("threads") == "all":
        fields["threads"] = available_cores()
    backend = find_backend(_backend(fields))
    if backend is not None:
        if backend.usual and fields["backend"] == backend.name:
            fields["backend"] = backend.usual
        fields = {**backend.defaults, **fields}
    if fields.get("schedule") == "pipelined":
        for name, value in PIPELINED.items():
            if fields.get(name, value) != value:
                raise ValueError(f'schedule = "pipelined" means {name} = "{value}"')
        fields |= PIPELINED | {"schedule": "speculative"}
    schedule = fields.get("schedule")
    if schedule in SPECULATING:
        return _speculation(fields)
    if schedule == "selective":
        fields.setdefault("skip_loss", DEFAULT_SKIP_LOSS)
    elif schedule == "data-parallel":
        fields.setdefault("engines", 2)
    return fields


def without_effect(given: Mapping[str, Any]) -> dict[str, str]:
    """Return those of `given` fields that the others leave without effect, each with the reason.

    Args:
        given: plain values; a field that is None was not set.
    """
    fields = {name: value for name, value in given.items() if value is not None}
    reasons = _without_effect_on_schedule(fields) | _without_effect_on_data(fields)
    backend = find_backend(_backend(fields))
    if backend is not None and backend.engine != "core":
        reasons["lanes"] = f"backend {_backend(fields)} is no overlay"
    elif backend is not None and str(fields.get("threads")) != "1":
        reasons["threads"] = "engines of the overlay are cores"
    return {name: reason for name, reason in reasons.items() if name in fields}


def _without_effect_on_schedule(fields: Fields) -> dict[str, str]:
    """Return the fields that the schedule does not look at, with the reasons."""
    schedule = fields.get("schedule", "sequential")
    if schedule not in SCHEDULES:
        return {}
    reasons = {}
    if schedule not in (*SPECULATING, "pipelined"):
        for name in SPECULATION_FIELDS:
            reasons[name] = f"the {schedule} schedule does not speculate"
    else:
        reasons = _without_effect_on_speculation(fields, schedule)
    if schedule != "selective":
        reasons["skip_loss"] = f"the {schedule} schedule skips no sample"
    return reasons


def _without_effect_on_speculation(fields: Fields, schedule: str) -> dict[str, str]:
    pipelined = schedule == "pipelined"
    key = "batch" if pipelined else fields.get("key", "label")
    reasons = {}
    if key != "bucket":
        reasons["buckets"] = f"key {key} has no buckets"
    if key == "batch":
        reasons["max_age"] = "the outcome of the previous batch is always one step old"
    if pipelined or fields.get("gate_metric") == "none":
        for name in ("gate_threshold", "gate_target"):
            reasons[name] = "there is no gate"
    if _is_one_engine(fields) and str(fields.get("balanced")).lower() in TRUE_WORDS:
        reasons["balanced"] = "one engine has none to share weight gradients with"
    return reasons


def _without_effect_on_data(fields: Fields) -> dict[str, str]:
    """Return the fields that do not change which samples are used in which order."""
    reasons = {}
    if fields.get("sampler", "random") != "blocks":
        reasons["block_keys"] = "only sampler blocks draws blocks"
    if "held_out" in fields:
        reasons["test"] = "held-out samples take the place of the test set"
    made = str(fields.get("dataset", "")).startswith("random:")
    drawn = made or {"train", "test", "held_out"} & fields.keys()
    if not drawn and str(fields.get("subset_seed")) != "0":
        reasons["subset_seed"] = "no subset is drawn"
    return reasons


def _is_one_engine(fields: Fields) -> bool:
    return str(fields.get("engines")) == "1"


def _backend(fields: Fields) -> str:
    return str(fields.get("backend", "cpu"))


def _speculation(fields: Fields) -> Fields:
    """Spell out what a speculative experiment leaves to its key."""
    key = fields.get("key", "label")
    fields = {"key": key, "balanced": not _is_one_engine(fields), "engines": 2} | fields
    fields = KEY_DEFAULTS.get(key, {}) | {"weight_prediction": False} | fields
    if key == "bucket":
        fields.setdefault("buckets", DEFAULT_BUCKETS)
    fields.setdefault("gate_metric", _gate_metric(fields))
    if fields["gate_metric"] != "none":
        fields.setdefault("gate_threshold", DEFAULT_GATE_THRESHOLD)
    return fields


def _gate_metric(fields: Fields) -> str:
    """Return the gate of a speculative experiment that names none.

    There is one where a threshold asks for it; with the paper's key and its control; and wherever
    cached masks meet the layer inputs of other samples (`outcomes`), which trains nothing without.
    """
    wanted = "gate_threshold" in fields or "gate_target" in fields
    wanted |= fields["schedule"] == "deferred"  # a gate is all that it is about
    needed = fields.get("reuse") == "outcomes" or fields.get("key") in ("label", "other-label")
    return "max" if wanted or needed else "none"
