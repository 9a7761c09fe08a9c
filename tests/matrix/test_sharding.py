"""Parts of a matrix: all of them together are the matrix, and no comparison is torn apart."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from specbp.errors import NothingMeasuredError, UsageError
from specbp.matrix.expand import expand, in_starts, matrix_from
from specbp.matrix.sharding import shard

MATRIX = {
    "repeats": 3,
    "axes": {
        "batch_size": [8, 16],
        "arm": [{"schedule": "sequential"}, {"schedule": "pipelined"}],
    },
}
CELLS = in_starts(expand(matrix_from(MATRIX, "shared", "shared.toml"), "shared.toml"), 2)
COMPARISONS = 12


def named(cells):
    """Cells by what tells them apart, without their networks."""
    return [(cell.start, cell.experiment.hash) for cell in cells]


@given(parts=st.integers(1, COMPARISONS))
def test_all_parts_together_are_the_matrix_once(parts):
    shards = [shard(CELLS, f"{number}/{parts}", "m") for number in range(1, parts + 1)]
    assert sorted(named(cell for one in shards for cell in one)) == sorted(named(CELLS))
    sizes = [len(one) for one in shards]
    assert max(sizes) - min(sizes) <= 2  # the two arms of one comparison


@given(parts=st.integers(1, COMPARISONS), number=st.integers(1, COMPARISONS))
def test_the_arms_of_a_comparison_stay_together(parts, number):
    cells = shard(CELLS, f"{min(number, parts)}/{parts}", "m")
    arms = {}
    for cell in cells:
        arms.setdefault((cell.start, str(cell.experiment.workload)), set()).add(cell.experiment.arm)
    assert all(len(found) == 2 for found in arms.values())


@pytest.mark.parametrize("part", ["0/2", "3/2", "1/0", "1", "a/b", "1/2/3", "-1/2", "1/ 2", ""])
def test_a_part_that_there_is_not_is_refused(part):
    with pytest.raises(UsageError, match="which part of how many"):
        shard(CELLS, part, "m")


def test_a_part_without_a_comparison_measures_nothing():
    with pytest.raises(NothingMeasuredError, match="there are 12 comparisons: none is left"):
        shard(CELLS, "13/13", "m")
