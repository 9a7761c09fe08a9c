"""Room in a buffer, handed out round and round, and what is still there."""

from __future__ import annotations

from collections.abc import Hashable


class Ring:
    """A buffer that is written from its start to its end and then from the start again.

    What was written last stays longest, so the next tile finds room beside the one in use. Who
    takes the room of a tile that is still read must wait; `specbp.overlay.compiler.ordering` sees
    to that.

    Args:
        size: size of the buffer.
        first: what lies below stays untouched.
    """

    def __init__(self, size: int, first: int = 0) -> None:
        self._size, self._first = size, first
        self._next = first
        self._kept: dict[Hashable, tuple[int, int]] = {}

    @property
    def half(self) -> int:
        """The largest piece beside which another one fits."""
        return (self._size - self._first) // 2

    @property
    def whole(self) -> int:
        """All of it."""
        return self._size - self._first

    def find(self, key: Hashable) -> int | None:
        """Return where `key` lies, None where it is gone."""
        place = self._kept.get(key)
        return None if place is None else place[0]

    def forget(self) -> None:
        """Take nothing for still there."""
        self._kept = {}

    def take(self, size: int, key: Hashable = None) -> int:
        """Return the start of `size` units; what lay there is forgotten.

        Args:
            size: at most `whole`.
            key: under which it is found again; None for what is not.
        """
        assert 0 < size <= self.whole, (size, self.whole)
        if self._next + size > self._size:
            self._next = self._first
        start, end = self._next, self._next + size
        self._next = end
        self._kept = {
            name: (low, high)
            for name, (low, high) in self._kept.items()
            if high <= start or low >= end
        }
        if key is not None:
            self._kept[key] = (start, end)
        return start
