"""What schedules need of the device they run on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from specbp.runtime.spans import Now
from specbp.schedules.cache import Cache
from specbp.schedules.engines import Engine
from specbp.schedules.sharing import OpenWork
from specbp.schedules.verdict import Verdict


@dataclass(frozen=True)
class Device:
    """What schedules need of the device they run on.

    Attributes:
        place: where its tensors are.
        now: the clock of its engines.
        open_engine: starts engine 1, with so many intra-op threads.
        open_work: makes what the engines share weight gradients with.
        open_batch_cache: makes the cache of the key `batch`.
        decide: makes the verdict on samples, some of which were seen, and some of these accepted.
    """

    place: torch.device
    now: Now
    open_engine: Callable[[int], Engine]
    open_work: OpenWork
    open_batch_cache: Callable[[], Cache]
    decide: Callable[[Tensor, Tensor], Verdict]
