"""In which order the arms of a comparison take their turns.

Who goes first, and after whom, must not be the same in every round: caches, the clock of the
processor and threads that still spin are left to an arm by the one before it.
"""

from __future__ import annotations

import random
from collections.abc import Sequence


def turn_order(arms: int, draw: str, round_number: int) -> Sequence[int]:
    """Return the order in which arms, by number, take their turns in a round.

    In every cycle of rounds each arm has each place equally often, and comes after each other arm
    equally often: a Williams square (Williams, Australian Journal of Scientific Research 2, 1949),
    with arms and rounds shuffled anew in every cycle. A cycle has as many rounds as there are
    arms, twice as many where that is odd.

    Args:
        arms: how many there are.
        draw: what decides the shuffling, such as the workload.
        round_number: number of the round, from 0.
    """
    square = _williams_square(arms)
    cycle, number = divmod(round_number, len(square))
    generator = random.Random(f"{draw} {cycle}")
    names = generator.sample(range(arms), arms)
    rows = generator.sample(square, len(square))
    return [names[place] for place in rows[number]]


def _williams_square(arms: int) -> list[list[int]]:
    """Return rows in which each number has each place, and each neighbour, equally often."""
    zigzag = [(place + 1) // 2 if place % 2 else arms - place // 2 for place in range(arms)]
    square = [[(number + row) % arms for number in zigzag] for row in range(arms)]
    return square if arms % 2 == 0 else [*square, *(row[::-1] for row in square)]
