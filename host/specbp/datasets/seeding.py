"""Random numbers that stay the same in every version of numpy."""

from __future__ import annotations

import numpy as np


def random_stream(seed: int, part: int = 0) -> np.random.RandomState:
    """Return the source of random numbers that belongs to `seed`, of any size from 0.

    One seed has as many sources as are wanted, told apart by `part`.

    Results are compared across machines and years, so this is the one generator whose stream
    NumPy has frozen for good: NEP 19 exempts ``RandomState`` from every change that
    ``default_rng()`` may see, and strictly fixes the bits of ``MT19937``.
    """
    # As a spawn key, because (seed, part) as entropy would be the same for (1,) and (1, 0).
    entropy = np.random.SeedSequence(seed, spawn_key=(part,))
    return np.random.RandomState(np.random.MT19937(entropy))
