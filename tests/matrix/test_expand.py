import pytest
from hypothesis import given
from hypothesis import strategies as st

from specbp.errors import UsageError
from specbp.matrix.expand import expand, matrix_from, read_matrix


def cells(**matrix):
    return expand(matrix_from(matrix, "m", "m.toml"), "m.toml")


def described(cells_, *names):
    return [tuple(getattr(cell.experiment, name) for name in names) for cell in cells_]


def test_axes_are_multiplied_in_the_order_in_which_they_are_written():
    found = cells(axes={"batch_size": [4, 8], "epochs": [1, 2]})
    assert described(found, "batch_size", "epochs") == [(4, 1), (4, 2), (8, 1), (8, 2)]


def test_values_that_are_tables_set_several_fields_at_once():
    found = cells(
        base={"epochs": 3},
        axes={"arm": [{"schedule": "sequential"}, {"schedule": "pipelined", "epochs": 5}]},
    )
    assert described(found, "schedule", "epochs") == [("sequential", 3), ("speculative", 5)]


def test_exclude_leaves_out_and_include_adds():
    found = cells(
        axes={"batch_size": [4, 8], "epochs": [1, 2]},
        exclude=[{"batch_size": 4, "epochs": 2}],
        include=[{"batch_size": 64, "epochs": 9}],
    )
    assert described(found, "batch_size", "epochs") == [(4, 1), (8, 1), (8, 2), (64, 9)]


def test_repeats_are_seeds_from_the_base_seed_on():
    found = cells(base={"seed": 5}, repeats=3)
    assert described(found, "seed") == [(5,), (6,), (7,)]
    assert [cell.repeat for cell in found] == [0, 1, 2]


def test_a_cell_that_comes_up_twice_is_run_once():
    found = cells(axes={"schedule": ["sequential", "speculative"], "gate_threshold": [0.1, 0.2]})
    assert described(found, "gate_threshold") == [(None,), (0.1,), (0.2,)]


def test_a_cell_leaves_out_what_only_others_use():
    arms = [{"schedule": "sequential"}, {"schedule": "speculative", "reuse": "replay"}]
    found = cells(
        base={"key": "label", "gate_metric": "none"},
        axes={"arm": arms, "refresh": [0, 1]},
        include=[{"schedule": "sequential", "epochs": 1}],
    )
    assert described(found, "key", "refresh", "epochs") == [
        (None, None, 10), ("label", 0, 10), ("label", 1, 10), (None, None, 1),
    ]  # fmt: skip


SEQUENTIAL_WITH_KEY = {"schedule": "sequential", "key": "batch"}


@pytest.mark.parametrize(
    ("matrix", "place"),
    [
        ({"base": {"key": "label"}}, "[base]: no cell uses key = 'label': the sequential schedule"),
        (
            {"axes": {"schedule": ["sequential", "pipelined"], "gate_threshold": [0.1]}},
            "[axes] gate_threshold, value 1: no cell uses gate_threshold = 0.1",
        ),
        (
            {"axes": {"arm": [{"schedule": "pipelined"}, SEQUENTIAL_WITH_KEY]}},
            "[axes] arm, value 2: no cell uses key = 'batch'",
        ),
        (
            {"base": {"schedule": "speculative"}, "include": [SEQUENTIAL_WITH_KEY]},
            "[[include]] 1: no cell uses key = 'batch'",
        ),
        (
            {"base": {"lanes": 32}, "axes": {"seed": [0, 1]}},
            "[base]: no cell uses lanes",
        ),
    ],
)
def test_what_no_cell_uses_where_it_is_written_is_refused(matrix, place):
    """Kind: a field of a matrix that is ignored; a base and an axis are for all cells, or some."""
    with pytest.raises(UsageError) as error:
        cells(**matrix)
    assert place in str(error.value)


BASE = {"dataset": "digits"}
axis = st.dictionaries(
    st.sampled_from(["batch_size", "epochs", "seed", "threads", "block_steps"]),
    st.lists(st.integers(1, 30), min_size=1, max_size=4, unique=True),
    max_size=3,
)


