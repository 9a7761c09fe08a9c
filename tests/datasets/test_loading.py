from __future__ import annotations

from dataclasses import FrozenInstanceError, replace
from pathlib import Path

import pytest
import torch

from specbp.datasets.catalog import CATALOG, describe
from specbp.datasets.loading import READERS, Dataset, load
from specbp.datasets.normalisation import channel_statistics
from specbp.errors import UsageError

FETCHED = [name for name in CATALOG if name != "digits"]


@pytest.fixture(scope="module")
def digits() -> Dataset:
    return load("digits")


def test_the_catalog_and_the_readers_have_the_same_names() -> None:
    assert list(READERS) == list(CATALOG)


@pytest.mark.parametrize("name", ["digits", "random:3x4x5/6"])
def test_the_tensors_are_as_the_catalog_says(name: str) -> None:
    data = load(name)
    assert data.info == describe(name)
    for images, labels in (
        (data.train_images, data.train_labels),
        (data.test_images, data.test_labels),
    ):
        assert images.shape == (len(labels), *data.info.image_shape)
        assert images.dtype == torch.uint8
        assert labels.dtype == torch.int64
        assert torch.unique(labels).tolist() == list(range(data.info.classes))
    channels = data.info.image_shape[0]
    assert data.mean.shape == data.standard_deviation.shape == (channels, 1, 1)


def test_the_digits_are_the_same_for_good(digits: Dataset) -> None:
    assert digits.sha256 == "609d6e2e25e7411b052642ce118c7a8c7ddbba85c1892d173f07e716bd9fb530"


def test_a_subset_keeps_shares_and_order(digits: Dataset) -> None:
    part = load("digits", train=500, test=100, subset_seed=4)
    assert (len(part.train_labels), len(part.test_labels)) == (500, 100)
    share = torch.bincount(digits.train_labels) * 500 / 1437
    assert ((torch.bincount(part.train_labels) - share).abs() < 1).all()
    rows = digits.train_images.flatten(1).tolist()
    places = [rows.index(row) for row in part.train_images.flatten(1).tolist()]
    assert places == sorted(places)
    assert digits.train_labels[places].tolist() == part.train_labels.tolist()


def test_the_halves_are_cut_separately(digits: Dataset) -> None:
    part = load("digits", test=7)
    assert torch.equal(part.train_images, digits.train_images)
    assert len(part.test_labels) == 7
    assert torch.equal(part.mean, digits.mean)


def test_statistics_are_of_the_images_trained_on(digits: Dataset) -> None:
    part = load("digits", train=20)
    mean, deviation = channel_statistics(part.train_images)
    assert torch.equal(part.mean, mean)
    assert torch.equal(part.standard_deviation, deviation)
    assert not torch.equal(part.mean, digits.mean)


def test_the_subset_seed_decides_the_samples() -> None:
    one, same, other = (load("digits", train=100, subset_seed=seed) for seed in (0, 0, 1))
    assert one.sha256 == same.sha256
    assert one.sha256 != other.sha256


def test_the_digits_split_does_not_depend_on_the_seed(digits: Dataset) -> None:
    assert load("digits", subset_seed=9).sha256 == digits.sha256


def test_a_random_set_is_made_to_size_and_seed() -> None:
    assert len(load("random:1x2x2/3").train_labels) == 1024
    data = load("random:1x2x2/3", train=5, test=4)
    assert (len(data.train_labels), len(data.test_labels)) == (5, 4)
    again, other = (load("random:1x2x2/3", train=5, test=4, subset_seed=s) for s in (0, 1))
    assert data.sha256 == again.sha256 != other.sha256


@pytest.mark.parametrize("name", ["digits", "random:3x4x5/6"])
def test_normalised_is_pixels_less_mean_over_deviation(name: str) -> None:
    data = load(name)
    result = data.normalised(data.train_images)
    expected = (data.train_images.double() / 255 - data.mean) / data.standard_deviation
    assert result.dtype == torch.float32
    torch.testing.assert_close(result.double(), expected, rtol=0, atol=1e-6)
    assert result.mean().abs() < 1e-5
    assert (result.std() - 1).abs() < 1e-3


