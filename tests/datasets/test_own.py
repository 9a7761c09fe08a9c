"""Data sets that users bring as Python objects: found by name, checked, hashed."""

from uuid import uuid4

import pytest
import torch

from specbp.datasets.catalog import describe, forget_own
from specbp.datasets.loading import load
from specbp.errors import UsageError
from specbp.experiment import Experiment
from specbp.matrix.expand import Cell

MADE = """
import numpy as np
import torch
from torch.utils.data import TensorDataset

g = torch.Generator().manual_seed(0)
images = torch.randint(0, 256, (12, 3, 6, 5), generator=g, dtype=torch.uint8)
labels = torch.arange(12) % 3

class Items:
    classes = ["cat", "dog", "emu"]
    def __init__(self, images=images, labels=labels): self.images, self.labels = images, labels
    def __len__(self): return len(self.images)
    def __getitem__(self, number): return self.images[number], int(self.labels[number])

class Random(Items):
    def __getitem__(self, number): return torch.rand(3, 6, 5), 0

class Arrays(Items):
    def __getitem__(self, number):
        return self.images[number].permute(1, 2, 0).numpy(), np.int64(self.labels[number])

tensors = (images, labels), (images[:6], labels[:6])
one_part = images, labels
fractions = (images / 255, labels), (images[:6] / 255, labels[:6])
def items(): return Items(), Items(images[:6], labels[:6])
def arrays(): return Arrays(), Arrays(images[:6], labels[:6])
def torch_datasets(): return {
    "train": TensorDataset(images, labels), "test": TensorDataset(images[:6], labels[:6])}
def another_pixel():
    changed = images.clone()
    changed[11, 2, 5, 4] ^= 1
    return (changed, labels), (images[:6], labels[:6])
negative = (images, labels - 1), (images, labels)
gap = (images, labels * 2), (images, labels)
test_only = (images, labels), (images, labels + 1)
too_many = Items(images, labels + 1)
mixed = [(images[0], 0), (images[1][:, :5], 1)]
mixed_parts = (images, labels), (images[:, :, :5], labels)
normalised = images / 128 - 1, labels
real_labels = images, labels / 2
short = images, labels[:3]
random = Random()
number = 7
def broken(): raise RuntimeError("no disk")
"""


@pytest.fixture
def made(tmp_path, monkeypatch):
    """The name of a module with data sets, in the current folder."""
    monkeypatch.chdir(tmp_path)
    name = f"own_{uuid4().hex}"
    (tmp_path / f"{name}.py").write_text(MADE)
    return name


@pytest.mark.parametrize("attribute", ["items", "arrays", "torch_datasets", "fractions"])
def test_datasets_arrays_and_tensors_give_the_same_samples(made, attribute):
    found, tensors = load(f"{made}:{attribute}"), load(f"{made}:tensors")
    assert found.info.image_shape == (3, 6, 5)
    assert found.info.classes == 3
    assert found.sha256 == tensors.sha256
    assert found.train_images.dtype == torch.uint8


@pytest.mark.parametrize(
    ("attribute", "reason"),
    [
        ("negative", "label -1 in train is out of range: labels go from 0 to the number of"),
        ("gap", "class 1 of 5 has no sample to train on"),
        ("test_only", "class 3 of 4 has no sample to train on"),
        ("too_many", "label 3 in train is out of range: .*, here 2"),
        ("mixed", r"images of mixed sizes: train\[0\] is \[3, 6, 5\], train\[1\] is \[3, 5, 5\]"),
        ("mixed_parts", "images of mixed sizes: train 3 x 6 x 5 and test 3 x 5 x 5"),
        ("normalised", "train images: float32 from -1 to 0.99.*: give uint8, or fractions"),
        ("real_labels", "train labels: float32: labels are whole numbers from 0"),
        ("short", r"images \[12, 3, 6, 5\] and labels \[3\]"),
        ("random", r"train\[0\] is another image each time it is read"),
        ("number", "train is a int: give a pair"),
        ("broken", "making it: RuntimeError: no disk"),
        ("absent", "has no attribute 'absent'"),
    ],
)
def test_what_cannot_be_trained_on_is_refused_in_a_line(made, attribute, reason):
    with pytest.raises(UsageError, match=reason) as refusal:
        describe(f"{made}:{attribute}")
    assert "\n" not in str(refusal.value)
    assert f'data set "{made}:{attribute}"' in str(refusal.value)


def test_one_part_needs_held_out_samples_to_test_on(made):
    with pytest.raises(UsageError, match="none to test on: give both, or say with held_out = N"):
        load(f"{made}:one_part")
    data = load(f"{made}:one_part", held_out=3)
    assert len(data.train_labels) == 9
    assert sorted(data.test_labels.tolist()) == [0, 1, 2]


def test_a_changed_pixel_is_another_experiment(made):
    """Kind: results of other data taken for those of this data, because its name is the same."""
    model = "tests.datasets.test_own:network"
    one, same, other = (
        Cell("own", 0, Experiment(dataset=f"{made}:{name}", model=model))
        for name in ("tensors", "tensors", "another_pixel")
    )
    assert one.hash == same.hash
    first = one.hash, one.workload
    text = MADE.replace("tensors = (images, labels), (", "tensors = (images ^ 1, labels), (")
    forget_own()
    own_module = __import__(made)
    exec(text, own_module.__dict__)
    changed = Cell("own", 0, one.experiment)
    assert changed.hash != first[0]
    assert changed.workload != first[1]
    assert other.hash != first[0]


def test_keys_of_bundled_data_are_as_before():
    """Kind: a new field that makes every result there is another experiment."""
    assert Cell("", 0, Experiment()).hash == "a64795a1b8aa33bb"


def network(channels, classes):
    return torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(channels * 30, classes))
