"""The 1,797 handwritten digits that come with scikit-learn; nothing has to be fetched.

Alpaydin and Kaynak, "Optical Recognition of Handwritten Digits", UCI, 1998,
https://doi.org/10.24432/C50P49 (its test set, from 13 writers).
"""

from __future__ import annotations

import numpy as np
import torch

from .samples import Samples, Split

_EVERY = 5
"""One sample in this many is a test sample."""


def read() -> Split:
    """Read the digits, split into 1,437 to train on and 360 to test on.

    The split is fixed: with the samples sorted by label, and in scikit-learn's order within a
    label, every fifth one from the first on is a test sample. No random number takes part, and
    every label gives a fifth of its samples, to within one. Either half is in scikit-learn's
    order. Both hold digits of the same writers.

    Returns:
        Images uint8 [N, 1, 8, 8] with the ink levels 0..16 spread over 0..255, rounded, and
        labels int64 [N].
    """
    from sklearn.datasets import load_digits  # here, because it takes a second to import

    digits = load_digits()
    levels = digits.images.astype(np.int64)
    images = torch.from_numpy(((levels * 255 + 8) // 16).astype(np.uint8)).unsqueeze(1)
    labels = torch.from_numpy(digits.target.astype(np.int64))

    is_test = torch.zeros(len(labels), dtype=torch.bool)
    is_test[torch.argsort(labels, stable=True)[::_EVERY]] = True
    return Split(
        Samples(images[~is_test], labels[~is_test]), Samples(images[is_test], labels[is_test])
    )
