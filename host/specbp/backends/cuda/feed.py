"""What the steps of a training on a GPU read and write there, so that none waits for the host.

A step recorded as a graph does the same on every replay: which batch it is must stand in memory.
"""

from __future__ import annotations

import torch
from torch import Tensor

from specbp.arithmetic import Arithmetic
from specbp.backends.recipe import Recipe
from specbp.datasets.loading import Dataset
from specbp.schedules.step import BatchGradients


class Feed:
    """The batches and learning rates of the steps; while one step runs, the next is made ready.

    Args:
        recipe: what to train on, and how.
        dataset: the data set, on the GPU.
        arithmetic: number format of the training.
        age: how many steps forward looks ahead with weight prediction.
        most: steps until it is asked which samples were taken.
    """

    def __init__(
        self, recipe: Recipe, dataset: Dataset, arithmetic: Arithmetic, age: float, most: int
    ) -> None:
        place = dataset.train_labels.device
        size = recipe.experiment.batch_size
        steps = recipe.steps_per_epoch * recipe.experiment.epochs
        rates = [-recipe.rule(step).learning_rate for step in range(steps + 1)]
        self._recipe = recipe
        self._dataset = dataset
        self._arithmetic = arithmetic
        self._order = torch.zeros(recipe.steps_per_epoch * size, dtype=torch.int64, device=place)
        self._samples = torch.arange(size, device=place)
        distances = [rate * age for rate in [*rates[1:], rates[-1]]]
        self._rates = torch.tensor([rates, distances], device=place).T.contiguous()
        self._step = torch.zeros(1, dtype=torch.int64, device=place)
        self._taken = torch.zeros(most, size, dtype=torch.int64, device=place)
        self._count = torch.zeros(1, dtype=torch.int64, device=place)
        self._next = self._read()

    def go_to(self, step: int) -> None:
        """Make `step` the next one; called at least where an epoch begins."""
        self._step.fill_(step)
        order = self._recipe.order(step // self._recipe.steps_per_epoch)
        self._order.copy_(order[: len(self._order)])
        self._make_ready()

    def take(self) -> tuple[Tensor, Tensor, Tensor]:
        """Return images, as the first layer takes them, and labels of the step, and its rates.

        Those are the learning rate, and how far the forward of the next step looks ahead, in
        momenta; both times -1, float32 [2].
        """
        images, labels, rates = (one.clone() for one in self._next[1:])
        return images, labels, rates

    def advance(self) -> None:
        """Note which samples were taken, and make the next step of the epoch ready."""
        self._taken.index_copy_(0, self._count, self._next[0][None])
        self._count += 1
        self._step += 1
        self._make_ready()

    def taken(self) -> Tensor:
        """Return the samples of the steps since it was asked last, int64 [steps, batch].

        Waits for the GPU.
        """
        taken = self._taken[: int(self._count)].cpu()
        self._count.zero_()
        return taken

    def minus_distance(self, step: int) -> Tensor:
        """Return how far the forward of `step` looks ahead, times -1, [], to the bit as `take`."""
        return self._rates[max(step - 1, 0), 1]

    def _make_ready(self) -> None:
        for target, one in zip(self._next, self._read(), strict=True):
            target.copy_(one)

    def _read(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        in_epoch = self._step % self._recipe.steps_per_epoch
        index = self._order.index_select(0, in_epoch * len(self._samples) + self._samples)
        pixels = self._dataset.train_images.index_select(0, index)
        images = self._arithmetic.encode_images(self._dataset.normalised(pixels))
        labels = self._dataset.train_labels.index_select(0, index)
        last = len(self._rates) - 1
        rates = self._rates.index_select(0, self._step.clamp(max=last))[0]
        return index, images, labels, rates


class Tally:
    """What the rows of the frame `steps` need of each step, as it comes.

    Args:
        most: steps until it is read.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._next: Tensor | None = None

    def put(self, batch: BatchGradients, all_accepted: bool = False) -> None:
        """Take in a step; where all samples are known to be accepted, that is not looked at."""
        if self._next is None:
            self._losses, self._probabilities = (
                one.new_zeros(self._most, *one.shape) for one in (batch.losses, batch.probabilities)
            )
            self._accepted = torch.ones_like(self._losses, dtype=torch.bool)
            self._next = torch.zeros(1, dtype=torch.int64, device=batch.losses.device)
        self._losses.index_copy_(0, self._next, batch.losses[None])
        self._probabilities.index_copy_(0, self._next, batch.probabilities[None])
        if batch.accepted is not None and not all_accepted:
            self._accepted.index_copy_(0, self._next, batch.accepted[None])
        self._next += 1

    def take(self, labels: Tensor) -> list[tuple[float, int, int]]:
        """Return loss, correct and accepted samples of the last steps, and begin again.

        Waits for the GPU.

        Args:
            labels: labels of these steps, int64 [steps, batch].
        """
        assert self._next is not None
        steps = len(labels)
        probabilities = self._probabilities[:steps]
        is_right = probabilities.argmax(2) == labels.to(probabilities.device)
        is_known = ~probabilities.isnan().any(2)
        found = (
            self._losses[:steps].mean(1, dtype=torch.float64).tolist(),
            (is_right & is_known).sum(1).tolist(),
            self._accepted[:steps].sum(1).tolist(),
        )
        self._next.zero_()
        self._accepted.fill_(True)
        return list(zip(*found, strict=True))
