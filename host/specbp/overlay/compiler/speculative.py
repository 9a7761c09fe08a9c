"""Speculative training on two cores: forward on one, backward from cached outcomes on the other.

The same data flow as `specbp.plan.speculative`. Outcomes lie in slots: each sample has a
*write slot*, where its forward puts its outcome, and a *read slot*, with the cached one it is
speculated with. A host chooses them for each batch and writes them as *records*; nothing is
copied. What is refreshed is written over the cached outcome: nobody reads it again.

    core 0   forward                gate   redo of what is rejected   updates
    core 1   refresh, deltas                                          weight gradients

Rejected samples are redone some at a time, `redo_samples`, all of them deltas of the same
program with other slots; those that are not needed are skipped. Balanced, samples of the longer of
forward and deltas, the redo, weight gradients and updates are shared out to both cores.

Where nothing can be rejected and everything comes from the cache (*free*), core 1 goes on to its
weight gradients at once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np

from specbp.arithmetic.scales import Scales
from specbp.errors import UsageError
from specbp.network import Network
from specbp.overlay.compiler.core_program import SPARE_ENTRY, CoreProgram
from specbp.overlay.compiler.element_wise import emit_copy
from specbp.overlay.compiler.gating import emit_gate
from specbp.overlay.compiler.maps import LOGIT_DELTA, NETWORK, NetworkMaps, Pick
from specbp.overlay.compiler.passes import Passes
from specbp.overlay.compiler.program import Compiled, compiled
from specbp.overlay.compiler.shapes import PER_WORD
from specbp.overlay.compiler.sharing import CORES, emit_shares, shared_out, work_of_passes
from specbp.overlay.compiler.splitting import Span, spans
from specbp.overlay.core_state import TABLE_ENTRIES, WORD_BYTES
from specbp.overlay.parameters import Parameters

REDO_PARTS = 8
"""A whole batch is redone in at most so many parts."""
LABEL, READ, WRITE = range(3)
"""int16 of a record."""
VERDICT_SLOT = 2
"""int16 of a sample's verdict: its slot if accepted the cached, else its own."""
REJECTED_SLOT, REJECTED_SAMPLE = 0, 1
"""int16 of the word for a rejected sample."""
REJECTS = 1
"""int16 of the last word of the verdicts."""

(
    _REFRESHED,
    _FORWARDED,
    _JUDGED,
    _SPECULATED,
    _REDONE,
    _REDONE_BY_1,
    _GRADIENTS,
    _GRADIENTS_BY_1,
    _DELTAS,
    _DELTAS_BY_1,
) = range(1, 11)
"""Shared semaphores."""


@dataclass(frozen=True)
class Method:
    """How to speculate.

    Attributes:
        replay: weight gradients of accepted samples take the cached layer inputs, too.
        refresh: trailing layers with weights that are evaluated again from the cache.
        total: the gate's distance is the sum of all differences, not the largest.
        balanced: both cores share what work there is.
        keys: how many keys have a cached outcome.
    """

    replay: bool
    refresh: int
    total: bool
    balanced: bool
    keys: int


@dataclass(frozen=True)
class Speculation:
    """The programs of speculative training; they share their memory.

    Attributes:
        gated: with a gate; for any batch.
        free: without, for batches in which every sample has a cached outcome and none can be
            rejected; None without replay.
        forward: program of a forward pass of a batch, without training, into the write slots; on
            core 0.
        slots: slots of saved forwards.
    """

    gated: Compiled
    free: Compiled | None
    forward: Compiled
    slots: int


def compile_speculation(
    network: Network, scales: Scales, samples: int, parameters: Parameters, method: Method
) -> Speculation:
    """Compile the programs of speculative training steps of a batch, for two cores.

    Args:
        network: the chain of layers.
        scales: scales of the tensors.
        samples: samples of the batch.
        parameters: parameters of the overlay.
        method: how to speculate.

    Raises:
        UsageError: a layer or the batch does not fit; the message says what would.
    """
    # One slot more for samples that have no cached outcome.
    slots = method.keys + samples + 1
    maps = SpeculativeMaps(network, scales, samples, slots)

    def step() -> _Step:
        return _Step(maps, parameters, method)

    free = step().free() if method.replay else None
    return Speculation(step().gated(), free, step().only_forward(), slots)


