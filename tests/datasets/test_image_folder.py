"""Data sets that users bring as folders of image files."""

import numpy as np
import pytest
import torch
from PIL import Image

from specbp.datasets.catalog import forget_own
from specbp.datasets.loading import load
from specbp.datasets.own import own_data
from specbp.errors import UsageError

SIZE = 6, 5


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("SPECBP_CACHE", str(tmp_path / "cache"))
    forget_own()


@pytest.fixture
def folder(tmp_path):
    """Two classes, two parts, grey images."""
    root = tmp_path / "images"
    for part, count in (("train", 3), ("test", 2)):
        for label, name in enumerate(("ant", "bee")):
            (root / part / name).mkdir(parents=True)
            for number in range(count):
                write(root / part / name / f"{number}.png", 40 * number + label)
    return root


def write(path, level, size=SIZE, mode="L"):
    value = level if mode != "RGB" else (level, 0, 255)
    Image.new(mode, (size[1], size[0]), value).save(path)


def test_classes_are_numbered_by_name_and_files_come_in_order(folder):
    data = load(f"imagefolder:{folder}")
    assert data.info.image_shape == (1, 6, 5)
    assert data.info.classes == 2
    assert data.train_labels.tolist() == [0, 0, 0, 1, 1, 1]
    assert data.train_images[:, 0, 0, 0].tolist() == [0, 40, 80, 1, 41, 81]
    assert len(data.test_labels) == 4


def test_one_colour_image_makes_all_of_them_colour(folder):
    write(folder / "test" / "bee" / "0.png", 9, mode="RGB")
    data = load(f"imagefolder:{folder}")
    assert data.info.image_shape == (3, 6, 5)
    assert data.test_images[2, :, 0, 0].tolist() == [9, 0, 255]
    assert data.train_images[1, :, 0, 0].tolist() == [40, 40, 40]


def test_a_changed_pixel_changes_the_hash_and_what_was_decoded_is_kept(folder, monkeypatch):
    name = f"imagefolder:{folder}"
    before = own_data(name)
    forget_own()
    with monkeypatch.context() as patch:
        patch.setattr("specbp.datasets.image_folder._decode", None)
        assert own_data(name).sha256 == before.sha256
    path = folder / "train" / "ant" / "2.png"
    pixels = np.array(Image.open(path))
    pixels[5, 4] += 1
    Image.fromarray(pixels).save(path)
    forget_own()
    assert own_data(name).sha256 != before.sha256
    assert not torch.equal(own_data(name).train.images, before.train.images)


def test_a_folder_without_parts_needs_held_out_samples(folder):
    name = f"imagefolder:{folder / 'train'}"
    with pytest.raises(UsageError, match="none to test on"):
        load(name)
    assert len(load(name, held_out=2).train_labels) == 4


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda root: (root / "train/ant/1.png").write_bytes(b"no"), r"ant/1\.png: it cannot be r"),
        (lambda root: (root / "train/bee/note.txt").write_text("hi"), r"bee/note\.txt: it cannot"),
        (lambda root: write(root / "test/ant/1.png", 3, (4, 4)), r"mixed sizes: .*ant/1\.png is"),
        (lambda root: write(root / "train/bee/2.png", 3, (7, 5)), r"bee/2\.png is 5 x 7: give all"),
        (lambda root: [path.unlink() for path in (root / "test/bee").iterdir()], "bee: a class w"),
        (lambda root: (root / "train/cat").mkdir(), "cat: a class without samples"),
        (lambda root: (root / "test/cat").mkdir(), 'class "cat" is in one part of the data set'),
        (lambda root: write(root / "train/bee/2.png", 3, mode="I;16"), r"2\.png: .*more than 8 bi"),
    ],
)
def test_a_file_that_cannot_be_used_is_named(folder, spoil, reason):
    spoil(folder)
    with pytest.raises(UsageError, match=reason) as refusal:
        load(f"imagefolder:{folder}")
    assert "\n" not in str(refusal.value)


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(UsageError, match=r"there is no folder .*nowhere"):
        load(f"imagefolder:{tmp_path / 'nowhere'}")
