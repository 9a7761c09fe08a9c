"""What comparisons are called: as a person would, by the fewest words that tell them apart."""

from __future__ import annotations

from typing import Any

import pytest

from specbp.experiment import Experiment
from specbp.report.titles import dataset_words, sort_key, titles


def work(**experiment: Any) -> dict[str, Any]:
    return {**Experiment(**experiment).workload, "network_sha256": "d" * 64}


def test_one_comparison_is_called_by_what_was_trained() -> None:
    found = titles([work(dataset="cifar100", model="cifar-cnn")])
    assert found == ["cifar-cnn on CIFAR-100"]


def test_a_field_that_goes_with_another_is_left_out() -> None:
    """Kind: titles that repeat the matrix. Sizes and rates that go with the batch say nothing."""
    works = [
        work(model=model, batch_size=size, train=100 * size, learning_rate=0.001 * size)
        for model in ("lenet5", "cifar-cnn")
        for size in (1, 8)
    ]
    assert titles(works) == [
        "lenet5, batch 1",
        "lenet5, batch 8",
        "cifar-cnn, batch 1",
        "cifar-cnn, batch 8",
    ]


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        (({"momentum": 0.0}, {"momentum": 0.9}), ["No momentum", "Momentum 0.9"]),
        (({"train": 5000}, {"train": None}), ["5,000 training samples", "All training samples"]),
        (({"epochs": 1}, {"epochs": 10}), ["1 epoch", "10 epochs"]),
        (
            ({"learning_rate": 0.1}, {"learning_rate": 0.2}),
            ["Learning rate 0.1", "Learning rate 0.2"],
        ),
        (({"nesterov": False}, {"nesterov": True}), ["Classical momentum", "Nesterov momentum"]),
        (({"weight_decay": 0.0}, {"weight_decay": 0.5}), ["Weight decay 0", "Weight decay 0.5"]),
        (({"held_out": None}, {"held_out": 50}), ["Held out none", "Held out 50"]),
    ],
)  # fmt: skip
def test_titles_are_words(fields: Any, expected: list[str]) -> None:
    assert titles([work(**some) for some in fields]) == expected


def test_networks_of_one_name_are_told_apart() -> None:
    """Kind: two comparisons with one title. Who edits a model has another network."""
    works = [work(), {**work(), "network_sha256": "e" * 64}]
    assert titles(works) == ["Network dddddddddddd", "Network eeeeeeeeeeee"]


def test_comparisons_are_read_by_size_whatever_else_differs() -> None:
    """Kind: numbers sorted as words, or by a column that goes along with them."""
    works = [
        work(batch_size=size, train=train)
        for size, train in ((128, None), (32, 1300), (8, 1400), (1, None))
    ]
    assert [one["batch_size"] for one in sorted(works, key=sort_key)] == [1, 8, 32, 128]
    sizes = [work(train=train) for train in (None, 1200, 900)]
    assert [one["train"] for one in sorted(sizes, key=sort_key)] == [900, 1200, None]


def test_data_sets_are_written_as_their_authors_do() -> None:
    assert dataset_words("fashion-mnist") == "Fashion-MNIST"
    assert dataset_words("random:3x32x32/100") == "random 3x32x32 images"
    assert dataset_words("mine:pictures") == "mine:pictures"
