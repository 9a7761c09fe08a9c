"""Schedules: how a training step orders and overlaps forward, backward and update.

Written once, over `specbp.arithmetic.Arithmetic`; `build` makes the one an experiment asks for.
"""

from __future__ import annotations

from specbp.arithmetic import Arithmetic
from specbp.experiment import Experiment
from specbp.network import Network
from specbp.schedules.cache import Cache, KeyedCache
from specbp.schedules.chain import Chain
from specbp.schedules.data_parallel import DataParallel
from specbp.schedules.device import PROCESSOR, Device
from specbp.schedules.engines import SameEngine
from specbp.schedules.gate import AdaptiveGate, FixedGate, Gate, OpenGate
from specbp.schedules.selective import Selective
from specbp.schedules.sequential import Sequential, SequentialOnTwo
from specbp.schedules.speculative import Method, Speculative
from specbp.schedules.step import BatchGradients, PhaseTimes, Schedule, StepWeights

__all__ = ["BatchGradients", "PhaseTimes", "Schedule", "StepWeights", "build"]


def build(
    experiment: Experiment, network: Network, arithmetic: Arithmetic, device: Device = PROCESSOR
) -> Schedule:
    """Build the schedule that `experiment` names, with its engines on `device`."""
    chain = device.open_chain(network, arithmetic)
    match experiment.schedule:
        case "sequential" if experiment.engines == 1 or experiment.on_overlay:
            return Sequential(chain, device.now)
        case "sequential":
            return SequentialOnTwo(chain, device.open_engine(experiment.threads), device.now)
        case "selective":
            assert experiment.skip_loss is not None
            return Selective(chain, experiment.skip_loss, device.now)
        case "data-parallel":
            return DataParallel(chain, device.open_engine(experiment.threads), device.now)
        case "speculative":
            return _speculative(experiment, chain, device)
        case "deferred":
            raise ValueError("only plans can put off samples")


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
    return KeyedCache(experiment.buckets or classes, experiment.max_age, offset, device.place)


def _gate(experiment: Experiment, device: Device) -> Gate:
    metric, threshold = experiment.gate_metric, experiment.gate_threshold
    if metric is None or threshold is None:
        return OpenGate()
    if experiment.gate_target is None:
        return FixedGate(metric, threshold)
    return AdaptiveGate(metric, threshold, experiment.gate_target, device.place)
