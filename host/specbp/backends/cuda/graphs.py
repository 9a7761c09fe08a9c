"""Work of a GPU recorded as a graph: launched at once, without Python between its kernels."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar

import torch

Result = TypeVar("Result")


class Graph(Generic[Result]):
    """`work`, recorded on the current stream and whatever it forks to; nothing is computed yet.

    Args:
        work: may not wait for the GPU, nor depend on values.
        pool: memory shared with graphs that are never replayed at the same time.

    Attributes:
        value: what `work` returned; its tensors hold results after a replay.
        pool: the memory it uses.
    """

    def __init__(self, work: Callable[[], Result], pool: Any = None) -> None:
        self._graph = torch.cuda.CUDAGraph()
        stream = torch.cuda.current_stream()
        with torch.cuda.graph(
            self._graph, pool=pool, stream=stream, capture_error_mode="thread_local"
        ):
            self.value = work()
        self.pool = self._graph.pool()

    def replay(self) -> None:
        """Launch the work on the current stream."""
        self._graph.replay()
