"""Backends: what executes a schedule and yields a record of every step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from specbp.runtime.spans import Span
    from specbp.weights import SavedWeights

StepRow = dict[str, Any]
"""One row of the frame `steps`, without the columns `cell` and `round`."""


class Training(Protocol):
    """One experiment in progress."""

    initial_weights_sha256: str
    sample_order_sha256: str
    dataset_sha256: str
    steps_per_epoch: int
    about: Mapping[str, Any]
    """Columns of the frame `runs` that say what it ran on and is tested on."""

    @property
    def step(self) -> int:
        """Number of steps done."""
        ...

    def advance(self, steps: int) -> list[StepRow]:
        """Do the next `steps` training steps and return a row for each."""
        ...

    def test_accuracy(self) -> float:
        """Return the share of test samples classified rightly with the weights as they are.

        Raises:
            FloatingPointError: the training has diverged, or no weight has moved.
        """
        ...

    def weights_sha256(self) -> str:
        """Return the SHA-256 of the weights as they are."""
        ...

    def saved_weights(self, about: Mapping[str, Any]) -> SavedWeights:
        """Return the weights as they are, to be kept; `about` says what they are of."""
        ...

    def state(self) -> Mapping[str, Any]:
        """Return all that is needed to go on later, as plain containers of tensors."""
        ...

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from `state` as if never interrupted."""
        ...

    def close(self) -> None:
        """Give engines and memory back."""
        ...


class TracedTraining(Training, Protocol):
    """A training that shows what its engines did."""

    @property
    def spans(self) -> Sequence[Span]:
        """What the engines did in the last block of steps."""
        ...