class SpeculativeMaps(NetworkMaps):
    """Where everything lies that a speculative step needs.

    Attributes:
        records: address of a word for each sample: label, read slot, write slot.
        verdicts: address of two words for each sample and one more, see GATE.
        speculated_labels: address of the labels of the deltas that are speculated.
        actual_deltas: at the logits, of the forward.
        tokens: addresses of a word for each core.
    """

    def __init__(self, network: Network, scales: Scales, samples: int, slots: int) -> None:
        super().__init__(network, scales, samples, slots)
        self.records = self.memory.take(NETWORK, "records", (samples, PER_WORD), np.int16)
        verdicts = 2 * samples + 1, PER_WORD
        self.verdicts = self.memory.take(NETWORK, "verdicts", verdicts, np.int16)
        self.speculated_labels = self.take_labels("speculated labels")
        self.actual_deltas = self.take_deltas("actual logit delta")
        self.tokens = [self.take_token(core) for core in range(CORES)]


@dataclass(frozen=True)
class _Shared:
    """How samples of the first half of a step are shared out.

    Attributes:
        forward: samples whose forward core 0 does; core 1 does that of the others.
        deltas: samples whose deltas core 0 does, the first of the batch.
    """

    forward: int
    deltas: int


class _Step:
    """The programs of both cores in the making."""

    def __init__(self, maps: SpeculativeMaps, parameters: Parameters, method: Method) -> None:
        samples = maps.samples
        self._maps, self._parameters, self._method = maps, parameters, method
        self._samples = samples
        # What the index table holds, on both cores.
        self._written = Pick(0, samples, 0)
        self._read = Pick(0, samples, samples)
        self._merged = Pick(0, samples, 2 * samples)
        self._rejected = Pick(0, samples, 3 * samples)
        self._rejected_samples = Pick(0, samples, 4 * samples)
        self._rejects = 5 * samples
        if self._rejects >= SPARE_ENTRY:
            raise UsageError(
                f"speculation on the overlay takes batches of at most {(SPARE_ENTRY - 1) // 5} "
                f"samples, not {samples}: the index table has {TABLE_ENTRIES} entries"
            )
        self._cores = [CoreProgram(parameters, maps, token) for token in maps.tokens]

    def gated(self) -> Compiled:
        """Return a step in which the gate decides."""
        first, second = self._cores
        shared = self._first_half(gated=True)
        first.wait(_REFRESHED, "wait for the cached softmax")
        if shared.forward < self._samples:
            first.wait(_FORWARDED, "wait for the other's forward")
        self._gate(first)
        first.signal(_JUDGED)
        self._load_verdicts(first)
        first.wait(_SPECULATED, "wait for deltas")
        second.wait(_JUDGED, "wait for the gate")
        self._load_verdicts(second)
        parts = spans(self._samples, redo_samples(self._samples))
        balanced = self._method.balanced
        for place, part in enumerate(parts):
            self._redo(self._cores[place % CORES if balanced else 0], part)
        first.signal(_REDONE)
        second.wait(_REDONE, "wait for what is redone")
        if balanced:
            second.signal(_REDONE_BY_1)
            first.wait(_REDONE_BY_1, "wait for what is redone")
        self._second_half(self._merged if self._method.replay else self._written)
        return self._compiled()

    def free(self) -> Compiled:
        """Return a step without a gate, all from the cache."""
        first, second = self._cores
        self._first_half(gated=False)
        if self._method.balanced:
            first.signal(_DELTAS)
            second.wait(_DELTAS, "wait for the other's deltas")
            first.wait(_SPECULATED, "wait for the other's deltas")
        self._second_half(self._read)
        return self._compiled()

    def only_forward(self) -> Compiled:
        """Return the forward of a batch, on core 0."""
        first, maps = self._cores[0], self._maps
        first.load_tables((maps.records, WRITE, self._table(self._written), self._samples))
        first.passes.forward(self._written)
        first.passes.softmax(self._written, maps.labels, None, 0)
        return compiled([first.emitter], maps, self._parameters)

    def _compiled(self) -> Compiled:
        return compiled([one.emitter for one in self._cores], self._maps, self._parameters)

    def _first_half(self, gated: bool) -> _Shared:
        """Emit forward, refresh, and the deltas that are speculated."""
        maps, (first, second), samples = self._maps, self._cores, self._samples
        shared = self._balance() if self._method.balanced else _Shared(samples, 0)
        for program in self._cores:
            program.load_tables(
                (maps.records, WRITE, self._table(self._written), samples),
                (maps.records, READ, self._table(self._read), samples),
            )
        self._forward(first, 0, shared.forward, gated)
        self._refresh(second.passes)
        second.signal(_REFRESHED)
        if shared.deltas:
            # Taken twice where the gate waits for it, too: one signal for each.
            first.wait(_DELTAS_BY_1, "wait for what is refreshed")
            second.signal(_DELTAS_BY_1)
            self._deltas(first, 0, shared.deltas)
        self._deltas(second, shared.deltas, samples - shared.deltas)
        second.signal(_SPECULATED)
        if shared.forward < samples:
            self._forward(second, shared.forward, samples - shared.forward, gated)
            second.signal(_FORWARDED)
        return shared

    def _forward(self, program: CoreProgram, first: int, count: int, gated: bool) -> None:
        part = self._written.part(first, count)
        program.passes.forward(part)
        deltas = self._maps.actual_deltas if gated else None
        program.passes.softmax(part, self._maps.labels, deltas, first)

    def _refresh(self, passes: Passes) -> None:
        """Emit the last layers again, from the cache, and the deltas at the logits."""
        maps = self._maps
        if self._method.refresh:
            start = maps.stages.index(maps.weighted[-self._method.refresh])
            passes.forward(self._read, start)
        passes.softmax(self._read, maps.speculated_labels, maps.deltas[LOGIT_DELTA], 0)

    def _deltas(self, program: CoreProgram, first: int, count: int) -> None:
        program.passes.deltas(self._read.part(first, count), Pick(first, count))

    def _gate(self, program: CoreProgram) -> None:
        maps = self._maps
        emit_gate(
            program.emitter,
            self._written.of(maps.probabilities),
            self._read.of(maps.probabilities),
            maps.records,
            maps.verdicts,
            self._method.total,
        )

    def _load_verdicts(self, program: CoreProgram) -> None:
        samples, verdicts = self._samples, self._maps.verdicts
        rejected = verdicts + samples * WORD_BYTES
        program.load_tables(
            (verdicts, VERDICT_SLOT, self._table(self._merged), samples),
            (rejected, REJECTED_SLOT, self._table(self._rejected), samples),
            (rejected, REJECTED_SAMPLE, self._table(self._rejected_samples), samples),
            (rejected + samples * WORD_BYTES, REJECTS, self._rejects, 1),
        )

    def _redo(self, program: CoreProgram, part: Span) -> None:
        """Emit the deltas of some of the rejected samples, if there are so many."""
        maps, (first, end) = self._maps, part
        outcomes = self._rejected.part(first, end - first)
        samples = self._rejected_samples.part(first, end - first)
        with program.skipped_up_to(self._rejects, first):
            target = samples.of(maps.deltas[LOGIT_DELTA])
            source = samples.of(maps.actual_deltas)
            emit_copy(program.emitter, "gate", "redo", source, target)
            program.passes.deltas(outcomes, samples)

    def _second_half(self, outcomes: Pick) -> None:
        """Emit weight gradients and updates."""
        first, second = self._cores
        if self._method.balanced:
            shares = shared_out(self._parameters, self._maps, outcomes)
            emit_shares(self._cores, shares, outcomes, _GRADIENTS)
            return
        for stage in reversed(self._maps.weighted):
            second.passes.weight_gradient(stage, outcomes)
            second.signal(_GRADIENTS_BY_1)
            first.wait(_GRADIENTS_BY_1, "wait for a gradient")
            first.passes.update(stage)

    def _balance(self) -> _Shared:
        """Share out forward and deltas so that the core with more to do has as little as can be."""
        parameters, maps, samples = self._parameters, self._maps, self._samples

        @cache
        def forward(count: int) -> int:
            part = Pick(0, count)
            return work_of_passes(parameters, maps, lambda passes: passes.forward(part))

        @cache
        def deltas(count: int) -> int:
            part = Pick(0, count)
            return work_of_passes(parameters, maps, lambda passes: passes.deltas(part, part))

        refresh = work_of_passes(parameters, maps, self._refresh)
        ahead = forward(samples) - refresh - deltas(samples)
        if ahead < 0:
            other = forward(samples) - refresh
            return _Shared(samples, _samples_to_move(deltas, other, samples, 1))
        # Labels lie in fours.
        other = refresh + deltas(samples)
        return _Shared(samples - _samples_to_move(forward, other, samples, PER_WORD), 0)

    @staticmethod
    def _table(pick: Pick) -> int:
        assert pick.table is not None
        return pick.table


def _samples_to_move(work: Callable[[int], int], other: int, samples: int, multiple: int) -> int:
    """Return how many samples of the longer work the other core should take.

    Args:
        work: cost of n samples; assumed linear above the minimum.
        other: what the other core has to do besides.
        samples: samples of the batch.
        multiple: what is left of the batch, of samples, is one.
    """
    rest = samples % multiple
    ways = range(rest, samples, multiple)
    if len(ways) < 2:
        return 0
    least = rest or multiple
    least_work = work(least)
    each = (work(samples) - least_work) / (samples - least)

    def longest(moved: int) -> float:
        kept_work = least_work + (samples - moved - least) * each
        moved_work = least_work + (moved - least) * each if moved else 0.0
        return max(kept_work, other + moved_work)

    best: int = min((0, *ways), key=longest)
    return best


def redo_samples(samples: int) -> int:
    """Return how many samples of a batch are redone at once."""
    return -(-samples // REDO_PARTS)
