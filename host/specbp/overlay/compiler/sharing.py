"""Shares weight gradients and updates out to two cores."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, partial

from specbp.overlay.compiler.core_program import CoreProgram
from specbp.overlay.compiler.emitter import Emitter
from specbp.overlay.compiler.maps import NetworkMaps, Pick
from specbp.overlay.compiler.ordering import GRANULE
from specbp.overlay.compiler.passes import Passes
from specbp.overlay.compiler.shapes import Trained, words_of
from specbp.overlay.compiler.splitting import Span, size
from specbp.overlay.compiler.stages import Weighted
from specbp.overlay.compiler.weight_gradient_plan import KernelPart, whole_kernel
from specbp.overlay.compiler.work import work_of
from specbp.overlay.parameters import Parameters

CORES = 2


@dataclass(frozen=True)
class Share:
    """What a core does of a layer's weight gradient and update.

    Attributes:
        stage: the layer.
        part: part of the weight gradients; None for nothing.
        fours: part of the weight update, elements / 4; None for nothing.
        bias: whether it updates the bias.
        joint: whether the other core has a part of the gradient, too.
    """

    stage: Weighted
    part: KernelPart | None
    fours: Span | None
    bias: bool
    joint: bool


def work_of_passes(
    parameters: Parameters, maps: NetworkMaps, emit: Callable[[Passes], None]
) -> int:
    """Return the work of some passes."""
    emitter = Emitter(parameters)
    emit(Passes(emitter, maps))
    return work_of(emitter.program)


def shared_out(
    parameters: Parameters, maps: NetworkMaps, outcomes: Pick, head_start: int = 0
) -> tuple[list[Share], list[Share]]:
    """Share out the weight gradients and updates of all layers, the last layer first.

    Layers go to core 0 until it has half of the work; the layer at the border is cut in two.

    Args:
        parameters: parameters of the overlay.
        maps: where the tensors lie.
        outcomes: forward whose layer inputs the gradients take.
        head_start: work that core 1 has besides, less that of core 0.
    """
    stages = list(reversed(maps.weighted))

    @cache
    def gradient(stage: Weighted, part: KernelPart | None) -> int:
        if part is None:
            return 0
        return work_of_passes(
            parameters, maps, lambda passes: passes.weight_gradient(stage, outcomes, part)
        )

    whole = {stage: whole_kernel(maps.trained[stage.layer.name]) for stage in stages}
    gradients = [gradient(stage, whole[stage]) for stage in stages]
    updates = [
        work_of_passes(parameters, maps, partial(Passes.update, stage=stage)) for stage in stages
    ]
    wanted = (sum(gradients) + sum(updates) + head_start) / 2
    shares: tuple[list[Share], list[Share]] = ([], [])
    for stage, one_gradient, update in zip(stages, gradients, updates, strict=True):
        trained, cost = maps.trained[stage.layer.name], one_gradient + update
        if 0 < wanted < cost:
            cuts = [
                _Cut(first, second, gradient(stage, first), gradient(stage, second))
                for first, second in _halves(trained)
            ]
            cut = min(cuts, key=lambda one: one.longest(update, wanted, cost - wanted))
            border = cut.border(update, wanted, trained.weight_words)
            parts = (cut.first, (0, border)), (cut.second, (border, trained.weight_words))
            for core, (part, fours) in enumerate(parts):
                # The joint layer comes first, so that nobody waits for the other's part of it.
                mine = fours if size(fours) else None
                share = Share(stage, part, mine, bias=core == (0 if border else 1), joint=True)
                shares[core].insert(0, share)
        else:
            everything = 0, trained.weight_words
            alone = Share(stage, whole[stage], everything, bias=True, joint=False)
            shares[0 if wanted > 0 else 1].append(alone)
        wanted -= cost
    return shares


@dataclass(frozen=True)
class _Cut:
    """A layer's weight gradient in two parts.

    Attributes:
        first: what core 0 does; None for nothing.
        second: what core 1 does.
        first_work: work of the first part.
        second_work: work of the second part.
    """

    first: KernelPart | None
    second: KernelPart | None
    first_work: int
    second_work: int

    def longest(self, update: int, first_room: float, second_room: float) -> float:
        """Return by how much the later core is late, with the update between them as fits best.

        Args:
            update: work of the layer's update.
            first_room: work that core 0 should have.
            second_room: work that core 1 should have.
        """
        mine = self._update_of_first(update, first_room)
        return max(
            self.first_work + mine - first_room, self.second_work + update - mine - second_room
        )

    def border(self, update: int, first_room: float, words: int) -> int:
        """Return how many of the layer's `words` core 0 should update."""
        share = self._update_of_first(update, first_room) / update
        return min(round(words * share / GRANULE) * GRANULE, words)

    def _update_of_first(self, update: int, first_room: float) -> float:
        return min(max(first_room - self.first_work, 0.0), update)


def emit_shares(
    programs: Sequence[CoreProgram], shares: Sequence[list[Share]], outcomes: Pick, first: int
) -> None:
    """Emit weight gradients and updates of both cores.

    Args:
        programs: programs of the cores.
        shares: shares of the cores.
        outcomes: forward whose layer inputs the gradients take.
        first: first of two shared semaphores, given when a core's part of a joint gradient is
            there.
    """
    for core, (program, mine) in enumerate(zip(programs, shares, strict=True)):
        for share in mine:
            if share.part is not None:
                program.passes.weight_gradient(share.stage, outcomes, share.part)
            if share.joint:
                program.signal(first + core)
        for share in mine:
            if not share.joint:
                program.passes.update(share.stage)
        for share in mine:
            if share.joint:
                program.wait(first + 1 - core, "wait for the other's gradient")
                if share.fours is not None:
                    program.passes.update(share.stage, share.fours, share.bias)


def _halves(trained: Trained) -> Iterator[tuple[KernelPart | None, KernelPart | None]]:
    """Yield all ways to cut the weights of a layer in two, along kernel rows or input channels."""
    taps, words = trained.kernel[0], words_of(trained.inputs)
    yield whole_kernel(trained), None
    yield None, whole_kernel(trained)
    for place in range(1, taps):
        yield (
            KernelPart((0, place), (0, words), bias=True),
            KernelPart((place, taps), (0, words), bias=False),
        )
    for place in range(1, words):
        yield (
            KernelPart((0, taps), (0, place), bias=True),
            KernelPart((0, taps), (place, words), bias=False),
        )
