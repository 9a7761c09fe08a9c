"""Schedules as a GPU executes them: engines are streams, and a step can be recorded as a graph.

The CPU executes `specbp.plan` instead.
"""

from __future__ import annotations

from specbp.arithmetic import Arithmetic
from specbp.experiment import Experiment
from specbp.network import Network
from specbp.schedules.cache import Cache, KeyedCache
from specbp.schedules.chain import Chain
from specbp.schedules.data_parallel import DataParallel
from specbp.schedules.device import Device
from specbp.schedules.engines import SameEngine
from specbp.schedules.gate import AdaptiveGate, FixedGate, Gate, OpenGate
from specbp.schedules.sequential import Sequential, SequentialOnTwo
from specbp.schedules.speculative import Method, Speculative
from specbp.schedules.step import BatchGradients, PhaseTimes, Schedule, StepWeights

__all__ = ["BatchGradients", "PhaseTimes", "Schedule", "StepWeights", "build"]


def build(
    experiment: Experiment, network: Network, arithmetic: Arithmetic, device: Device
) -> Schedule:
    """Build the schedule that `experiment` names, with its engines on `device`."""
    chain = Chain(network, arithmetic)
    match experiment.schedule:
        case "sequential" if experiment.engines == 1:
            return Sequential(chain, device.now)
        case "sequential":
            return SequentialOnTwo(chain, device.open_engine(experiment.threads), device.now)
        case "data-parallel":
            return DataParallel(chain, device.open_engine(experiment.threads), device.now)
        case "speculative":
            return _speculative(experiment, chain, device)
        case _:
            raise ValueError(f"there is no {experiment.schedule} on a GPU")


def _speculative(experiment: Experiment, chain: Chain, device: Device) -> Speculative:
    assert experiment.reuse is not None and experiment.refresh is not None
    method = Method(
        experiment.reuse,
        experiment.refresh,
        bool(experiment.balanced) and experiment.engines == 2,
    )
    two = experiment.engines == 2
    return Speculative(
        chain,
        _cache(experiment, chain.network.classes, device),
        _gate(experiment, device),
        method,
        device.open_engine(experiment.threads) if two else SameEngine(),
        device,
    )


def _cache(experiment: Experiment, classes: int, device: Device) -> Cache:
    if experiment.key == "batch":
        return device.open_batch_cache()
    offset = 1 if experiment.key == "other-label" else 0
    return KeyedCache(experiment.buckets or classes, offset, device.place)


def _gate(experiment: Experiment, device: Device) -> Gate:
    metric, threshold = experiment.gate_metric, experiment.gate_threshold
    if metric is None or threshold is None:
        return OpenGate()
    if experiment.gate_target is None:
        return FixedGate(metric, threshold)
    return AdaptiveGate(metric, threshold, experiment.gate_target, device.place)
