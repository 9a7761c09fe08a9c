"""The reference runtime: engines are Python threads, over any arithmetic.

PyTorch's kernels release Python's lock while they compute, so two threads overlap. Results do not
depend on timing: a task gives the same bits whichever engine executes it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from specbp.arithmetic import Arithmetic
from specbp.datasets.augmentation import Augmentation
from specbp.datasets.loading import Dataset
from specbp.plan.tasks import KINDS, Plan, StepPlans
from specbp.runtime.cache import Cache
from specbp.runtime.execution import Executor, Values
from specbp.runtime.step import WAIT, StepParams, StepResults


class Samples(Protocol):
    """The samples that steps are given the indices of."""

    def labels(self, index: Tensor) -> Tensor:
        """Return the labels of the samples at `index`, int64 [batch]."""
        ...

    def images(self, index: Tensor, places: Tensor | None = None) -> Tensor:
        """Return their images as the first layer takes them, [batch, channels, height, width].

        Args:
            index: int64 [batch].
            places: what augmentation does to each, int64 [batch, 5]; None for nothing.
        """
        ...


class TrainingSamples:
    """The training set of a data set, made ready as it is asked for.

    Args:
        dataset: the data set.
        arithmetic: the number format of the images.
        augmentation: what is done to images that are loaded; None for nothing.
    """

    def __init__(
        self, dataset: Dataset, arithmetic: Arithmetic, augmentation: Augmentation | None = None
    ) -> None:
        self._dataset = dataset
        self._arithmetic = arithmetic
        self._augmentation = augmentation or Augmentation()

    def labels(self, index: Tensor) -> Tensor:
        """Return the labels of the samples at `index`, int64 [batch]."""
        return self._dataset.train_labels.index_select(0, index)

    def images(self, index: Tensor, places: Tensor | None = None) -> Tensor:
        """Return their images as the first layer takes them; see `Samples.images`."""
        pixels = self._dataset.train_images.index_select(0, index)
        if places is not None:
            pixels = self._augmentation.apply(pixels, places, self._dataset.mean_levels)
        return self._arithmetic.encode_images(self._dataset.normalised(pixels))


class ThreadsRuntime:
    """Executes the steps of one training.

    Args:
        executor: executes single tasks.
        plans: plans of the steps.
        cache: what the plans look up in; None where they look up nothing.
        samples: what is trained on.
        threads: intra-op threads of each engine.

    Attributes:
        executor: executes single tasks.
        values: values of the last step, None before the first.
    """

    name = "threads"

    def __init__(
        self,
        executor: Executor,
        plans: StepPlans,
        cache: Cache | None,
        samples: Samples,
        threads: int = 1,
    ) -> None:
        self.executor = executor
        self._plans = plans
        self._cache = cache
        self._samples = samples
        self._threads = threads
        self._worker: _Worker | None = None
        self.values: Values | None = None

    def advance(
        self, index: Tensor, params: Sequence[StepParams], places: Tensor | None = None
    ) -> StepResults:
        """Execute steps; stop after one whose loss is not finite.

        Args:
            index: samples of each step, int64 [steps, batch].
            params: params of each step.
            places: what augmentation does to each sample, int64 [steps, batch, 5].
        """
        losses, probabilities, accepted = [], [], []
        times: list[tuple[float, float]] = []
        spans: list[tuple[float, ...]] = []
        for number, (chosen, numbers) in enumerate(zip(index, params, strict=True)):
            started = time.perf_counter()
            of_samples = None if places is None else places[number]
            plan, values, of_step = self._step(chosen, numbers, of_samples)
            times.append((started, time.perf_counter()))
            spans += [(number, *span) for span in of_step]
            whole = [rows for rows in ("batch", "half 0", "half 1") if rows in values.losses]
            losses.append(torch.cat([values.losses[rows] for rows in whole]))
            loss = plan.outline.loss
            probabilities.append(torch.cat([values.tensors["saved", rows, loss] for rows in whole]))
            accepted.append(_accepted(plan, values))
            if not bool(losses[-1].sum().isfinite()):
                break
        return StepResults(
            torch.stack(losses),
            torch.stack(probabilities),
            torch.stack(accepted),
            np.array(times),
            np.array(spans),
        )

    def state(self) -> Mapping[str, Any]:
        """Return what the runtime remembers from earlier steps, as plain containers of tensors."""
        return self.executor.state()

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from `state`."""
        self.executor.restore(state)

    def close(self) -> None:
        """End the thread of engine 1."""
        if self._worker is not None:
            self._worker.close()
            self._worker = None

    def _step(
        self, index: Tensor, params: StepParams, places: Tensor | None
    ) -> tuple[Plan, Values, list[_Span]]:
        labels = self._samples.labels(index)
        values = self.executor.begin(labels, params.warmup, index, params.step)
        missed = self._cache is not None and not bool(values.hit.all())
        plans = self._plans
        plan = plans.warmup if params.warmup else plans.missed if missed else plans.hit

        def load() -> Tensor:
            # Samples of tests and of lockstep know no augmentation.
            if places is None:
                return self._samples.images(index)
            return self._samples.images(index, places)

        step = _Step(self.executor, plan, values, load, params)
        if plan.engines == 1:
            step.work_alone()
        else:
            if self._worker is None:
                self._worker = _Worker(self._threads)
            self._worker.start(step)
            step.work(0)
            self._worker.join()
        step.raise_error()
        self.executor.end(plan, values)
        self.values = values
        return plan, values, step.spans


