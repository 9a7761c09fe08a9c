"""Sequential training on two cores: the baseline with the resources of a speculative step."""

from __future__ import annotations

from specbp.arithmetic.scales import Scales
from specbp.errors import UsageError
from specbp.network import Network
from specbp.overlay.compiler.core_program import CoreProgram
from specbp.overlay.compiler.maps import LOGIT_DELTA, NetworkMaps, Pick
from specbp.overlay.compiler.program import Compiled, compiled
from specbp.overlay.compiler.shapes import PER_WORD
from specbp.overlay.compiler.sharing import CORES, emit_shares, shared_out
from specbp.overlay.compiler.splitting import spans
from specbp.overlay.parameters import Parameters

DELTAS = 1
"""First of two shared semaphores: the deltas of a core are there."""
GRADIENTS = 3
"""First of two: the gradients of a core for the layer that both have a part of."""


def compile_on_two_cores(
    network: Network,
    scales: Scales,
    samples: int,
    parameters: Parameters,
    base: int = 0,
) -> Compiled:
    """Compile one sequential training step of a batch, for two cores.

    Each core takes half of the samples forward and back to their deltas. Weight gradients are
    sums over all samples, so there each takes half of the weights, and updates them.

    Args:
        network: the chain of layers.
        scales: scales of the tensors.
        samples: samples of the batch; more than four, since labels lie in fours.
        parameters: parameters of the overlay.
        base: physical address of the tensors, a multiple of 64.

    Raises:
        UsageError: a layer does not fit, or the batch cannot be split.
    """
    if samples <= PER_WORD:
        raise UsageError(
            f"sequential on two cores splits the batch in fours of samples: batch_size = {samples} "
            f"is too small, it takes more than {PER_WORD}"
        )
    maps = NetworkMaps(network, scales, samples, base=base)
    programs = [CoreProgram(parameters, maps, maps.take_token(core)) for core in range(CORES)]
    halves = spans(samples, -(-samples // CORES // PER_WORD) * PER_WORD, PER_WORD)
    for core, (program, (first, end)) in enumerate(zip(programs, halves, strict=True)):
        part = Pick(first, end - first)
        program.passes.forward(part)
        program.passes.softmax(part, maps.labels, maps.deltas[LOGIT_DELTA], first)
        program.passes.deltas(part, part)
        program.signal(DELTAS + core)
    for core, program in enumerate(programs):
        program.wait(DELTAS + 1 - core, "wait for the other's deltas")
    batch = Pick(0, samples)
    shares = shared_out(parameters, maps, batch)
    emit_shares(programs, shares, batch, GRADIENTS)
    return compiled([program.emitter for program in programs], maps, parameters)
