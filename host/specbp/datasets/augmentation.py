"""Random flips, crops and cut-outs of training images, reproducible from seed, epoch and sample.

What happens to a sample depends on nothing else: not on the batch that it is in, nor on where a
training was stopped. Pixels only move, as uint8, so every runtime gives the same bits.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_ALL_BITS = 2**64 - 1


@dataclass(frozen=True)
class Augmentation:
    """What is done to every training image when it is loaded.

    Attributes:
        flip: mirror half of the images, left to right.
        crop: pixels of black border that are put around an image before a part of the old size is
            cut out of it.
        cutout: side of the square that gets the mean colour; 0 for none.
    """

    flip: bool = False
    crop: int = 0
    cutout: int = 0

    def __bool__(self) -> bool:
        return bool(self.flip or self.crop or self.cutout)

    def places(
        self, samples: Tensor, image_shape: tuple[int, ...], seed: int, epoch: int
    ) -> Tensor:
        """Return what happens to samples.

        Args:
            samples: indices of training samples, int64 [N].
            image_shape: channels, height and width.
            seed: seed of the run.
            epoch: number of the epoch, from 0.

        Returns:
            int64 [N, 5]: whether flipped; row and column of the crop in the bordered image, from 0;
            row and column of the centre of the square that is cut out.
        """
        _, height, width = image_shape
        cut = (height, width) if self.cutout else (1, 1)
        ranges = (2 if self.flip else 1, *[2 * self.crop + 1] * 2, *cut)
        key = _mixed(np.array([seed], np.uint64) * _GOLDEN + np.uint64(epoch))
        by_sample = _mixed(key + samples.numpy().astype(np.uint64) * _GOLDEN)
        columns = [
            _mixed(by_sample + np.uint64((number + 1) * int(_GOLDEN) & _ALL_BITS)) % np.uint64(size)
            for number, size in enumerate(ranges)
        ]
        return torch.from_numpy(np.stack(columns, axis=-1).astype(np.int64))

    def apply(self, pixels: Tensor, places: Tensor, mean_levels: Tensor) -> Tensor:
        """Return augmented images.

        Args:
            pixels: uint8 [N, channels, height, width].
            places: what happens to each, int64 [N, 5].
            mean_levels: mean of each channel, uint8 [channels]: the colour of what is cut out.
        """
        count, channels, height, width = pixels.shape
        flipped, top, left, cut_row, cut_column = (one[:, None] for one in places.unbind(1))
        rows = torch.arange(height) + top - self.crop
        columns = torch.arange(width) + left - self.crop
        inside = ((rows >= 0) & (rows < height))[:, :, None] & ((columns >= 0) & (columns < width))[
            :, None, :
        ]
        columns = torch.where(flipped == 1, width - 1 - columns, columns)
        source = (
            rows.clamp(0, height - 1)[:, :, None] * width + columns.clamp(0, width - 1)[:, None]
        )
        index = source.view(count, 1, -1).expand(-1, channels, -1)
        moved = pixels.flatten(2).gather(2, index).view_as(pixels) * inside[:, None]
        if not self.cutout:
            return moved
        cut = (
            self._cut(torch.arange(height), cut_row)[:, :, None]
            & (self._cut(torch.arange(width), cut_column)[:, None, :])
        )
        return torch.where(cut[:, None], mean_levels[:, None, None], moved)

    def _cut(self, positions: Tensor, centre: Tensor) -> Tensor:
        first = centre - self.cutout // 2
        return (positions >= first) & (positions < first + self.cutout)


def _mixed(values: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """Return the output function of SplitMix64 (Steele et al., OOPSLA 2014) of `values`."""
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))
