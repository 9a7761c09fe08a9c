"""The order of turns is drawn, balanced, and the one in which arms are really trained."""

from collections import Counter
from itertools import pairwise

import pytest

from specbp.matrix.expand import expand, matrix_from
from specbp.matrix.run import run_cells
from specbp.matrix.store import Store
from specbp.matrix.turns import turn_order
from tests.matrix.scripted import MATRIX, ScriptedTraining, Silent


def cycle(arms):
    return arms if arms % 2 == 0 else 2 * arms


@pytest.mark.parametrize("arms", range(1, 9))
def test_every_arm_has_every_place_and_every_forerunner_equally_often(arms):
    orders = [turn_order(arms, "any", number) for number in range(3 * cycle(arms))]
    assert all(sorted(order) == list(range(arms)) for order in orders)
    for first in range(0, len(orders), cycle(arms)):
        once = orders[first : first + cycle(arms)]
        places = Counter((arm, place) for order in once for place, arm in enumerate(order))
        pairs = Counter(pair for order in once for pair in pairwise(order))
        assert set(places.values()) == {cycle(arms) // arms}
        assert len(places) == arms**2
        assert len(pairs) == arms * (arms - 1) and len(set(pairs.values())) <= 1


def test_the_draw_is_another_in_every_cycle_and_for_every_workload():
    """Kind: an order that is fixed, so that one arm always finds what another left."""
    cycles = {
        tuple(tuple(turn_order(4, draw, 4 * number + row)) for row in range(4))
        for draw in ("a", "b")
        for number in range(20)
    }
    assert len(cycles) > 30
    assert turn_order(4, "a", 7) == turn_order(4, "a", 7), "the same when it is resumed"


class Turns(Silent):
    def __init__(self):
        super().__init__()
        self.arms = []

    def advanced(self, cell, steps):
        self.arms.append(cell.experiment.arm)


def test_arms_are_trained_in_that_order(tmp_path):
    """Kind: an arm that is always last in its round, as a planted fault had the speculative one."""
    arms = [{"schedule": "sequential"}, {"schedule": "pipelined"}, {"schedule": "data-parallel"}]
    described = {**MATRIX, "axes": {"arm": arms}}
    described["base"] = {**MATRIX["base"], "epochs": 12}
    cells = expand(matrix_from(described, "turns", "turns.toml"), "turns.toml")
    turns, store = Turns(), Store.create(tmp_path)
    with store.locked():
        run_cells(cells, store, ScriptedTraining, turns, checkpoint_seconds=60)
    rounds = [tuple(turns.arms[first : first + 3]) for first in range(0, len(turns.arms), 3)]
    assert len(rounds) == 12
    places = Counter((arm, place) for order in rounds for place, arm in enumerate(order))
    assert set(places.values()) == {4}, "each arm four times at each of three places"
