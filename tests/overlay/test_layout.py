"""Tensors there and back, and what a linear layer behind a flatten sees."""

import numpy as np
import torch

from specbp.overlay.layout import pack_map, pack_weight, unpack_map, unpack_weight


def test_maps_are_channels_last_with_zeros_up_to_whole_words():
    values = np.arange(1, 1 + 2 * 3 * 4 * 5).reshape(2, 3, 4, 5)
    packed = np.zeros((2, 4, 5, 4), np.int16)
    pack_map(values, packed)
    assert packed[1, 2, 3].tolist() == [*values[1, :, 2, 3], 0]
    assert (unpack_map(packed, 3) == values).all()


def test_weights_there_and_back():
    weight = np.arange(5 * 3 * 2 * 4).reshape(5, 3, 2, 4)
    packed = np.zeros((2, 4, 4, 8), np.int16)
    pack_weight(weight, packed, 3)
    assert packed[1, 3, 2, 4] == weight[4, 2, 1, 3]
    assert not packed[:, :, 3].any() and not packed[..., 5:].any()
    assert (unpack_weight(packed, weight.shape, 3) == weight).all()


def test_a_linear_layer_behind_a_flatten_reads_the_map_as_it_lies():
    generator = torch.Generator().manual_seed(0)
    x = torch.randint(-9, 9, (2, 3, 2, 5), generator=generator)
    weight = torch.randint(-9, 9, (7, 30), generator=generator)
    packed_x = np.zeros((2, 2, 5, 4), np.int16)
    packed_weight = np.zeros((2, 5, 4, 8), np.int16)
    pack_map(x.numpy(), packed_x)
    pack_weight(weight.numpy(), packed_weight, 3)
    product = packed_x.reshape(2, -1).astype(int) @ packed_weight.reshape(-1, 8).astype(int)
    assert (product[:, :7] == (x.flatten(1) @ weight.T).numpy()).all()
