"""Labelled images and their two halves: the form every reader hands them over in."""

from __future__ import annotations

from typing import NamedTuple

import torch


class Samples(NamedTuple):
    """Images and their labels.

    Attributes:
        images: uint8 [N, C, H, W].
        labels: int64 [N], from 0.
    """

    images: torch.Tensor
    labels: torch.Tensor


class Split(NamedTuple):
    """The samples to train on and the samples to test on."""

    train: Samples
    test: Samples
