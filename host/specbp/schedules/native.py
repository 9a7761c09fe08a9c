"""Schedules whose steps run without Python between their passes; see native/steps.cpp.

The same work to the same bits as `sequential`, `data_parallel` and, for the key `batch` without a
gate, `speculative`. What a schedule costs beside its passes is then a few microseconds, not what
Python takes; baseline and speculation gain alike.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from itertools import chain as joined
from typing import Any, TypeVar, get_args

import torch
from torch import Tensor

from specbp.arithmetic import UpdatePart
from specbp.arithmetic.float32 import PlainPart, PredictingPart
from specbp.errors import UsageError
from specbp.experiment import Experiment
from specbp.native import compiled
from specbp.schedules.chain import Chain, TracedChain
from specbp.schedules.outcome import Outcome
from specbp.schedules.spans import Phase, Span
from specbp.schedules.step import (
    BatchGradients,
    Load,
    PhaseTimes,
    RemembersNothing,
    Schedule,
    StepWeights,
    sequential_times,
    speculative_times,
)
from specbp.schedules.updating import Update

Item = TypeVar("Item", covariant=True)

PHASES: tuple[Phase, ...] = (
    "forward", "input gradient", "weight gradient", "update", "wait",
)  # fmt: skip
"""As steps.cpp numbers them."""
assert set(PHASES) <= set(get_args(Phase))


class NativeSteps:
    """The steps of one training.

    Args:
        module: steps.cpp, compiled.
        passes: the passes.
        balanced: whether both engines do weight gradients.
        threads: intra-op threads of engine 1.

    Attributes:
        passes: as given.
    """

    def __init__(self, module: Any, passes: TracedChain, balanced: bool, threads: int) -> None:
        self.passes = passes
        self._module = module
        self._balanced, self._threads = balanced, threads
        self._names = [*(layer.name for layer in passes.network.trained), ""]
        self._steps: Any = None

    def opened(
        self,
        weights: StepWeights,
        update: Update | None,
        batches: Sequence[tuple[Tensor, Tensor]],
    ) -> Any:
        """Return the steps of steps.cpp, ready for batches like these.

        Args:
            weights: that the passes read.
            update: of the weights.
            batches: images and labels of a batch, or of its halves.
        """
        if self._steps is None:
            assert update is not None
            size = sum(len(labels) for _, labels in batches)
            recorded = [self.passes.recorded(weights.current, *batch, size) for batch in batches]
            if not isinstance(recorded[0].forward, torch.jit.ScriptFunction):
                raise UsageError("native needs a PyTorch that has torch.jit.trace")
            self._steps = self._module.Steps(
                passes=[self._module.Passes(*one) for one in recorded],
                weights=self._module.Weights(
                    list(joined(*weights.current)), list(joined(*weights.ahead))
                ),
                parts=list(map(self._part, update.parts)),
                balanced=self._balanced,
                threads=self._threads,
            )
        return self._steps

    @property
    def running(self) -> Any:
        """The steps of steps.cpp, which were opened before."""
        return self._steps

    def outcome(self) -> Outcome:
        """Return what the forward of the last step left behind."""
        return self.passes.outcome_of(*self._steps.outcome())[0]

    def numbers(self, update: Update | None) -> Any:
        """Return the numbers of an update as steps.cpp takes them."""
        assert update is not None
        rule, distance = update.numbers.rule, update.numbers.distance
        return self._module.Numbers(
            rule.learning_rate, rule.momentum, rule.weight_decay, rule.nesterov, distance
        )

    def batch_gradients(
        self,
        found: tuple[Tensor, Tensor],
        sum_up: Callable[[Sequence[Span]], PhaseTimes],
        accepted: Tensor | None = None,
    ) -> BatchGradients:
        """Return what the last step gave; what few ask for is fetched when it is looked at.

        Args:
            found: losses and softmax.
            sum_up: see `BatchGradients`.
            accepted: likewise.
        """
        losses, probabilities = found
        return BatchGradients(
            Later(self._steps.gradients),
            probabilities,
            losses,
            spans=Later(self._spans),
            sum_up=sum_up,
            accepted=accepted,
        )

    def close(self) -> None:
        """End engine 1."""
        self._steps = None

    def _spans(self) -> list[Span]:
        return [
            Span(engine, PHASES[phase], self._names[layer], started, ended)
            for engine, phase, layer, started, ended in self._steps.spans()
        ]

    def _part(self, part: UpdatePart) -> Any:
        assert isinstance(part, PlainPart)
        rows = part.place.rows
        return self._module.Part(
            layers=part.layers,
            rows=None if rows is None else (rows.start, rows.stop),
            has_bias=part.place.has_bias,
            weights=part.weights,
            momenta=part.momenta,
            ahead=part.ahead if isinstance(part, PredictingPart) else [],
        )


class _OnSteps:
    """What native schedules share.

    Args:
        steps: of the training.
    """

    def __init__(self, steps: NativeSteps) -> None:
        self._steps = steps

    def close(self) -> None:
        """End engine 1."""
        self._steps.close()


class NativeSequential(_OnSteps, RemembersNothing):
    """`Sequential`."""

    def gradients(
        self, weights: StepWeights, load: Load, labels: Tensor, update: Update | None = None
    ) -> BatchGradients:
        """Return the gradients of the mean loss of a batch, and update the weights with them."""
        images = load()
        steps = self._steps.opened(weights, update, [(images, labels)])
        found = steps.alone(images, labels, self._steps.numbers(update))
        return self._steps.batch_gradients(found, sequential_times)


class NativeDataParallel(_OnSteps, RemembersNothing):
    """`DataParallel`."""

    def gradients(
        self, weights: StepWeights, load: Load, labels: Tensor, update: Update | None = None
    ) -> BatchGradients:
        """Return the gradients of the mean loss of a batch, and update the weights with them."""
        images = load()
        halves = images.chunk(2), labels.chunk(2)
        steps = self._steps.opened(weights, update, list(zip(*halves, strict=True)))
        found = steps.halves(*halves, self._steps.numbers(update))
        return self._steps.batch_gradients(found, speculative_times)


class NativePipelined(_OnSteps):
    """`Speculative` with the key `batch`, reuse `replay` and no gate.

    Args:
        steps: of the training.
    """

    def __init__(self, steps: NativeSteps) -> None:
        super().__init__(steps)
        self._is_seen = False
        self._accepted: dict[bool, Tensor] = {}
        self._restored: Outcome | None = None
        """Of the previous batch, where that is not the last step of `steps`."""

    def gradients(
        self, weights: StepWeights, load: Load, labels: Tensor, update: Update | None = None
    ) -> BatchGradients:
        """Return the gradients of the mean loss of a batch, and update the weights with them."""
        seen = self._is_seen
        if seen and self._restored is None:
            steps = self._steps.running
            steps.begin()
            images = load()
        else:
            images = load()
            steps = self._steps.opened(weights, update, [(images, labels)])
            if self._restored is not None:
                steps.begin_with(
                    self._restored.labels, self._steps.passes.results_of(self._restored)
                )
                self._restored = None
        step = steps.replay if seen else steps.alone
        found = step(images, labels, self._steps.numbers(update))
        self._is_seen = True
        if seen not in self._accepted:
            self._accepted[seen] = torch.full_like(labels, seen, dtype=torch.bool)
        return self._steps.batch_gradients(found, speculative_times, self._accepted[seen])

    def state(self) -> dict[str, Any]:
        """Return the previous batch's outcome."""
        outcome = self._restored
        if self._is_seen and outcome is None:
            outcome = self._steps.outcome()
        return {"outcome": None if outcome is None else vars(outcome)}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from `state`."""
        outcome = state["outcome"]
        self._restored = None if outcome is None else Outcome(**outcome)
        self._is_seen = outcome is not None


def build_native(experiment: Experiment, chain: Chain) -> Schedule:
    """Build the schedule that `experiment` names.

    Raises:
        ToolError: steps.cpp could not be compiled.
    """
    assert isinstance(chain, TracedChain)
    steps = NativeSteps(compiled(), chain, bool(experiment.balanced), experiment.threads)
    match experiment.schedule:
        case "data-parallel":
            return NativeDataParallel(steps)
        case "speculative":
            return NativePipelined(steps)
        case _:
            return NativeSequential(steps)


class Later(Sequence[Item]):
    """Items that are fetched when they are first looked at: after the step, before the next.

    Args:
        fetch: gives them.
    """

    def __init__(self, fetch: Callable[[], Sequence[Item]]) -> None:
        self._fetch = fetch

    def __len__(self) -> int:
        return len(self._items)

    def __iter__(self) -> Iterator[Item]:
        return iter(self._items)

    def __getitem__(self, index: Any) -> Any:
        return self._items[index]

    @cached_property
    def _items(self) -> Sequence[Item]:
        return self._fetch()
