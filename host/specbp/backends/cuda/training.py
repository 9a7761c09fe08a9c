"""Executes a schedule in PyTorch on a GPU: engines are streams, and steps are recorded as graphs.

At the small batches that speculation is for, a GPU waits for the host most of the time when every
kernel is launched from Python. So each step is one launch, sequential steps as well, and reads
what it needs without the host (`specbp.backends.cuda.feed`). Only a gate needs it in the middle of
a step: whether samples were rejected decides what is launched next.

The first steps, and those with a key that has not been seen, are launched kernel by kernel; int16,
whose update needs the host, always.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import asdict
from functools import partial
from statistics import median
from typing import Any

import torch
from torch import Tensor

from specbp.arithmetic.flat_float32 import (
    FlatWeights,
    flattened,
    predict_flat,
    update_flat,
)
from specbp.backends import StepRow
from specbp.backends.cuda.feed import Feed, Tally
from specbp.backends.cuda.graphs import Graph
from specbp.backends.cuda.recorded import Beginning, Recorded, Recording, StepWithGate, WholeStep
from specbp.backends.cuda.state import schedule_state
from specbp.backends.divergence import require_finite_loss
from specbp.backends.trained import TrainedInPytorch
from specbp.datasets.loading import Dataset
from specbp.errors import UsageError
from specbp.experiment import Experiment
from specbp.network import Weights
from specbp.runtime.spans import Recorder, Span
from specbp.schedules import build as build_schedule
from specbp.schedules.accounting import time_shares
from specbp.schedules.cache import BatchSlots
from specbp.schedules.chain import Chain
from specbp.schedules.sharing import Costs
from specbp.schedules.speculative import Speculative
from specbp.schedules.step import BatchGradients, Load, Schedule, StepWeights, total_ms
from specbp.schedules.streams import StreamClock, StreamEngine, gpu
from specbp.schedules.verdict import Accepts, ByMask

Gradients = Callable[[StepWeights, Load, Tensor], BatchGradients]

UNRECORDED_STEPS = 3
"""Libraries set themselves up in the first ones, which a graph cannot record."""
MOST_STEPS = 200
"""Steps between two looks at what they gave."""
COST_REPLAYS = 20


class CudaTraining(TrainedInPytorch):
    """One experiment in progress on a GPU; see `specbp.backends.Training`.

    Phases are timed in the last step of every call of `advance`, which is a recording of its own;
    in rows of other steps those columns are null.

    A recording is used wherever a step is of the same schedule and *phase*: with the key `batch`,
    steps alternate between two memories of the cache (`BatchSlots`).

    Args:
        experiment: what to train, and how; its backend names the GPU.
        dataset: the loaded data set of the experiment.

    Raises:
        UsageError: there is no such GPU, the model does not fit the data, or a batch is larger
            than the training set.
    """

    def __init__(self, experiment: Experiment, dataset: Dataset) -> None:
        place = found_gpu(experiment.backend)
        # IEEE single precision, the same in every run.
        torch.backends.cudnn.allow_tf32 = False
        torch.backends.cuda.matmul.allow_tf32 = False
        torch.backends.cudnn.deterministic = True
        self._clock = StreamClock()
        with torch.cuda.device(place):
            super().__init__(experiment, dataset, place, torch.contiguous_format)
            alone = experiment.model_copy(update={"schedule": "sequential", "engines": 1})
            device = gpu(place, self._clock)
            self._schedule, self._warmup = (
                build_schedule(one, self._recipe.network, self._arithmetic, device)
                for one in (experiment, alone)
            )
            self._chain = Chain(self._recipe.network, self._arithmetic)
            if experiment.arithmetic == "float32":
                self._flat = [FlatWeights(one) for one in (self._weights, self._momentum_buffers)]
                self._weights, self._momentum_buffers = (flat.weights for flat in self._flat)
                self._ahead = self._weights
                if experiment.weight_prediction:
                    self._flat.append(FlatWeights(self._weights))
                    self._ahead = self._flat[2].weights
            self._stream = torch.cuda.Stream(place)
            self._bookkeeper = StreamEngine(place)
            self._feed = Feed(self._recipe, self._data, self._arithmetic, self._age, MOST_STEPS)
            self._tally = Tally(MOST_STEPS)
        self._labels = self._data.train_labels.unique()
        self._recordings: dict[tuple[Schedule, bool, int], Recording] = {}
        self._unrecorded = UNRECORDED_STEPS
        self._fed = -1
        self._spans: Sequence[Span] = ()
        self.about = {**self.about, "gpu": torch.cuda.get_device_name(place)}

    def advance(self, steps: int) -> list[StepRow]:
        """Do the next `steps` training steps and return a row for each.

        Raises:
            FloatingPointError: the loss is no longer finite: the training has diverged.
        """
        rows: list[StepRow] = []
        with torch.cuda.device(self._device), torch.cuda.stream(self._stream):
            while (left := steps - len(rows)) > 0:
                to_end_of_epoch = self.steps_per_epoch - self._step % self.steps_per_epoch
                steps_now = min(left, to_end_of_epoch, MOST_STEPS)
                rows += self._run(steps_now, last=steps_now == left)
        return rows

    def test_accuracy(self) -> float:
        """Return the share of test samples classified rightly with the weights as they are.

        Raises:
            FloatingPointError: the training has diverged, or no weight has moved.
        """
        with torch.cuda.device(self._device), torch.cuda.stream(self._stream):
            return super().test_accuracy()

    @property
    def spans(self) -> Sequence[Span]:
        """What the engines did in the last step that was timed."""
        return self._spans

    def state(self) -> Mapping[str, Any]:
        """Return all that is needed to go on later, as plain containers of tensors."""
        return {**super().state(), "schedule": self._schedule.state()}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from `state` as if never interrupted.

        Raises:
            StateError: it is none that this training could have saved.
        """
        self._recordings.clear()  # they use the memory of the cache as it was
        with torch.cuda.device(self._device), torch.cuda.stream(self._stream):
            super().restore(state)
            self._schedule.restore(
                schedule_state(
                    state["schedule"], self._experiment, self._recipe.network, self._arithmetic
                )
            )
            self._fed = -1
            self._unrecorded = UNRECORDED_STEPS
            torch.cuda.synchronize()

    def close(self) -> None:
        """Give streams and recordings back."""
        self._stream.synchronize()
        self._recordings.clear()
        self._schedule.close()
        self._warmup.close()

    def _of_step(self, step: int) -> tuple[Schedule, StepWeights]:
        """Return the schedule of `step`, and the weights that its passes read."""
        if self._is_warmup(step):
            # Sequential: what forward reads is current.
            return self._warmup, StepWeights(self._weights, self._weights)
        return self._schedule, StepWeights(self._weights, self._ahead)

    def _predict(self) -> None:
        """Bring the weights of the next forward to where they are expected, as a step does."""
        weights, momenta, ahead = (flat.memory for flat in self._flat)
        predict_flat(weights, momenta, ahead, self._feed.minus_distance(self._step))

    def _run(self, steps: int, last: bool) -> list[StepRow]:
        """Do steps of one epoch; the `last` of them is timed."""
        schedule, _ = self._of_step(self._step)
        if self._step % self.steps_per_epoch == 0 or self._step != self._fed:
            self._feed.go_to(self._step)
        recorded = self._is_alike(schedule)
        if not recorded:
            steps = 1
        last_one = steps - 1 if recorded and last else None
        recordings = (
            [self._recording(schedule, n == last_one, n) for n in range(steps)] if recorded else []
        )
        self._work.begin(self._step, self._weights)
        moments = [torch.cuda.Event(enable_timing=True) for _ in range(steps + 1)]
        moments[0].record()
        if recorded:
            for recording, moment in zip(recordings, moments[1:], strict=True):
                recording.replay()
                moment.record()
            _set_phase(schedule, (_phase(schedule) + steps) % 2)
        else:
            self._unrecorded_step()
            moments[1].record()
        moments[-1].synchronize()
        self._work.add(self._feed.taken())
        self.about = {**self.about, **self._work.columns}
        labels = torch.stack([self._recipe.labels(self._step + n) for n in range(steps)])
        rows: list[StepRow] = []
        for begun, ended, found in zip(
            moments, moments[1:], self._tally.take(labels), strict=False
        ):
            loss, correct, accepts = found
            require_finite_loss(loss, self._step)
            counts = self._counts(self._step, accepts if isinstance(schedule, Speculative) else 0)
            step_ms = begun.elapsed_time(ended)
            rows.append({**counts, "loss": loss, "correct": correct, "step_ms": step_ms})
            self._step += 1
        self._fed = self._step
        if last_one is not None:
            rows[-1].update(self._times(recordings[-1].recorded))
        return rows

    def _times(self, recorded: Recorded) -> StepRow:
        """Return the columns about the phases of a step just done."""
        self._spans = self._clock.read(recorded.spans)
        ended = max(span.ended for span in self.spans)
        return {
            "load_ms": total_ms(self.spans, "load"),
            "update_ms": total_ms(self.spans, "update"),
            **asdict(recorded.sum_up(self.spans)),
            **asdict(time_shares(self.spans, self._experiment.engines, 0.0, ended)),
        }

    def _is_alike(self, schedule: Schedule) -> bool:
        """Return whether all steps from now on are launched alike, whatever their values."""
        if self._unrecorded > 0 or self._experiment.arithmetic == "int16":
            return False
        return not isinstance(schedule, Speculative) or bool(schedule.seen(self._labels).all())

    def _unrecorded_step(self) -> None:
        """Launch a step kernel by kernel."""
        schedule, weights = self._of_step(self._step)
        self._whole(schedule, schedule.gradients, weights, all_accepted=False)
        self._unrecorded -= 1

    def _recording(self, schedule: Schedule, timed: bool, ahead: int) -> Recording:
        """Return the recording of the step that is so many steps ahead."""
        _, weights = self._of_step(self._step)
        now = _phase(schedule)
        phase = (now + ahead) % 2 if _slots(schedule) else 0
        key = schedule, timed, phase
        if key not in self._recordings:
            torch.cuda.synchronize()
            if isinstance(schedule, Speculative) and not schedule.costs.weight_gradients:
                self._measure(schedule.costs, weights)
            _set_phase(schedule, phase)
            with self._clock.running() if timed else nullcontext():
                self._recordings[key] = self._record(schedule, weights)
            _set_phase(schedule, now)
        return self._recordings[key]

    def _record(self, schedule: Schedule, weights: StepWeights) -> Recording:
        if not isinstance(schedule, Speculative):
            return WholeStep(partial(self._whole, schedule, schedule.gradients, weights, True))
        if schedule.rejects_none:
            gradients = schedule.gradients_if_all_accepted
            return WholeStep(partial(self._whole, schedule, gradients, weights, True))
        return StepWithGate(partial(self._begin, schedule, weights), partial(self._end, schedule))

    def _whole(
        self, schedule: Schedule, gradients: Gradients, weights: StepWeights, all_accepted: bool
    ) -> Recorded:
        recorder = Recorder(self._clock.now)
        with recorder.span(0, "load"):
            images, labels, rates = self._feed.take()
        ready = self._bookkeeper.submit(self._feed.advance)
        batch = gradients(weights, lambda: images, labels)
        spans = self._finish(schedule, batch, rates, all_accepted)
        ready.result()
        return Recorded([*recorder.spans, *spans], batch.sum_up)

    def _begin(self, schedule: Speculative, weights: StepWeights) -> Beginning:
        recorder = Recorder(self._clock.now)
        with recorder.span(0, "load"):
            images, labels, rates = self._feed.take()
        ready = self._bookkeeper.submit(self._feed.advance)
        begun = schedule.begin(weights, lambda: images, labels).joined()
        accepted = schedule.accept(begun)
        if slots := _slots(schedule):
            slots.join()
        ready.result()
        return Beginning(begun, accepted, rates, recorder.spans, _phase(schedule))

    def _end(self, schedule: Speculative, beginning: Beginning, accepts: Accepts) -> Recorded:
        begun = beginning.begun.in_copy()  # one of several ends
        _set_phase(schedule, beginning.phase)
        batch = schedule.end(begun, ByMask(beginning.accepted, accepts))
        spans = self._finish(schedule, batch, beginning.rates, accepts == "all")
        return Recorded([*beginning.spans, *spans], batch.sum_up)

    def _finish(
        self, schedule: Schedule, batch: BatchGradients, rates: Tensor, all_accepted: bool
    ) -> list[Span]:
        """Update the weights, and beside that keep books; return the spans of the whole step."""
        books = self._bookkeeper.submit(partial(self._tally.put, batch, all_accepted))
        recorder = Recorder(self._clock.now)
        with recorder.span(0, "update"):
            self._update(batch.gradients, rates)
        stored = schedule.join() if isinstance(schedule, Speculative) else []
        books.result()
        return [*batch.spans, *recorder.spans, *stored]

    def _update(self, gradients: Sequence[Weights], rates: Tensor) -> None:
        experiment = self._experiment
        if experiment.arithmetic == "int16":  # its numbers are those of the host
            rule = self._recipe.rule(self._step)
            self._arithmetic.update(self._weights, self._momentum_buffers, gradients, rule)
            return
        weights, momenta = self._flat[0].memory, self._flat[1].memory
        flat = flattened(gradients)
        update_flat(weights, momenta, flat, rates[0], self._recipe.rule(self._step))
        if experiment.weight_prediction:
            predict_flat(weights, momenta, self._flat[2].memory, rates[1])

    def _measure(self, costs: Costs, weights: StepWeights) -> None:
        """Take the time of each pass alone on one stream."""
        chain, recorder = self._chain, Recorder(self._clock.now)

        def passes() -> None:
            images, labels, _ = self._feed.take()
            with recorder.span(0, "forward"):
                outcome, _ = chain.forward(weights.ahead, images, labels)
            with recorder.span(0, "input gradient"):
                deltas = chain.deltas(weights.current, outcome, labels, len(labels))
            for index, delta in deltas:
                layer, x = chain.network.layers[index], outcome.inputs[index]
                assert x is not None
                with recorder.span(0, "weight gradient", layer.name):
                    self._arithmetic.weight_gradient(layer, x, delta)

        with self._clock.running():
            graph = Graph(passes)
        times: dict[tuple[str, str], list[float]] = {}
        for _ in range(COST_REPLAYS):
            graph.replay()
            torch.cuda.synchronize()
            for span in self._clock.read(recorder.spans):
                times.setdefault((span.phase, span.layer), []).append(span.duration_ms / 1e3)
        typical = {key: median(found) for key, found in times.items()}
        costs.forward = typical.pop(("forward", ""))
        costs.deltas = typical.pop(("input gradient", ""))
        costs.weight_gradients.update({layer: cost for (_, layer), cost in typical.items()})


def _slots(schedule: Schedule) -> BatchSlots | None:
    """Return the cache of `schedule` if it has one that takes turns."""
    cache = schedule.cache if isinstance(schedule, Speculative) else None
    return cache if isinstance(cache, BatchSlots) else None


def _phase(schedule: Schedule) -> int:
    slots = _slots(schedule)
    return 0 if slots is None else slots.current


def _set_phase(schedule: Schedule, phase: int) -> None:
    slots = _slots(schedule)
    if slots is not None:
        slots.current = phase


def found_gpu(backend: str) -> torch.device:
    """Return the GPU that `backend` names.

    Raises:
        UsageError: PyTorch sees no such GPU.
    """
    if not torch.cuda.is_available():
        built = "" if torch.version.cuda else f": PyTorch {torch.__version__} is built without CUDA"
        raise UsageError(f"{backend}: PyTorch sees no GPU{built}; specbp doctor says what there is")
    place = torch.device(backend)
    if (place.index or 0) >= torch.cuda.device_count():
        raise UsageError(f"{backend}: PyTorch sees {torch.cuda.device_count()} GPU(s), from cuda:0")
    return place
