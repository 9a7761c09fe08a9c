"""What steps on a GPU read without the host, tried on the CPU."""

import pytest
import torch

from specbp.arithmetic.float32 import Float32
from specbp.backends.cuda.feed import Feed, Tally
from specbp.backends.recipe import Recipe
from specbp.experiment import experiment_from
from specbp.schedules.step import BatchGradients, sequential_times


@pytest.fixture
def recipe(digits):
    fields = {"epochs": 2, "batch_size": 100, "learning_rate_decay": "cosine"}
    return Recipe(experiment_from({"dataset": "digits", **fields}), digits)


def test_steps_are_fed_the_batches_and_rates_of_the_recipe(recipe, digits):
    arithmetic = Float32()
    feed = Feed(recipe, digits, arithmetic, age=2.0, most=20)
    samples = []
    for step in range(2 * recipe.steps_per_epoch):
        if step % recipe.steps_per_epoch == 0:
            feed.go_to(step)
        images, labels, rates = feed.take()
        pixels, expected = recipe.batch(step)
        assert torch.equal(labels, expected)
        assert torch.equal(images, recipe.images(arithmetic, pixels))
        assert float(rates[0]) == pytest.approx(-recipe.rule(step).learning_rate)
        ahead = min(step + 1, 2 * recipe.steps_per_epoch)
        assert float(rates[1]) == pytest.approx(-2 * recipe.rule(ahead).learning_rate)
        assert feed.minus_distance(step + 1) == rates[1]
        feed.advance()
        assert torch.equal(recipe.labels(step), labels)
        samples.append(recipe.samples(step))
        if len(samples) == 9:
            assert torch.equal(feed.taken(), torch.stack(samples))
            samples = []
    assert torch.equal(feed.taken(), torch.stack(samples))


def test_what_was_taken_stays_while_the_next_batch_is_made_ready(recipe, digits):
    feed = Feed(recipe, digits, Float32(), age=1.0, most=2)
    feed.go_to(3)
    _, labels, _ = feed.take()
    feed.advance()
    assert torch.equal(labels, recipe.batch(3)[1])
    feed.go_to(3)
    assert torch.equal(feed.take()[1], labels)


def test_a_tally_counts_each_step_and_begins_again():
    labels = torch.tensor([[0, 1], [1, 1]])

    def step(losses, accepted):
        probabilities = torch.tensor([[0.9, 0.1], [0.2, 0.8]])
        return BatchGradients(
            [], probabilities, torch.tensor(losses), [], sequential_times, accepted
        )

    tally = Tally(4)
    for _ in range(2):
        tally.put(step([1.0, 2.0], torch.tensor([True, False])))
        tally.put(step([3.0, 5.0], torch.tensor([True, True])), all_accepted=True)
        assert tally.take(labels) == [(1.5, 2, 1), (4.0, 1, 2)]
