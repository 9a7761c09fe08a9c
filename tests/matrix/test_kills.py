"""A matrix that is killed, or loses power, gives the frames of one that was left alone.

`bench/test_kills.py` does it 200 and 50 times, with simulated arms.
"""

import random

from tests.matrix.killed import Lives, power_cuts


def test_killed_at_random_moments_no_column_differs_and_little_is_done_again(tmp_path):
    """Kind: KILL, TERM, INT, STOP and CONT, at any moment from the start of the process on."""
    lives, draw = Lives(tmp_path, "cpu", repeats=1), random.Random()
    expected, whole = lives.undisturbed()
    frames, steps, met = lives.kill("killed", 4, draw)
    assert frames == expected
    assert whole <= steps <= lives.most_steps(whole, met), met


def test_power_cuts_lose_nothing_that_was_stored(tmp_path):
    """Kind: what was not synced is lost, there without content, or there in part."""
    assert power_cuts(tmp_path, "cpu", 4, random.Random()) == []
