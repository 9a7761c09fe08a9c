"""The 1,797 handwritten digits that come with scikit-learn; nothing has to be fetched.

Alpaydin and Kaynak, "Optical Recognition of Handwritten Digits", UCI, 1998,
https://doi.org/10.24432/C50P49 (its test set, from 13 writers).
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

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
    table = _table()
    levels = table[:, :-1].reshape(-1, 8, 8)
    images = torch.from_numpy(((levels * 255 + 8) // 16).astype(np.uint8)).unsqueeze(1)
    labels = torch.from_numpy(table[:, -1].copy())

    is_test = torch.zeros(len(labels), dtype=torch.bool)
    is_test[torch.argsort(labels, stable=True)[::_EVERY]] = True
    return Split(
        Samples(images[~is_test], labels[~is_test]), Samples(images[is_test], labels[is_test])
    )


def _table() -> NDArray[np.int64]:
    """Return 64 ink levels and the label of each digit, [1797, 65].

    Read from the file that scikit-learn keeps them in: importing it takes a second, and more than
    the rest of a short training.
    """
    installed = find_spec("sklearn")
    if installed is not None and installed.origin is not None:
        path = Path(installed.origin).parent / "datasets" / "data" / "digits.csv.gz"
        if path.is_file():
            return np.loadtxt(path, delimiter=",", dtype=np.float64).astype(np.int64)
    from sklearn.datasets import load_digits  # a version that keeps them elsewhere

    digits = load_digits()
    return np.column_stack([digits.data, digits.target]).astype(np.int64)
