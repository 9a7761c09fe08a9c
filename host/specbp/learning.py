"""Whether a training learned anything, and whether an accuracy fell apart beside another.

Both are told by one-sided tests at the level `LEVEL`, so a small test set must show more.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from scipy.special import bdtrc, ndtr

LEVEL = 0.01
KEPT = 0.5
"""An accuracy that keeps less of the baseline's gain over chance than this has fallen apart."""


@dataclass(frozen=True)
class MeasuredAccuracy:
    """A test accuracy, and what it is worth.

    Attributes:
        accuracy: share of the test samples that were classified rightly.
        samples: number of test samples.
        chance: share of the most frequent label among them, which takes no learning to reach.
    """

    accuracy: float
    samples: int
    chance: float

    @property
    def learned(self) -> bool:
        """Whether the accuracy is above chance, by a one-sided binomial test."""
        correct = round(self.accuracy * self.samples)
        return bool(bdtrc(correct - 1, self.samples, self.chance) <= LEVEL)

    def fell_apart_beside(self, baseline: MeasuredAccuracy) -> bool:
        """Return whether less than half of what `baseline` has gained over chance is there.

        By a one-sided test of two proportions as well, which small test sets do not pass.
        """
        gain, gain_of_baseline = self.accuracy - self.chance, baseline.accuracy - baseline.chance
        if not baseline.learned or gain >= KEPT * gain_of_baseline:
            return False
        samples = self.samples + baseline.samples
        pooled = (self.accuracy * self.samples + baseline.accuracy * baseline.samples) / samples
        variance = pooled * (1 - pooled) * (1 / self.samples + 1 / baseline.samples)
        distance = baseline.accuracy - self.accuracy
        return bool(ndtr(-distance / math.sqrt(variance)) <= LEVEL)

    @property
    def words(self) -> str:
        """The accuracy and that of chance, in words."""
        return f"{self.accuracy:.1%} right, chance is {self.chance:.1%}"
