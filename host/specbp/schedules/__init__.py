"""Schedules: how a training step orders and overlaps forward, backward and update.

Written once, over `specbp.arithmetic.Arithmetic`; `build` makes the one an experiment asks for.
"""

from __future__ import annotations

from specbp.arithmetic import Arithmetic
from specbp.experiment import Experiment
from specbp.network import Network
from specbp.schedules.cache import BatchCache, Cache, KeyedCache
from specbp.schedules.chain import Chain, TracedChain
from specbp.schedules.data_parallel import DataParallel
from specbp.schedules.engines import Engine, SameEngine, ThreadEngine
from specbp.schedules.gate import AdaptiveGate, FixedGate, Gate, OpenGate
from specbp.schedules.selective import Selective
from specbp.schedules.sequential import Sequential
from specbp.schedules.speculative import Method, Speculative
from specbp.schedules.step import BatchGradients, PhaseTimes, Schedule, StepWeights

__all__ = ["BatchGradients", "PhaseTimes", "Schedule", "StepWeights", "build"]


def build(experiment: Experiment, network: Network, arithmetic: Arithmetic) -> Schedule:
    """Build the schedule that `experiment` names, with its engines."""
    chain = TracedChain(network, arithmetic)
    match experiment.schedule:
        case "sequential":
            return Sequential(chain)
        case "selective":
            assert experiment.skip_loss is not None
            return Selective(chain, experiment.skip_loss)
        case "data-parallel":
            return DataParallel(chain, _second_engine(experiment))
        case "speculative":
            return _speculative(experiment, chain)


def _speculative(experiment: Experiment, chain: Chain) -> Speculative:
    assert experiment.reuse is not None and experiment.refresh is not None
    trained = sum(layer.has_weights for layer in chain.network.layers)
    method = Method(
        experiment.reuse,
        min(experiment.refresh, trained),
        bool(experiment.balanced) and experiment.engines == 2,
    )
    return Speculative(
        chain,
        _cache(experiment, chain.network.classes),
        _gate(experiment),
        method,
        _second_engine(experiment),
    )


def _second_engine(experiment: Experiment) -> Engine:
    return ThreadEngine(experiment.threads) if experiment.engines == 2 else SameEngine()


def _cache(experiment: Experiment, classes: int) -> Cache:
    if experiment.key == "batch":
        return BatchCache()
    offset = 1 if experiment.key == "other-label" else 0
    return KeyedCache(experiment.buckets or classes, experiment.max_age, offset)


def _gate(experiment: Experiment) -> Gate:
    metric, threshold = experiment.gate_metric, experiment.gate_threshold
    if metric is None or threshold is None:
        return OpenGate()
    if experiment.gate_target is None:
        return FixedGate(metric, threshold)
    return AdaptiveGate(metric, threshold, experiment.gate_target)