def test_normalised_leaves_a_constant_channel_finite() -> None:
    data = load("random:2x3x3/2", train=4)
    images = data.train_images.clone()
    images[:, 0] = 7
    mean, deviation = channel_statistics(images)
    result = replace(data, mean=mean, standard_deviation=deviation).normalised(images)
    assert result[:, 0].abs().max() < 1e-6
    assert result.isfinite().all()


def test_normalised_leaves_its_argument_alone(digits: Dataset) -> None:
    images = digits.train_images[:3].float()
    before = images.clone()
    digits.normalised(images)
    assert torch.equal(images, before)


@pytest.mark.parametrize("field", ["train_images", "train_labels", "test_images", "test_labels"])
def test_the_digest_covers_every_sample(digits: Dataset, field: str) -> None:
    changed = getattr(digits, field).clone()
    changed.view(-1)[-1] ^= 1
    assert replace(digits, **{field: changed}).sha256 != digits.sha256


def test_the_digest_covers_order_and_shape(digits: Dataset) -> None:
    flipped = replace(digits, train_labels=digits.train_labels.flip(0))
    reshaped = replace(digits, train_images=digits.train_images.reshape(-1, 1, 4, 16))
    assert len({digits.sha256, flipped.sha256, reshaped.sha256}) == 3


def test_the_digest_does_not_depend_on_memory_layout(digits: Dataset) -> None:
    column = digits.train_images.transpose(2, 3).contiguous().transpose(2, 3)
    assert not column.is_contiguous()
    assert replace(digits, train_images=column).sha256 == digits.sha256


def test_a_data_set_cannot_be_changed(digits: Dataset) -> None:
    with pytest.raises(FrozenInstanceError):
        digits.mean = torch.zeros(1, 1, 1)  # type: ignore[misc]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"train": 1438}, "digits: train = 1438: there are only 1437 samples"),
        ({"test": 361}, "digits: test = 361: there are only 360 samples"),
        ({"train": 0}, "digits: train = 0: must be at least 1"),
        ({"test": -1}, "digits: test = -1: must be at least 1"),
        ({"subset_seed": -1}, "digits: subset_seed = -1: must be at least 0"),
    ],
)
def test_sizes_out_of_range_are_usage_errors(options: dict[str, int], message: str) -> None:
    with pytest.raises(UsageError) as caught:
        load("digits", **options)  # type: ignore[arg-type]
    assert str(caught.value) == message


def test_an_unknown_set_is_a_usage_error() -> None:
    with pytest.raises(UsageError, match='unknown data set "digit"'):
        load("digit")


@pytest.mark.parametrize("name", FETCHED)
def test_a_missing_set_says_where_it_was_looked_for(name: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=rf"^{name}: no .* in {tmp_path}/[^\n]*--data-root[^\n]*$"):
        load(name, data_root=tmp_path)


def test_the_variable_says_where_to_look(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPECBP_DATA", str(tmp_path))
    with pytest.raises(UsageError, match=f" in {tmp_path}/MNIST/raw: "):
        load("mnist")


@pytest.mark.parametrize("name", FETCHED)
def test_a_set_of_the_wrong_content_is_refused(name: str, tmp_path: Path) -> None:
    """The official checksums are what load() holds files against."""
    source = READERS[name].keywords["source"]  # type: ignore[attr-defined]
    folder = tmp_path / source.folder
    folder.mkdir(parents=True)
    for file in source.checksums:
        (folder / file).write_bytes(b"not it")
    with pytest.raises(UsageError, match=r"^[^\n]*expected md5 \w{32}, found \w{32}[^\n]*$"):
        load(name, data_root=tmp_path)
