"""What a training has really worked on: the weights that its first step read, and its samples.

The hashes of a recipe say what should be done. These are taken where it is done, so that arms are
known to have done equal work and not only to have been asked for it.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor

from specbp.network import Weights, weights_sha256
from specbp.saved_state import StateError, fields

_SHA256 = re.compile(r"[0-9a-f]{64}")
_NOTHING = "0" * 64


class WorkRecord:
    """Hashes of what the steps of a training have read so far."""

    def __init__(self) -> None:
        self._first_weights = _NOTHING
        self._samples = _NOTHING

    def begin(self, step: int, weights: Sequence[Weights]) -> None:
        """Look at the weights that the next step reads; only the first one's count.

        Args:
            step: number of the step, from 0.
            weights: weights of each layer, in the number format of the training.
        """
        if step == 0:
            self._first_weights = weights_sha256(weights)

    def add(self, index: Tensor, places: Tensor | None = None) -> None:
        """Add what steps have trained on.

        Args:
            index: the samples of each step, by their place in the training set: int64
                [steps, batch].
            places: what augmentation did to each, int64 [steps, batch, 5]; None for nothing.
        """
        for number, samples in enumerate(index.cpu().numpy()):
            digest = hashlib.sha256(bytes.fromhex(self._samples) + samples.tobytes())
            if places is not None:
                digest.update(places[number].numpy().tobytes())
            self._samples = digest.hexdigest()

    @property
    def columns(self) -> dict[str, str]:
        """The columns of the frame `runs` that say it."""
        return {"first_weights_sha256": self._first_weights, "samples_sha256": self._samples}

    def state(self) -> Mapping[str, str]:
        """Return what is needed to go on later."""
        return self.columns

    def restore(self, state: Any) -> None:
        """Go on from `state`.

        Raises:
            StateError: it is none that a training could have saved.
        """
        hashes = fields(state, self.columns, "work")
        if not all(isinstance(one, str) and _SHA256.fullmatch(one) for one in hashes.values()):
            raise StateError("work does not hold hashes")
        self._first_weights = hashes["first_weights_sha256"]
        self._samples = hashes["samples_sha256"]
