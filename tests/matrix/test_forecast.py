"""How long cells will take is told by those that are done, and unknown where none is of a kind."""

import pandas as pd
import pytest

from specbp.experiment import experiment_from
from specbp.frames import empty
from specbp.matrix.expand import Cell
from specbp.matrix.forecast import forecast, in_words, together


def cell(**fields):
    return Cell("m", 0, experiment_from({"train": 100, "batch_size": 10, **fields}))


def done(of, step_s):
    steps = 10 * of.experiment.epochs
    return {
        **of.experiment.model_dump(), "status": "ok", "steps": steps, "train_s": step_s * steps
    }  # fmt: skip


def test_steps_of_the_same_kind_take_their_mean_time():
    runs = pd.DataFrame(
        [
            done(cell(epochs=1), 0.1),
            done(cell(epochs=1, seed=1), 0.3),
            done(cell(epochs=1, schedule="pipelined"), 0.5),
        ]
    )
    expected = forecast(
        [
            cell(epochs=4, seed=2, learning_rate=0.001),
            cell(epochs=2, schedule="pipelined", seed=3),
            cell(schedule="speculative"),
            cell(train=50),
        ],
        runs,
    )
    assert expected[:2] == pytest.approx([0.2 * 10 * 4, 0.5 * 10 * 2])
    assert expected[2:] == [None, None]
    assert (
        in_words(*together(expected))
        == "about 18 s of training steps, and 2 cells of which it is unknown"
    )


def test_nothing_done_says_unknown():
    assert forecast([cell()], empty("runs")) == [None]
    assert in_words(*together([None])).startswith("unknown")
