"""The native runtime as Python sees it."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any

import torch
from torch import Tensor

from specbp.datasets.augmentation import Augmentation
from specbp.datasets.loading import Dataset
from specbp.network import Network
from specbp.plan.outline import Outline
from specbp.plan.tasks import StepPlans
from specbp.plan.timetable import urgency
from specbp.runtime.costs import measured_costs
from specbp.runtime.execution import Trained
from specbp.runtime.gates import METRICS, Gate
from specbp.runtime.native.encoding import encoded_network, encoded_parts, encoded_plan
from specbp.runtime.native.library import library
from specbp.runtime.step import StepParams, StepResults


class NativeRuntime:
    """Executes the steps of one training in C++.

    Args:
        network: the graph of layers.
        outline: outline of the network.
        plans: plans of the steps.
        trained: what training changes.
        dataset: the data set.
        images: a batch as the first layer takes it, for its shape and memory format.
        cache: shape of the cache, see `cache_shape`; None where nothing is looked up.
        gate: what decides.
        threads: intra-op threads of each engine.
        seed: seed of what dropout drops.
        augmentation: what is done to images that are loaded; None for nothing.
        label_smoothing: share of each label that is spread over all classes.

    Raises:
        ToolError: the runtime could not be compiled.
    """

    name = "native"

    def __init__(
        self,
        network: Network,
        outline: Outline,
        plans: StepPlans,
        trained: Trained,
        dataset: Dataset,
        images: Tensor,
        cache: tuple[int, int, int | None] | None,
        gate: Gate,
        threads: int,
        seed: int = 0,
        augmentation: Augmentation | None = None,
        label_smoothing: float = 0.0,
    ) -> None:
        self._library = library()
        self._augmentation = augmentation or Augmentation()
        self._mean_levels = dataset.mean_levels
        parts, part_tensors, predicts = encoded_parts(trained.parts, outline)
        self._handle = self._library.open(
            *encoded_network(network, outline, trained.weights),
            list(chain(*trained.weights)),
            list(chain(*trained.ahead)),
            parts,
            part_tensors,
            predicts,
            [dataset.train_images, _table(dataset), images],
            dataset.train_labels,
            [
                tensor
                for plan in (plans.hit, plans.missed, plans.warmup)
                for tensor in encoded_plan(plan)
            ],
            [] if cache is None else [number or 0 for number in cache],
            METRICS.index(gate.metric),
            gate.threshold,
            -1.0 if gate.target is None else gate.target,
            seed,
        )
        self._library.smooth_labels(self._handle, label_smoothing)
        self._plans = (plans.hit, plans.missed, plans.warmup)
        self._calls = 0
        self._adapts = gate.target is not None
        self._threads = threads
        self._engines = max(plan.engines for plan in self._plans)
        self._engine_1: threading.Thread | None = None

    def advance(
        self, index: Tensor, params: Sequence[StepParams], places: Tensor | None = None
    ) -> StepResults:
        """Execute steps; stop after one whose loss is not finite.

        Args:
            index: samples of each step, int64 [steps, batch].
            params: params of each step.
            places: what augmentation does to each sample, int64 [steps, batch, 5].
        """
        if places is not None:
            how = self._augmentation
            self._library.augment(
                self._handle, places.contiguous(), self._mean_levels, how.crop, how.cutout
            )
        if self._engines == 2 and self._engine_1 is None:
            self._engine_1 = threading.Thread(target=self._serve, name="engine 1", daemon=True)
            self._engine_1.start()
        numbers = [
            (
                one.rule.learning_rate, one.rule.momentum, one.rule.weight_decay,
                float(one.rule.nesterov), one.distance, float(one.warmup), float(one.step),
            )
            for one in params
        ]  # fmt: skip
        table = torch.tensor(numbers, dtype=torch.float64)
        found = self._library.advance(self._handle, index.contiguous(), table)
        losses, probabilities, accepted, times, spans = found
        results = StepResults(losses, probabilities, accepted, times.numpy(), spans.numpy())
        self._calls += 1
        if self._calls & (self._calls - 1) == 0:  # often at first, then ever more rarely
            self._prioritise(results)
        return results

    def state(self) -> Mapping[str, Any]:
        """Return what the runtime remembers from earlier steps, as plain containers of tensors."""
        tensors = [tensor.clone() for tensor in self._library.state(self._handle)]
        threshold = self._library.threshold(self._handle) if self._adapts else None
        return {"native": tensors, "threshold": threshold}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from `state`."""
        self._library.restore(self._handle, [tensor.clone() for tensor in state["native"]])
        if self._adapts:
            self._library.set_threshold(self._handle, state["threshold"])

    def close(self) -> None:
        """End engine 1 and give the memory back."""
        if self._handle:
            self._library.close(self._handle)
            self._handle = 0
        if self._engine_1 is not None:
            self._engine_1.join()
            self._engine_1 = None

    def _prioritise(self, results: StepResults) -> None:
        """Let the most urgent tasks go first, by the times that were measured."""
        costs = measured_costs(results)
        for number, plan in enumerate(self._plans):
            priorities = torch.tensor(urgency(plan, costs), dtype=torch.float64)
            self._library.prioritise(self._handle, number, priorities)

    def _serve(self) -> None:
        torch.set_num_threads(self._threads)
        # PyTorch settles a thread's number when it is first asked for.
        torch.get_num_threads()
        self._library.serve(self._handle)


def _table(dataset: Dataset) -> Tensor:
    """Return what each value of a pixel becomes, float32 [channels, 256]."""
    channels = dataset.train_images.shape[1]
    pixels = torch.arange(256, dtype=torch.uint8).repeat(channels, 1)
    return dataset.normalised(pixels.view(1, channels, 16, 16)).reshape(channels, 256)
