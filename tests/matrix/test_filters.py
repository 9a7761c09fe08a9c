"""Filters pick cells by what the matrix says."""

import pytest

from specbp.errors import NothingMeasuredError, UsageError
from specbp.matrix.expand import expand, matrix_from
from specbp.matrix.filters import picked

CELLS = expand(
    matrix_from(
        {
            "repeats": 3,
            "base": {"learning_rate": 0.01},
            "axes": {
                "arm": [
                    {"schedule": "sequential"},
                    {"schedule": "sequential", "threads": 2},
                    {"schedule": "pipelined"},
                    {"schedule": "speculative"},
                ],
                "batch_size": [1, 32],
            },
        },
        "m",
        "m.toml",
    ),
    "m.toml",
)


def count(*filters):
    return len(picked(CELLS, filters, "m.toml"))


@pytest.mark.parametrize(
    ("filters", "left"),
    [
        ([], 24),
        (["schedule=pipelined"], 6),
        (["arm=pipelined"], 6),
        (["arm=sequential, 1 thread"], 6),
        (["learning_rate=1e-2"], 24),
        (["seed=0", "seed=2"], 16),
        (["seed=0", "seed=2", "schedule=pipelined", "batch_size=32"], 2),
        (["key="], 12),
        (["key=label"], 6),
        (["balanced=true"], 12),
    ],
)
def test_a_filter_means_what_the_matrix_means(filters, left):
    assert count(*filters) == left


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("batch_size", "write FIELD=VALUE: here batch_size is 1, 32"),
        ("arm", 'here arm is "sequential, 1 thread", "sequential, 2 threads", "pipelined"'),
        ("batch_siz=1", 'did you mean "batch_size"'),
        ("Seed=1", 'did you mean "seed"'),
        ("=1", 'no field ""'),
        ("batch_size=many", "no value of batch_size"),
        ("schedule=pipelind", "no value of schedule"),
    ],
)
def test_a_wrong_filter_is_explained(text, message):
    """Kind: a filter without a value, of no field, or of a value no cell could have."""
    with pytest.raises(UsageError) as raised:
        count(text)
    assert message in str(raised.value)
    name = text.partition("=")[0]
    assert f'did you mean "{name}"' not in str(raised.value)


def test_a_filter_that_leaves_nothing_says_what_there_is():
    with pytest.raises(NothingMeasuredError, match="here seed is 0, 1, 2"):
        count("seed=9")
