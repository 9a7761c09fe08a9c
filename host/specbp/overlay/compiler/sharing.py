"""Shares weight gradients and updates out to two cores."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

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
        part: of its weights' gradients; None for nothing.
        fours: of its weights' update, elements / 4; None for nothing.
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
        parameters: of the overlay.
        maps: where the tensors lie.
        outcomes: whose layer inputs the gradients take.
        head_start: work that core 1 has besides, less that of core 0.
    """
    stages = list(reversed(maps.weighted))
    costs = [work_of_passes(parameters, maps, _whole(stage, outcomes)) for stage in stages]
    wanted = (sum(costs) + head_start) / 2
    shares: tuple[list[Share], list[Share]] = ([], [])
    for stage, cost in zip(stages, costs, strict=True):
        trained = maps.trained[stage.layer.name]
        fraction = min(max(wanted / cost, 0.0), 1.0)
        wanted -= cost
        first, second = _cut(trained, fraction)
        if second is None or first is None:
            core = 0 if second is None else 1
            everything = 0, trained.weight_words
            whole = Share(stage, whole_kernel(trained), everything, bias=True, joint=False)
            shares[core].append(whole)
            continue
        border = round(trained.weight_words * fraction / GRANULE) * GRANULE
        parts = [(0, border), (border, trained.weight_words)]
        for core, part in enumerate((first, second)):
            fours = parts[core] if size(parts[core]) else None
            # The joint layer comes first, so that nobody waits for the other's part of it.
            share = Share(stage, part, fours, bias=core == (0 if border else 1), joint=True)
            shares[core].insert(0, share)
    return shares


def emit_shares(
    programs: Sequence[CoreProgram], shares: Sequence[list[Share]], outcomes: Pick, first: int
) -> None:
    """Emit weight gradients and updates of both cores.

    Args:
        programs: of the cores.
        shares: of the cores.
        outcomes: whose layer inputs the gradients take.
        first: of two shared semaphores: when a core's part of a joint gradient is there.
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


def _whole(stage: Weighted, outcomes: Pick) -> Callable[[Passes], None]:
    def emit(passes: Passes) -> None:
        passes.weight_gradient(stage, outcomes)
        passes.update(stage)

    return emit


def _cut(trained: Trained, fraction: float) -> tuple[KernelPart | None, KernelPart | None]:
    """Cut the weights of a layer in two, the first with about `fraction` of them."""
    taps, words = trained.kernel[0], words_of(trained.inputs)
    choices = [(abs(place / taps - fraction), "taps", place) for place in range(taps + 1)]
    choices += [(abs(place / words - fraction), "words", place) for place in range(words + 1)]
    _, along, place = min(choices)
    total = taps if along == "taps" else words
    if place == 0:
        return None, whole_kernel(trained)
    if place == total:
        return whole_kernel(trained), None
    if along == "taps":
        return (
            KernelPart((0, place), (0, words), bias=True),
            KernelPart((place, taps), (0, words), bias=False),
        )
    return (
        KernelPart((0, taps), (0, place), bias=True),
        KernelPart((0, taps), (place, words), bias=False),
    )
