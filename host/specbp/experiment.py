"""What one cell of a matrix is: a frozen, validated description of one training run."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from specbp.backends.record import Backend
from specbp.backends.table import BACKENDS, backend_named
from specbp.datasets.catalog import describe, require_known
from specbp.defaults import (
    KEY_DEFAULTS,
    PIPELINED,
    SPECULATING,
    SPECULATION_FIELDS,
    spelled_out,
    without_effect,
)
from specbp.errors import UsageError, nearest
from specbp.recipe_checks import require_recipe

Schedule = Literal["sequential", "speculative", "deferred", "data-parallel", "selective"]
Key = Literal["label", "other-label", "bucket", "batch"]
Reuse = Literal["outcomes", "replay"]
GateMetric = Literal["max", "tv", "mean", "none"]
ArithmeticName = Literal["float32", "int16"]
Decay = Literal["constant", "cosine"]
Sampler = Literal["random", "blocks"]
LARGEST_INTEGER = 2**63 - 1
"""The frames hold no larger one."""
LARGEST_SEED = 2**43 - 1
"""Seeds of the sample orders are made of it, and PyTorch takes 64 bits."""

FORM = 2
"""Version of the description; part of every hash, raised when a field changes its meaning."""


def gate_range(metric: GateMetric, classes: int) -> float:
    """Return the largest distance the gate `metric` can give between two softmax vectors.

    ``max`` |Δp| and total variation ½·Σ|Δp| reach 1; the ``mean`` of |Δp| over C classes
    reaches only 2/C, so a threshold above that can never reject.
    """
    return 2.0 / classes if metric == "mean" else 1.0


class Experiment(BaseModel):
    """One training run, fully specified.

    The first group of fields is the work, which the arms of a comparison must share; the second
    is the method, which tells the arms apart. A knob the schedule does not have is ``None``.
    """

    model_config = ConfigDict(
        frozen=True, extra="forbid", protected_namespaces=(), allow_inf_nan=False
    )

    dataset: Annotated[
        str,
        Field(
            description="data set: digits, mnist, fashion-mnist, cifar10, cifar100, "
            "cifar100-coarse; your own: imagefolder:PATH with one folder for each class, or "
            "module:attribute, torch Datasets or tensors; or random:CxHxW/CLASSES (timing only)"
        ),
    ] = "digits"
    train: Annotated[
        int | None, Field(ge=1, description="size of a stratified training subset; all when absent")
    ] = None
    test: Annotated[
        int | None, Field(ge=1, description="size of a stratified test subset; all when absent")
    ] = None
    subset_seed: Annotated[int, Field(ge=0, description="seed that draws the subsets")] = 0
    model: Annotated[
        str,
        Field(
            description="digits-cnn, lenet5, cifar-cnn, cifar-cnn-s, vgg8, "
            "or your own nn.Sequential as module:attribute"
        ),
    ] = "digits-cnn"
    arithmetic: Annotated[
        ArithmeticName,
        Field(
            description="number format of the training: float32, or int16, "
            "the fixed point of the overlay"
        ),
    ] = "float32"
    batch_size: Annotated[int, Field(ge=1, description="samples per step")] = 32
    epochs: Annotated[int, Field(ge=1, description="passes over the training set")] = 10
    learning_rate: Annotated[float, Field(gt=0, description="peak learning rate of SGD")] = 0.02
    learning_rate_decay: Annotated[
        Decay, Field(description="how the learning rate falls after the warm-up, over all steps")
    ] = "constant"
    learning_rate_warmup: Annotated[
        float, Field(ge=0, lt=1, description="share of all steps with a linearly rising rate")
    ] = 0.0
    momentum: Annotated[float, Field(ge=0, lt=1, description="momentum of SGD")] = 0.9
    nesterov: Annotated[
        bool,
        Field(
            description="use Nesterov momentum, which also suits gradients that are one step late"
        ),
    ] = False
    weight_decay: Annotated[float, Field(ge=0, description="L2 penalty of SGD")] = 0.0
    scheduler: Annotated[
        str | None,
        Field(
            description="any scheduler of torch.optim.lr_scheduler, once per step, such as "
            '"OneCycleLR(max_lr=0.1, total_steps=steps, cycle_momentum=False)" or '
            '"StepLR(step_size=10*epoch, gamma=0.1)": steps and epoch are the steps of the '
            "training and of an epoch"
        ),
    ] = None
    label_smoothing: Annotated[
        float | None,
        Field(gt=0, lt=1, description="share of each label that is spread evenly over all classes"),
    ] = None
    random_flip: Annotated[
        bool | None, Field(description="mirror half of the training images, left to right")
    ] = None
    random_crop: Annotated[
        int | None,
        Field(ge=1, description="cut training images out of themselves with so wide a border"),
    ] = None
    cutout: Annotated[
        int | None,
        Field(
            ge=1, description="give a random square of training images the mean colour; its side"
        ),
    ] = None
    seed: Annotated[
        int, Field(ge=0, le=LARGEST_SEED, description="seed of initial weights and sample order")
    ] = 0
    sampler: Annotated[
        Sampler,
        Field(
            description="order of the samples: random, or blocks: random, but in every "
            "block_keys samples each label modulo block_keys comes once"
        ),
    ] = "random"
    block_keys: Annotated[
        int | None,
        Field(ge=1, description="samples in a block of sampler blocks; the number of classes"),
    ] = None
    initial_weights: Annotated[
        str | None,
        Field(
            description="file of weights to start from (safetensors), such as --save-weights "
            "writes; its content is part of the key of the result"
        ),
    ] = None
    held_out: Annotated[
        int | None,
        Field(
            ge=1,
            description="stratified part of the training set, in samples, that is held out and "
            "takes the place of the test set: for choosing hyperparameters",
        ),
    ] = None

    backend: Annotated[
        str,
        Field(
            description="what executes the schedule: "
            + "; ".join(
                summary if summary.startswith(name) else f"{name}, {summary}"
                for name, summary in ((one.name, one.summary) for one in BACKENDS)
            )
        ),
    ] = "cpu"
    lanes: Annotated[
        int | None,
        Field(description="multiply-accumulate lanes of the overlay: 16, 32 or 64; 16 unless set"),
    ] = None
    schedule: Annotated[
        Schedule,
        Field(
            description="order of forward, backward and update: sequential, "
            "speculative, pipelined (short for key=batch, reuse=replay, no gate), or deferred "
            "(what the gate rejects joins the next step instead of being redone); controls: "
            "data-parallel (the batch split over two engines), selective (no backward for samples "
            "with a small loss)"
        ),
    ] = "sequential"
    key: Annotated[
        Key | None,
        Field(
            description="what the cache is indexed by: label, other-label (the label plus one, a "
            "control), bucket (label modulo buckets), or batch (the previous batch)"
        ),
    ] = None
    buckets: Annotated[int | None, Field(ge=1, description="number of keys of key bucket")] = None
    reuse: Annotated[
        Reuse | None,
        Field(
            description="outcomes: cached softmax and masks with current layer "
            "inputs; replay: everything from the cache"
        ),
    ] = None
    refresh: Annotated[
        int | None,
        Field(
            ge=0,
            description="trailing layers with weights that are evaluated again from the cache, "
            "with current weights, before the speculative backward",
        ),
    ] = None
    weight_prediction: Annotated[
        bool | None,
        Field(
            description="forward uses the weights that momentum is expected to reach by the "
            "time its result is used"
        ),
    ] = None
    warmup_epochs: Annotated[
        int | None, Field(ge=0, description="first epochs that are trained sequentially")
    ] = None
    max_age: Annotated[
        int | None,
        Field(ge=1, description="steps after which a cached outcome is not used any more"),
    ] = None
    gate_metric: Annotated[
        GateMetric | None,
        Field(
            description="distance between actual and cached softmax; "
            "none accepts every sample that has a cached outcome"
        ),
    ] = None
    gate_threshold: Annotated[
        float | None,
        Field(
            ge=0,
            description="a sample is accepted below this distance; 0 never "
            "accepts; at most 1 for max and tv, 2/classes for mean",
        ),
    ] = None
    gate_target: Annotated[
        float | None,
        Field(
            gt=0,
            lt=1,
            description="accept rate that the threshold is adapted to, starting from "
            "gate_threshold",
        ),
    ] = None
    balanced: Annotated[
        bool | None,
        Field(description="both engines do weight gradients, whichever is free"),
    ] = None
    skip_loss: Annotated[
        float | None,
        Field(ge=0, description="selective: samples with a smaller loss have no backward, nat"),
    ] = None
    engines: Annotated[
        int,
        Field(
            ge=1,
            le=2,
            description="workers that compute at the same time: cores of the overlay, streams of "
            "a GPU (2 for sequential: weight gradients beside the propagation of deltas); 1 for "
            "sequential and selective, 2 for speculative and data-parallel unless set",
        ),
    ] = 1
    threads: Annotated[
        int, Field(ge=1, description='intra-op threads of each engine; "all" for every core')
    ] = 1
    block_steps: Annotated[
        int, Field(ge=1, description="steps an arm runs before the next arm takes its turn")
    ] = 20

    @model_validator(mode="before")
    @classmethod
    def _fill_in(cls, given: Any) -> Any:
        """Spell out shorthands and defaults; refuse what would be taken for a number or ignored."""
        if not isinstance(given, Mapping):
            return given
        for name, value in given.items():
            if isinstance(value, bool) and name in cls.model_fields and not _is_switch(name):
                raise ValueError(f"{name} = {str(value).lower()}: it is not a switch")
        for name, reason in without_effect(given).items():
            raise ValueError(f"{name} = {given[name]!r} has no effect: {reason}: leave it out")
        return spelled_out(given)

    @model_validator(mode="after")
    def _consistent(self) -> Experiment:
        for name, value in self:
            if isinstance(value, int) and value > LARGEST_INTEGER:
                raise ValueError(f"{name} = {value}: it can be at most {LARGEST_INTEGER}")
        require_known(self.dataset)
        for reason in self.backend_record.refusals(self):
            raise ValueError(reason)
        if self.schedule == "data-parallel" and self.engines != 2:
            raise ValueError("the data-parallel schedule needs two engines")
        if self.schedule == "data-parallel" and self.batch_size < 2:
            raise ValueError("the data-parallel schedule cannot split a batch of one sample")
        if self.schedule == "deferred" and self.gate_metric == "none":
            raise ValueError("the deferred schedule puts off what a gate rejects: give it a gate")
        if self.weight_prediction and self.arithmetic != "float32":
            raise ValueError("weight_prediction needs arithmetic = float32")
        if self.weight_prediction and not self.momentum:
            raise ValueError("weight_prediction goes by the momentum, which is 0")
        if self.nesterov and self.arithmetic != "float32":
            raise ValueError("nesterov needs arithmetic = float32")
        if self.nesterov and not self.momentum:
            raise ValueError("nesterov is a kind of momentum, which is 0")
        if self.warmup_epochs and self.warmup_epochs >= self.epochs:
            raise ValueError(
                f"warmup_epochs = {self.warmup_epochs} of {self.epochs} epochs: "
                "none is left to speculate in"
            )
        self._require_gate_range()
        require_recipe(self)
        return self

    def _require_gate_range(self) -> None:
        """Refuse a threshold that no distance reaches."""
        if self.gate_threshold is None or self.gate_metric is None:
            return
        classes = describe(self.dataset).classes if self.gate_metric == "mean" else 1
        largest = gate_range(self.gate_metric, classes)
        if self.gate_threshold > largest:
            among = f" with {classes} classes" if self.gate_metric == "mean" else ""
            raise ValueError(
                f"gate_threshold = {self.gate_threshold:g} is outside the range of "
                f'gate_metric = "{self.gate_metric}": 0 to {largest:g}{among}; '
                "it could never reject"
            )

    @property
    def augments(self) -> bool:
        """Whether training images are changed at random."""
        return bool(self.random_flip or self.random_crop or self.cutout)

    @property
    def speculates(self) -> bool:
        """Whether backward starts from a cache."""
        return self.schedule in SPECULATING

    @property
    def is_pipelined(self) -> bool:
        """Whether this is what ``schedule = "pipelined"`` is short for."""
        return all(getattr(self, name) == value for name, value in PIPELINED.items())

    @property
    def backend_record(self) -> Backend:
        """The record of the backend that executes the schedule."""
        return backend_named(self.backend)

    @property
    def on_overlay(self) -> bool:
        """Whether the FPGA overlay trains: a board, its simulation or its model."""
        return self.backend_record.engine == "core"

    @property
    def workload(self) -> dict[str, Any]:
        """The fields that the arms of one comparison must share, seed included."""
        return self.model_dump(include=set(WORK_FIELDS))

    @property
    def arm(self) -> str:
        """A short name that tells this method from every other, such as ``pipelined``."""
        threads = f"{self.threads} thread{'s' if self.threads > 1 else ''}"
        engine = self.backend_record.engine
        if engine != "thread":
            words = self._speculation_words() if self.speculates else [str(self.schedule)]
            if engine == "stream":
                usual = 1 if self.schedule == "sequential" else 2
                streams = "2 streams" if self.engines == 2 else "1 stream"
                return ", ".join([*words, *[streams] * (self.engines != usual), self.backend])
            lanes = f"{self.engines} x {self.lanes}" if self.engines > 1 else str(self.lanes)
            return ", ".join([*words, self.backend, f"{lanes} lanes"])
        words = [str(self.schedule)]
        if self.speculates:
            words = self._speculation_words()
        elif self.schedule == "selective":
            words.append(f"loss<{self.skip_loss:g}")
        if self.schedule in ("sequential", "selective"):
            words.append(threads)
        elif (self.engines, self.threads) != (2, 1):
            words.append(f"{self.engines} x {threads}")
        return ", ".join(words)

    def _speculation_words(self) -> list[str]:
        if self.is_pipelined:
            words = ["pipelined"]
        else:
            key = f"{self.buckets} buckets" if self.key == "bucket" else f"{self.key} key"
            words = [str(self.schedule), f"{self.reuse}", key, self._gate_words()]
        assert self.key is not None
        for name, word in (("refresh", "refresh {}"), ("warmup_epochs", "warm-up {}")):
            if getattr(self, name) != KEY_DEFAULTS[self.key][name]:
                words.append(word.format(getattr(self, name)))
        if self.weight_prediction:
            words.append("weight prediction")
        if self.max_age is not None:
            words.append(f"age<={self.max_age}")
        if not self.balanced:
            words.append("not balanced")
        return words

    def _gate_words(self) -> str:
        if self.gate_threshold is None:
            return "no gate"
        if self.gate_target is not None:
            return f"{self.gate_metric} to accept {self.gate_target:g}"
        return f"{self.gate_metric}<{self.gate_threshold:g}"

    @property
    def hash(self) -> str:
        """Hash of the description, 16 hexadecimal digits; every field takes part.

        What a field names may change; `specbp.matrix.expand.Cell.hash` knows the network itself.
        """
        return content_hash(self.model_dump())


METHOD_FIELDS = (
    "backend",
    "lanes",
    "schedule",
    *SPECULATION_FIELDS,
    "skip_loss",
    "engines",
    "threads",
)
"""The fields that tell the arms of one comparison apart."""

WORK_FIELDS = tuple(name for name in Experiment.model_fields if name not in METHOD_FIELDS)
"""The fields that the arms of one comparison share."""


LATER_FIELDS = (
    "initial_weights",
    "scheduler",
    "label_smoothing",
    "random_flip",
    "random_crop",
    "cutout",
)
"""Fields that came after results had been kept: only where they are set are they part of a hash."""


def content_hash(fields: Mapping[str, Any]) -> str:
    """Return 16 hexadecimal digits of the SHA-256 of `fields` in canonical JSON."""
    unset = {name for name in LATER_FIELDS if fields.get(name, ...) == _default(name)}
    kept = {name: value for name, value in fields.items() if name not in unset}
    canonical = json.dumps({"form": FORM, **kept}, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()[:16]


def experiment_from(fields: Mapping[str, Any], where: str = "experiment") -> Experiment:
    """Build an experiment from plain values, as found in a matrix file or on a command line.

    Raises:
        UsageError: an unknown key, a value of the wrong kind or outside its range; the message
            names it, the place it came from and the nearest valid one.
    """
    try:
        return Experiment.model_validate(dict(fields))
    except UsageError as error:
        raise UsageError(f"{where}: {error}") from error
    except ValidationError as error:
        raise UsageError(f"{where}: {_one_line(error)}") from error


def _default(name: str) -> Any:
    return Experiment.model_fields[name].default


def _is_switch(name: str) -> bool:
    annotation = Experiment.model_fields[name].annotation
    return annotation is bool or bool in get_args(annotation)


def _one_line(error: ValidationError) -> str:
    first = error.errors()[0]
    name = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        return f'unknown key "{name}"{nearest(name, Experiment.model_fields)}'
    if first["type"] == "literal_error":
        options = _literal_options(name)
        return (
            f'{name} = "{first["input"]}"{nearest(first["input"], options)}: '
            f"choose one of {', '.join(options)}"
        )
    message = first["msg"].removeprefix("Value error, ")
    return f"{name} = {first['input']!r}: {message}" if name else message


def _literal_options(name: str) -> list[str]:
    def words(kind: Any) -> list[str]:
        return [
            word
            for part in get_args(kind)
            for word in ([part] if isinstance(part, str) else words(part))
        ]

    options = words(Experiment.model_fields[name].annotation)
    return [*options, "pipelined"] if name == "schedule" else options
