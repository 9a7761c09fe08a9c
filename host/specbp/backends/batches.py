"""What the steps of a training on the processor take, made ready for several of them at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from torch import Tensor

from specbp.arithmetic import Arithmetic, Numbers
from specbp.backends.recipe import Recipe

READY_BYTES = 3 << 20
"""Normalised images that are made ready together, about: they should stay in the cache."""


class Batches:
    """Images and labels of each step, as the passes take them, and the numbers of its update.

    A batch of a few small images takes longer to call the operations for than to normalise, so it
    is done for many batches together, all in the step of the first of them.

    Args:
        recipe: what to train on, and how.
        arithmetic: the number format.
        numbers: gives the numbers of a step.
    """

    def __init__(
        self, recipe: Recipe, arithmetic: Arithmetic, numbers: Callable[[int], Numbers]
    ) -> None:
        self._recipe = recipe
        self._arithmetic = arithmetic
        self._numbers_of = numbers
        self._size = recipe.experiment.batch_size
        batch_bytes = self._size * recipe.dataset.train_images[0].numel() * 4
        self._most_steps = max(1, READY_BYTES // batch_bytes)
        self._steps = range(0)
        self._labels: Sequence[Tensor] = ()
        self._numbers: Sequence[Numbers] = ()
        self._images: Sequence[Tensor] = ()

    def labels(self, step: int) -> Tensor:
        """Return the labels of `step`, int64 [batch]; to be asked for before all else."""
        if step not in self._steps:
            left_of_epoch = self._recipe.steps_per_epoch - step % self._recipe.steps_per_epoch
            self._steps = range(step, step + min(self._most_steps, left_of_epoch))
            self._labels = self._recipe.labels(step, len(self._steps)).split(self._size)
            self._numbers = [self._numbers_of(one) for one in self._steps]
            self._images = ()
        return self._labels[step - self._steps.start]

    def numbers(self, step: int) -> Numbers:
        """Return the numbers of the update of `step`."""
        return self._numbers[step - self._steps.start]

    def images(self, step: int) -> Tensor:
        """Return the images of `step`, [batch, channels, height, width]."""
        if not self._images:
            pixels = self._recipe.pixels(self._steps.start, len(self._steps))
            images = self._recipe.images(self._arithmetic, pixels)
            self._images = images.split(self._size)
        return self._images[step - self._steps.start]
