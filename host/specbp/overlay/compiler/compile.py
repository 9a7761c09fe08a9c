"""From a network to a program for one core: which passes follow each other, on which tensors."""

from __future__ import annotations

from specbp.arithmetic.scales import Scales
from specbp.network import Network
from specbp.overlay.compiler.emitter import Emitter
from specbp.overlay.compiler.maps import LOGIT_DELTA, NetworkMaps, Pick
from specbp.overlay.compiler.passes import Passes
from specbp.overlay.compiler.program import Compiled, compiled
from specbp.overlay.compiler.stages import Weighted
from specbp.overlay.parameters import Parameters


def compile_step(
    network: Network,
    scales: Scales,
    samples: int,
    parameters: Parameters,
    base: int = 0,
) -> Compiled:
    """Compile one sequential training step of a batch, for one core.

    Args:
        network: the chain of layers.
        scales: scales of the tensors.
        samples: samples of the batch.
        parameters: parameters of the overlay.
        base: physical address of the tensors, a multiple of 64.

    Raises:
        UsageError: a layer does not fit; the message names it, the limit and what it needs.
    """
    maps = NetworkMaps(network, scales, samples, base=base)
    emitter = Emitter(parameters)
    passes, batch = Passes(emitter, maps), Pick(0, samples)
    passes.forward(batch)
    passes.softmax(batch, maps.labels, maps.deltas[LOGIT_DELTA], 0)
    for index in range(len(maps.stages) - 1, maps.lowest - 1, -1):
        stage, steps = maps.stages[index], [one for one in maps.steps if one.index == index]
        for step in steps:
            if step.kind == "mask":
                passes.delta_step(step, batch, batch)
        if isinstance(stage, Weighted):
            passes.weight_gradient(stage, batch)
        for step in steps:
            if step.kind == "input gradient":
                passes.delta_step(step, batch, batch)
        if isinstance(stage, Weighted):
            passes.update(stage)
    return compiled([emitter], maps, parameters)


def compile_forward(
    network: Network,
    scales: Scales,
    samples: int,
    parameters: Parameters,
    base: int = 0,
) -> Compiled:
    """Compile the forward of a batch, to its probabilities; see `compile_step`."""
    maps = NetworkMaps(network, scales, samples, base=base)
    emitter = Emitter(parameters)
    passes, batch = Passes(emitter, maps), Pick(0, samples)
    passes.forward(batch)
    passes.softmax(batch, maps.labels, None, 0)
    return compiled([emitter], maps, parameters)
