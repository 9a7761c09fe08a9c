"""Schedules: how a training step orders and overlaps forward, backward and update.

Written once, over `specbp.arithmetic.Arithmetic`; `build` makes the one an experiment asks for.
"""

from __future__ import annotations

from functools import partial

from specbp.arithmetic import Arithmetic
from specbp.experiment import Experiment
from specbp.network import Network
from specbp.schedules.cache import BatchCache, Cache, LabelCache
from specbp.schedules.engines import Engine, SameEngine, ThreadEngine
from specbp.schedules.gate import accept, accept_all
from specbp.schedules.sequential import Sequential
from specbp.schedules.speculative import Speculative
from specbp.schedules.step import BatchGradients, PhaseTimes, Schedule

__all__ = ["BatchGradients", "PhaseTimes", "Schedule", "build"]


def build(experiment: Experiment, network: Network, arithmetic: Arithmetic) -> Schedule:
    """Build the schedule that `experiment` names, with its engines."""
    if experiment.schedule == "sequential":
        return Sequential(network, arithmetic)
    assert experiment.reuse is not None and experiment.gate_metric is not None
    cache: Cache
    if experiment.key == "label":
        cache = LabelCache(network.classes, experiment.reuse)
    else:
        cache = BatchCache(experiment.reuse)
    engine: Engine
    engine = ThreadEngine(experiment.threads) if experiment.engines == 2 else SameEngine()
    if experiment.gate_threshold is None:
        gate = accept_all
    else:
        gate = partial(accept, experiment.gate_metric, experiment.gate_threshold)
    return Speculative(network, arithmetic, cache, experiment.reuse, gate, engine)
