"""Images made ready for several steps are those of each step."""

import pytest
import torch

from specbp.arithmetic import Numbers, UpdateRule
from specbp.backends import batches
from specbp.backends.batches import Batches
from specbp.backends.recipe import Recipe
from specbp.datasets.loading import load
from specbp.experiment import experiment_from

STEPS_PER_EPOCH = 5


@pytest.fixture(params=[1, 2, 3, 100])
def steps_at_once(request, monkeypatch):
    monkeypatch.setattr(batches, "READY_BYTES", request.param * 4 * 64 * 4 + 1)
    return request.param


@pytest.fixture
def recipe():
    fields = {"dataset": "digits", "train": 22, "test": 10, "model": "digits-cnn", "batch_size": 4}
    return Recipe(experiment_from(fields), load("digits", train=22, test=10))


def numbers(step):
    return Numbers(UpdateRule(learning_rate=0.1 / (step + 1), momentum=0.9, weight_decay=0.0), step)


@pytest.mark.parametrize("steps", [range(2 * STEPS_PER_EPOCH), [3, 4, 0, 7, 6]], ids=str)
def test_every_step_has_its_own_batch(recipe, steps_at_once, steps):
    arithmetic = recipe.arithmetic()
    ready = Batches(recipe, arithmetic, numbers)
    for step in steps:
        pixels, labels = recipe.batch(step)
        assert torch.equal(ready.labels(step), labels)
        assert ready.numbers(step) == numbers(step)
        images = ready.images(step)
        assert torch.equal(images, recipe.images(arithmetic, pixels))
        assert images.is_contiguous(memory_format=torch.channels_last)


def test_images_are_made_ready_once_for_several_steps(recipe, steps_at_once, monkeypatch):
    asked = []
    original = recipe.pixels
    monkeypatch.setattr(recipe, "pixels", lambda *of: asked.append(of) or original(*of))
    ready = Batches(recipe, recipe.arithmetic(), numbers)
    for step in range(STEPS_PER_EPOCH):
        ready.labels(step)
        ready.images(step)
    assert asked[0] == (0, min(steps_at_once, STEPS_PER_EPOCH))
    assert sum(steps for _, steps in asked) == STEPS_PER_EPOCH