@given(axis)
def test_the_number_of_cells_is_the_product_of_the_axes(axes):
    product = 1
    for values in axes.values():
        product *= len(values)
    found = cells(base=BASE, axes=axes)
    assert len({cell.hash for cell in found}) == len(found) == product


@given(axis, st.data())
def test_an_excluded_combination_is_gone_and_all_others_stay(axes, data):
    exclude = {name: data.draw(st.sampled_from(values)) for name, values in axes.items()}
    if not exclude:
        return
    everything = cells(base=BASE, axes=axes)
    found = cells(base=BASE, axes=axes, exclude=[exclude])
    assert len(found) == len(everything) - 1
    assert not any(
        all(getattr(cell.experiment, name) == value for name, value in exclude.items())
        for cell in found
    )


def test_arms_of_one_seed_share_a_workload_and_other_seeds_and_recipes_do_not():
    found = cells(axes={"schedule": ["sequential", "pipelined"], "batch_size": [4, 8]}, repeats=2)
    assert len(found) == 8
    assert len({cell.workload for cell in found}) == 4


@pytest.mark.parametrize(
    ("matrix", "message"),
    [
        ({"bse": {}}, 'm.toml: unknown key "bse" (did you mean "base"?)'),
        ({"base": {"epoch": 3}}, '[base]: unknown key "epoch" (did you mean "epochs"?)'),
        ({"axes": {"epoch": [3]}}, '[axes]: unknown key "epoch" (did you mean "epochs"?)'),
        ({"axes": {"epochs": 3}}, "[axes] epochs: it must be a list"),
        ({"axes": {"epochs": []}}, "at least one value"),
        ({"axes": {"arm": [{"schedul": "sequential"}]}}, 'did you mean "schedule"'),
        ({"exclude": [{"epochs": 99}]}, "matches no combination"),
        ({"exclude": {"epochs": 99}}, "double brackets"),
        ({"repeats": 0, "base": {"epochs": 1}}, "repeats = 0"),
        ({"repeats": True, "base": {"epochs": 1}}, "repeats = True"),
        ({"base": {"epochs": True}}, "epochs = true: it is not a switch"),
        ({}, "it describes no experiment"),
        ({"name": "m", "repeats": 3, "base": {}}, "it describes no experiment"),
        ({"axes": {"schedule": ["sequential", "pipelind"]}}, 'did you mean "pipelined"'),
        ({"include": [{"gate": 1}]}, '[[include]]: unknown key "gate"'),
    ],
)
def test_a_bad_matrix_is_one_line_that_names_the_place(matrix, message):
    with pytest.raises(UsageError) as error:
        cells(**matrix)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "name",
    ["", ".", "..", "../../x", "a/b", "/tmp/x", "a\\b", " a", "a ", "-a", ".a", "a\nb", "a\0b",
     "a:b", "[red]", "x" * 101, "\N{SNOWMAN}", 3, None, ["a"], True],
)  # fmt: skip
def test_a_name_that_would_not_be_a_folder_of_its_own_is_refused(name):
    """Kind: a name that is a path, an option, hidden, or none; results go to results/NAME."""
    with pytest.raises(UsageError, match="it names the results folder: write a letter"):
        cells(name=name, base={"epochs": 1})


@pytest.mark.parametrize("name", ["a", "cifar100", "größe 2", "a.b-c_d+e", "_", "x" * 100])
def test_a_name_is_a_plain_word(name):
    assert cells(name=name, base={"epochs": 1})[0].matrix == name


def test_a_matrix_file_that_is_missing_or_not_toml_is_named(tmp_path):
    with pytest.raises(UsageError, match="no such matrix file"):
        read_matrix(tmp_path / "missing.toml")
    (tmp_path / "bad.toml").write_text("[base\n")
    with pytest.raises(UsageError, match="not valid TOML"):
        read_matrix(tmp_path / "bad.toml")


def test_every_matrix_that_comes_with_the_project_expands(repository):
    paths = sorted((repository / "bench" / "matrices").glob("*.toml"))
    assert {"demo", "cifar100", "batch-size", "threshold"} <= {path.stem for path in paths}
    for path in paths:
        assert expand(read_matrix(path), path.name)
