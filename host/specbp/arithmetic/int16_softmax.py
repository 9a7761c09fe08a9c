"""Softmax of the overlay: a table of 2^-x, shifts and one division, exact to the bit."""

from __future__ import annotations

from functools import cache

import torch
from torch import Tensor

from specbp.arithmetic.scales import PROBABILITY_BITS

INDEX_BITS = 8
"""The table has 2^8 entries over one octave."""

LOG2_E_BITS = 14
LOG2_E = 23637
"""log2(e) = 1.442695 in steps of 2^-14, rounded."""

GUARD_BITS = 8
"""Bits kept below the table's, so that what is far below the largest still counts."""

VANISHED = 24
"""Octaves below the largest at which nothing of a table entry and its guard bits is left."""

TABLE = tuple(int(2.0 ** (15 - index / 2**INDEX_BITS) + 0.5) for index in range(2**INDEX_BITS))
"""2^-(index/256) in steps of 2^-15, rounded: unsigned 16 bits, from 32768 down to 16428."""


def softmax(logits: Tensor, fraction_bits: int) -> Tensor:
    """Return softmax in steps of 2^-14.

    With d the distance of a logit below the largest, exp(-d) = 2^-(n + k/256): k looks up the
    table and n shifts what is found. The division rounds half up.

    Args:
        logits: integer-valued [batch, classes], within int16; at most 511 classes.
        fraction_bits: fraction bits of `logits`, at least -6.

    Returns:
        int64 [batch, classes], 0 to 2^14. Against the real softmax of the same logits each is
        within 0.001.
    """
    distance = (logits.amax(1, keepdim=True) - logits).to(torch.int64)
    shift = fraction_bits + LOG2_E_BITS - INDEX_BITS
    position = (distance * LOG2_E + ((1 << shift) >> 1)) >> shift
    octaves = (position >> INDEX_BITS).clamp_(max=VANISHED)
    entries = _table(logits.device)[position & (2**INDEX_BITS - 1)]
    exponentials = (entries << GUARD_BITS) >> octaves
    total = exponentials.sum(1, keepdim=True)
    return ((exponentials << PROBABILITY_BITS) + (total >> 1)) // total


# Made here, not at its first use: that may be while PyTorch traces, which warns of new tensors.
_TABLE = torch.tensor(TABLE)


@cache
def _table(device: torch.device) -> Tensor:
    return _TABLE.to(device)
