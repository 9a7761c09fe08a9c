"""Random flips, crops and cut-outs, against plain loops; the same wherever a sample comes."""

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from specbp.datasets.augmentation import Augmentation

SHAPE = 3, 7, 6


def plainly(augmentation, image, place, levels):
    """One image augmented pixel by pixel."""
    channels, height, width = image.shape
    flipped, top, left, row, column = place.tolist()
    if flipped:
        image = image.flip(2)
    border = augmentation.crop
    wide = torch.zeros(channels, height + 2 * border, width + 2 * border, dtype=torch.uint8)
    wide[:, border : border + height, border : border + width] = image
    found = wide[:, top : top + height, left : left + width].clone()
    side = augmentation.cutout
    for y in range(row - side // 2, row - side // 2 + side):
        for x in range(column - side // 2, column - side // 2 + side):
            if 0 <= y < height and 0 <= x < width:
                found[:, y, x] = levels
    return found


@settings(max_examples=40, deadline=None)
@given(st.booleans(), st.integers(0, 4), st.integers(0, 8), st.integers(0, 99))
def test_images_are_those_of_a_plain_loop(flip, crop, cutout, seed):
    augmentation = Augmentation(flip, crop, cutout)
    generator = torch.Generator().manual_seed(seed)
    pixels = torch.randint(1, 256, (5, *SHAPE), generator=generator, dtype=torch.uint8)
    levels = torch.tensor([10, 20, 30], dtype=torch.uint8)
    places = augmentation.places(torch.arange(5), SHAPE, seed, epoch=1)
    found = augmentation.apply(pixels, places, levels)
    expected = [plainly(augmentation, *one, levels) for one in zip(pixels, places, strict=True)]
    assert torch.equal(found, torch.stack(expected))


def test_what_happens_to_a_sample_depends_on_seed_epoch_and_sample_alone():
    """Kind: augmentation that a resumed training, or another batch size, draws differently."""
    augmentation = Augmentation(flip=True, crop=2, cutout=3)
    samples = torch.tensor([7, 3, 900, 0])
    places = augmentation.places(samples, SHAPE, 5, 2)
    for number, sample in enumerate(samples):
        assert torch.equal(augmentation.places(sample[None], SHAPE, 5, 2)[0], places[number])
    for seed, epoch in ((6, 2), (5, 3)):
        assert not torch.equal(augmentation.places(samples, SHAPE, seed, epoch), places)


def test_draws_are_even():
    places = Augmentation(flip=True, crop=2, cutout=1).places(torch.arange(20000), SHAPE, 0, 0)
    for column, size in zip(places.unbind(1), (2, 5, 5, 7, 6), strict=True):
        shares = column.bincount(minlength=size) / len(column)
        assert len(shares) == size
        assert (shares * size - 1).abs().max() < 0.08
    assert torch.corrcoef(places.T.double()).fill_diagonal_(0).abs().max() < 0.03
