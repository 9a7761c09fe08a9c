"""What a compiled step uses of the overlay: cycles and lanes, pass by pass."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from specbp.overlay.compiler import Compiled
from specbp.overlay.compiler.emitter import Tagged
from specbp.overlay.compiler.shapes import taps_met
from specbp.overlay.compiler.splitting import size
from specbp.overlay.compiler.stages import Weighted
from specbp.overlay.cycles import predict
from specbp.overlay.hwh import CLOCK_MHZ
from specbp.overlay.instructions import Load, LoadTransposed, Store

MULTIPLYING = ("forward", "input gradient", "weight gradient")


@dataclass(frozen=True)
class PassUsage:
    """One pass of one layer.

    Attributes:
        layer: name of the layer.
        work: which pass.
        cycles: clock cycles, predicted.
        multiplying: share of them in which the lanes multiply.
        useful: products that the layer is made of, those with padding left out, over lanes and
            cycles; None for passes without.
        memory_bound: the cycles that the memory port needs at least: it moves a word of 8 bytes a
            cycle in each direction.
    """

    layer: str
    work: str
    cycles: int
    multiplying: float
    useful: float | None
    memory_bound: int


@dataclass(frozen=True)
class Usage:
    """A step.

    Attributes:
        passes: usage of each pass, in the order of the program.
        cycles: cycles of the whole program.
        clock_mhz: clock of the overlay, MHz.
        descriptors: number of descriptors of the program.
        memory_bytes: memory of the tensors, bytes.
    """

    passes: tuple[PassUsage, ...]
    cycles: int
    clock_mhz: float
    descriptors: int
    memory_bytes: int

    @property
    def milliseconds(self) -> float:
        """Time of the step."""
        return self.cycles / self.clock_mhz / 1e3

    def as_dict(self) -> dict[str, Any]:
        """Return all of it as plain values."""
        return asdict(self) | {"milliseconds": self.milliseconds}


def usage(compiled: Compiled) -> Usage:
    """Return what `compiled` uses."""
    prediction = predict(compiled)
    products = {
        stage.layer.name: compiled.samples * _products(stage) for stage in compiled.weighted
    }
    lanes = compiled.parameters.lanes
    bounds = _memory_bounds(compiled.tagged)
    passes = []
    for one in prediction.passes:
        useful = None
        if one.tag.work in MULTIPLYING and one.tag.layer in products and one.cycles:
            useful = products[one.tag.layer] / (lanes * one.cycles)
        multiplying = one.products / one.cycles if one.cycles else 0.0
        tag = one.tag
        bound = bounds[tag.of_pass]
        passes.append(PassUsage(tag.layer, tag.work, one.cycles, multiplying, useful, bound))
    return Usage(
        tuple(passes),
        prediction.total,
        CLOCK_MHZ,
        len(compiled.tagged),
        compiled.memory.size,
    )


def _memory_bounds(program: Iterable[Tagged]) -> dict[tuple[str, str], int]:
    """Return for each pass the words it reads or those it writes, whichever are more."""
    moved: dict[tuple[str, str], list[int]] = {}
    for one in program:
        words = moved.setdefault(one.tag.of_pass, [0, 0])
        it = one.descriptor
        if isinstance(it, Load | LoadTransposed | Store):
            rows = 4 if isinstance(it, LoadTransposed) else 1
            count = rows * it.run * math.prod(move.count for move in it.moves)
            words[isinstance(it, Store)] += count
    return {name: max(words) for name, words in moved.items()}


def _products(stage: Weighted) -> int:
    """Return the products of a sample's forward, without padding; the gradients have as many."""
    window, source, result = stage.window, stage.source, stage.result
    rows = _all_taps_met(
        source.rows, result.rows, window.kernel[0], window.stride[0], window.padding[0]
    )
    columns = _all_taps_met(
        source.columns, result.columns, window.kernel[1], window.stride[1], window.padding[1]
    )
    return rows * columns * source.channels * result.channels


def _all_taps_met(inputs: int, results: int, taps: int, stride: int, padding: int) -> int:
    """Return how many taps of all results lie on inputs, along one dimension."""
    starts = (result * stride - padding for result in range(results))
    return sum(size(taps_met(first, taps, inputs)) for first in starts)
