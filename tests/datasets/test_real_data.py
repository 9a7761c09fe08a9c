"""The real data sets, where they are on this machine, against what is published about them."""

from __future__ import annotations

import gzip
import shutil
from pathlib import Path

import pytest
import torch

from specbp.datasets.loading import Dataset, load
from specbp.errors import UsageError

# Sizes, first training labels, and the channel statistics in common use.
FACTS: dict[str, tuple[int, list[int], list[float], list[float]]] = {
    "mnist": (60000, [5, 0, 4, 1, 9], [0.1307], [0.3081]),
    "fashion-mnist": (60000, [9, 0, 0, 3, 0], [0.2860], [0.3530]),
    "cifar10": (50000, [6, 9, 9, 4, 1], [0.4914, 0.4822, 0.4465], [0.2470, 0.2435, 0.2616]),
    "cifar100": (50000, [19, 29, 0, 11, 1], [0.5071, 0.4865, 0.4409], [0.2673, 0.2564, 0.2762]),
    "cifar100-coarse": (
        50000,
        [11, 15, 4, 14, 1],
        [0.5071, 0.4865, 0.4409],
        [0.2673, 0.2564, 0.2762],
    ),
}


def load_or_skip(name: str, root: Path, **sizes: int) -> Dataset:
    try:
        return load(name, data_root=root, **sizes)
    except UsageError as error:
        if ": no " in str(error):
            pytest.skip(str(error))
        raise


@pytest.mark.parametrize("name", FACTS)
def test_a_real_set_is_what_is_published(name: str, real_root: Path) -> None:
    data = load_or_skip(name, real_root)
    size, first_labels, mean, deviation = FACTS[name]
    assert data.train_images.shape == (size, *data.info.image_shape)
    assert data.test_images.shape == (10000, *data.info.image_shape)
    assert data.train_labels[:5].tolist() == first_labels
    assert data.mean.flatten().tolist() == pytest.approx(mean, abs=1e-4)
    assert data.standard_deviation.flatten().tolist() == pytest.approx(deviation, abs=1e-4)
    if name != "mnist":  # the only one whose labels are not equally common
        per_label = torch.bincount(data.train_labels)
        assert per_label.tolist() == [size // data.info.classes] * data.info.classes
        assert (
            torch.bincount(data.test_labels).tolist()
            == [10000 // data.info.classes] * data.info.classes
        )


def test_every_fine_label_lies_in_one_coarse_label(real_root: Path) -> None:
    fine = load_or_skip("cifar100", real_root).train_labels
    coarse = load_or_skip("cifar100-coarse", real_root).train_labels
    pairs = set(zip(fine.tolist(), coarse.tolist(), strict=True))
    assert len(pairs) == 100


def test_unpacked_files_are_the_same_set(real_root: Path, tmp_path: Path) -> None:
    packed = load_or_skip("fashion-mnist", real_root)
    folder = tmp_path / "FashionMNIST/raw"
    folder.mkdir(parents=True)
    for path in (real_root / "FashionMNIST/raw").glob("*.gz"):
        (folder / path.stem).write_bytes(gzip.decompress(path.read_bytes()))
    assert load("fashion-mnist", data_root=tmp_path).sha256 == packed.sha256


def test_a_truncated_real_file_is_refused(real_root: Path, tmp_path: Path) -> None:
    load_or_skip("fashion-mnist", real_root, train=1, test=1)
    shutil.copytree(real_root / "FashionMNIST/raw", tmp_path / "FashionMNIST/raw")
    path = tmp_path / "FashionMNIST/raw/t10k-labels-idx1-ubyte.gz"
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(UsageError) as caught:
        load("fashion-mnist", data_root=tmp_path)
    assert str(caught.value).startswith(
        f"{path}: corrupt or cut short: expected md5 bb300cfdad3c16e7a12a480ee83cd310, found "
    )