_Span = tuple[int, int, int, float, float]
"""Engine, number of the kind, node, when it began and ended, s."""


class _Step:
    """A step in progress: which tasks are done, and which may begin."""

    def __init__(
        self,
        executor: Executor,
        plan: Plan,
        values: Values,
        load: Callable[[], Tensor],
        params: StepParams,
    ) -> None:
        self.spans: list[_Span] = []
        self._executor, self._plan, self._values = executor, plan, values
        self._load, self._params = load, params
        self._left = set(range(len(plan.tasks)))
        self._done: set[int] = set()
        self._changed = threading.Condition()
        self._error: BaseException | None = None

    def work_alone(self) -> None:
        """Execute all tasks in the order of the plan."""
        for index in range(len(self._plan.tasks)):
            self._execute(index, 0)

    def work(self, engine: int) -> None:
        """Execute tasks on the caller's engine until there are none left for it."""
        while (index := self._next(engine)) is not None:
            try:
                self._execute(index, engine)
            except BaseException as error:
                with self._changed:
                    self._error = self._error or error
                    self._changed.notify_all()
                return
            with self._changed:
                self._done.add(index)
                self._changed.notify_all()

    def raise_error(self) -> None:
        """Raise what went wrong on either engine."""
        if self._error is not None:
            raise self._error

    def _next(self, engine: int) -> int | None:
        """Take the first task that may begin, and wait for it if need be."""
        started: float | None = None
        with self._changed:
            while self._left and self._error is None:
                mine = [one for one in sorted(self._left) if self._is_for(one, engine)]
                if not mine:
                    return None
                ready = [one for one in mine if self._done.issuperset(self._plan.tasks[one].needs)]
                if ready:
                    self._left.remove(ready[0])
                    if started is not None:
                        self.spans.append((engine, WAIT, -1, started, time.perf_counter()))
                    return ready[0]
                started = started or time.perf_counter()
                self._changed.wait()
        return None

    def _is_for(self, index: int, engine: int) -> bool:
        return self._plan.tasks[index].engine in (None, engine)

    def _execute(self, index: int, engine: int) -> None:
        task = self._plan.tasks[index]
        if not self._executor.runs(task.when, self._values):
            return
        started = time.perf_counter()
        self._executor.execute(task, self._values, self._load, self._params)
        kind = KINDS.index(task.kind)
        self.spans.append((engine, kind, task.node, started, time.perf_counter()))


class _Worker:
    """The thread of engine 1."""

    def __init__(self, threads: int) -> None:
        self._threads = threads
        self._step: _Step | None = None
        self._begin = threading.Semaphore(0)
        self._ended = threading.Semaphore(0)
        self._thread = threading.Thread(target=self._serve, name="engine 1", daemon=True)
        self._thread.start()

    def start(self, step: _Step) -> None:
        """Begin to work on a step."""
        self._step = step
        self._begin.release()

    def join(self) -> None:
        """Wait until there is nothing left to do for the engine in this step."""
        self._ended.acquire()
        self._step = None

    def close(self) -> None:
        """End the thread."""
        self._step = None
        self._begin.release()
        self._thread.join()

    def _serve(self) -> None:
        torch.set_num_threads(self._threads)
        # PyTorch settles a thread's number when it is first asked for.
        torch.get_num_threads()
        while True:
            self._begin.acquire()
            if self._step is None:
                return
            self._step.work(1)
            self._ended.release()


def _accepted(plan: Plan, values: Values) -> Tensor:
    """Return for each sample whether its speculated gradient was kept, bool [batch]."""
    if not any(task.rows == "cached" for task in plan.tasks):
        return torch.zeros_like(values.hit)
    return torch.ones_like(values.hit) if values.accepted is None else values.accepted
