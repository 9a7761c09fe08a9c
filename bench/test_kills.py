"""Kills and power cuts by the hundred, over matrices with CPU and simulated arms.

SPECBP_KILLS says how many signals, 200 unless set, SPECBP_POWER_CUTS how many power cuts, 50;
SPECBP_KILLS_SEED from which seed, 0.
"""

import os
import random
from collections import Counter

import pytest

from tests.matrix.killed import Lives, power_cuts

KILLS = int(os.environ.get("SPECBP_KILLS", "200"))
CUTS = int(os.environ.get("SPECBP_POWER_CUTS", "50"))
SEED = int(os.environ.get("SPECBP_KILLS_SEED", "0"))
KINDS = ("cpu", "sim:model", "sim:rtl")
PER_RUN = 8
"""Signals on the way to the end of one matrix."""


@pytest.mark.parametrize("kind", KINDS)
def test_kills(tmp_path, kind):
    lives, draw = Lives(tmp_path, kind), random.Random(f"{SEED} {kind}")
    expected, whole = lives.undisturbed()
    met, again, number = [], 0, 0
    while left := max(0, -(-KILLS // len(KINDS)) - len(met)):
        frames, steps, sent = lives.kill(f"killed {number}", min(left, PER_RUN), draw)
        assert frames == expected, (number, sent)
        assert whole <= steps <= lives.most_steps(whole, sent), (number, sent)
        met += sent
        again += steps - whole
        number += 1
        counts = {one.name: count for one, count in sorted(Counter(met).items())}
        print(
            f"{kind}: {counts}, {number} matrices of {whole} steps, {again} done again", flush=True
        )


@pytest.mark.parametrize("kind", KINDS)
def test_power_cuts(tmp_path, kind):
    number = -(-CUTS // len(KINDS))
    assert power_cuts(tmp_path, kind, number, random.Random(f"{SEED} {kind}")) == []
