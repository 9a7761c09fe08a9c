"""The gate's decision on a batch, and what becomes of accepted and rejected samples."""

from __future__ import annotations

from typing import Literal, Protocol

import torch
from torch import Tensor

from specbp.schedules.outcome import Outcome, put, rows_of, slots_like

Accepts = Literal["all", "some", "none"]
"""How many samples of a batch are accepted."""


class Verdict(Protocol):
    """The gate's decision on a batch."""

    @property
    def accepted(self) -> Tensor:
        """Of each sample whether it is accepted, bool [batch]; false if not speculated on."""
        ...

    @property
    def accepts(self) -> Accepts:
        """How many are accepted."""
        ...

    def rejected(self, outcome: Outcome) -> Outcome:
        """Return what of a batch's `outcome` is redone; asked where some are rejected."""
        ...

    def merged(self, speculated: Tensor, redone: Tensor) -> Tensor:
        """Return rows for the whole batch, in its order, and in new memory.

        Args:
            speculated: a row for each sample that was speculated on.
            redone: a row for each of `rejected`.
        """
        ...


class ByRows:
    """Only rejected samples are redone: less to compute, in as many shapes as there are counts.

    Args:
        seen: whether a sample was speculated on, bool [batch].
        accept: of each that was, whether it is accepted, bool.
    """

    def __init__(self, seen: Tensor, accept: Tensor) -> None:
        self.accepted = torch.zeros_like(seen).masked_scatter_(seen, accept)
        self._accepted = _positions(self.accepted)
        self._rejected = _positions(~self.accepted)
        self._accepted_rows = _positions(accept)

    @property
    def accepts(self) -> Accepts:
        """How many are accepted."""
        if not len(self._rejected):
            return "all"
        return "some" if len(self._accepted) else "none"

    def rejected(self, outcome: Outcome) -> Outcome:
        """Return the rows of the rejected samples."""
        return outcome.rows(self._rejected) if len(self._accepted) else outcome

    def merged(self, speculated: Tensor, redone: Tensor) -> Tensor:
        """Return rows for the whole batch, in its order, and in new memory."""
        size = len(self._accepted) + len(self._rejected)
        whole = slots_like(redone, size)
        put(whole, self._accepted, rows_of(speculated, self._accepted_rows))
        put(whole, self._rejected, redone)
        return whole


class ByMask:
    """The whole batch is redone as soon as one sample is rejected: in one shape, whoever it is.

    That can be recorded once and replayed. Where small batches take as long as single samples, it
    costs nothing.

    Args:
        accepted: of each sample, all of which were speculated on, bool [batch].
        accepts: how many; known beforehand.
    """

    def __init__(self, accepted: Tensor, accepts: Accepts) -> None:
        self.accepted = accepted
        self.accepts: Accepts = accepts

    def rejected(self, outcome: Outcome) -> Outcome:
        """Return the whole batch."""
        return outcome

    def merged(self, speculated: Tensor, redone: Tensor) -> Tensor:
        """Return for each sample one of both rows."""
        mask = self.accepted.view(-1, *(1,) * (redone.dim() - 1))
        return torch.where(mask, speculated, redone)


def decided(seen: Tensor, accept: Tensor) -> Verdict:
    """Return the verdict by mask wherever there can be one, so that shapes are always the same."""
    if len(accept) < len(seen):
        return ByRows(seen, accept)
    return ByMask(accept, how_many(int(accept.sum()), len(accept)))


def how_many(accepts: int, samples: int) -> Accepts:
    """Return the word for `accepts` of so many samples."""
    if accepts == samples:
        return "all"
    return "some" if accepts else "none"


def _positions(mask: Tensor) -> Tensor:
    return mask.nonzero()[:, 0]
