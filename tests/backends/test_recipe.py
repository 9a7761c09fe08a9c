"""What the steps of an experiment are made of."""

import pytest

from specbp.backends.recipe import Recipe
from specbp.experiment import experiment_from

FIELDS = {"dataset": "digits", "epochs": 2, "batch_size": 4, "learning_rate_decay": "cosine"}


def recipe_of(digits, **method):
    return Recipe(experiment_from(FIELDS | method), digits)


@pytest.mark.parametrize(("key", "age"), [("batch", 1), ("label", 10 / 4)])
def test_predicted_weights_are_as_far_ahead_as_outcomes_are_old(digits, key, age):
    method = {"schedule": "speculative", "key": key, "warmup_epochs": 0}
    recipe = recipe_of(digits, **method, weight_prediction=True)
    rule = recipe.rule(7)
    assert rule.ahead == pytest.approx(age * rule.learning_rate)
    assert rule.next_ahead == recipe.rule(8).ahead < rule.ahead


@pytest.mark.parametrize("method", [{"schedule": "sequential"}, {"schedule": "pipelined"}])
def test_weights_are_where_they_stand_without_prediction(digits, method):
    rule = recipe_of(digits, **method).rule(7)
    assert rule.ahead == rule.next_ahead == 0
    assert rule.length == rule.learning_rate


def test_weights_are_ahead_from_the_end_of_the_warm_up_on(digits):
    method = {"schedule": "pipelined", "weight_prediction": True, "warmup_epochs": 1}
    recipe = recipe_of(digits, **method)
    last = recipe.steps_per_epoch - 1
    assert recipe.rule(last).ahead == 0
    assert recipe.rule(last).next_ahead == recipe.rule(last + 1).ahead > 0
