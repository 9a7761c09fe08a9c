"""What schedules need of the device they run on; the processor's."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from specbp.arithmetic import Arithmetic
from specbp.network import Network
from specbp.schedules.cache import BatchCache, Cache
from specbp.schedules.chain import Chain, TracedChain
from specbp.schedules.engines import Engine, ThreadEngine
from specbp.schedules.place import HOST
from specbp.schedules.sharing import OpenWork, TakenWork
from specbp.schedules.spans import Now
from specbp.schedules.verdict import ByRows, Verdict


@dataclass(frozen=True)
class Device:
    """What schedules need of the device they run on.

    Attributes:
        place: where its tensors are.
        now: the clock of its engines.
        open_chain: makes the passes of a network.
        open_engine: starts engine 1, with so many intra-op threads.
        open_work: makes what the engines share weight gradients with.
        open_batch_cache: makes the cache of the key `batch`.
        decide: makes the verdict on samples, some of which were seen, and some of these accepted.
    """

    place: torch.device
    now: Now
    open_chain: Callable[[Network, Arithmetic], Chain]
    open_engine: Callable[[int], Engine]
    open_work: OpenWork
    open_batch_cache: Callable[[], Cache]
    decide: Callable[[Tensor, Tensor], Verdict]


PROCESSOR = Device(
    place=HOST,
    now=time.perf_counter,
    open_chain=TracedChain,
    open_engine=ThreadEngine,
    open_work=TakenWork,
    open_batch_cache=BatchCache,
    decide=ByRows,
)
"""Engines are threads, and whoever is free takes the next task."""
