import pytest
from hypothesis import given
from hypothesis import strategies as st

from specbp.errors import UsageError
from specbp.experiment import (
    METHOD_FIELDS,
    WORK_FIELDS,
    Experiment,
    available_cores,
    experiment_from,
    gate_range,
)

OTHER_VALUES = {
    "dataset": "cifar10",
    "train": 100,
    "test": 50,
    "subset_seed": 1,
    "model": "lenet5",
    "batch_size": 8,
    "epochs": 3,
    "learning_rate": 0.5,
    "learning_rate_decay": "cosine",
    "learning_rate_warmup": 0.1,
    "momentum": 0.5,
    "weight_decay": 0.1,
    "seed": 4,
    "arithmetic": "int16",
    "schedule": "sequential",
    "key": "batch",
    "reuse": "replay",
    "gate_metric": "tv",
    "gate_threshold": 0.125,
    "engines": 1,
    "threads": 2,
    "block_steps": 7,
}
ONLY_WITH_OTHERS = {"backend", "lanes"}


def test_every_field_is_either_work_or_method():
    assert set(METHOD_FIELDS) | set(WORK_FIELDS) == set(Experiment.model_fields)
    assert not set(METHOD_FIELDS) & set(WORK_FIELDS)
    assert OTHER_VALUES.keys() | ONLY_WITH_OTHERS == set(Experiment.model_fields)


@pytest.mark.parametrize("name", OTHER_VALUES)
def test_every_knob_changes_the_hash(name):
    base = experiment_from({"schedule": "speculative"})
    assert experiment_from({"schedule": "speculative", name: OTHER_VALUES[name]}).hash != base.hash


@given(st.lists(st.sampled_from(sorted(OTHER_VALUES)), unique=True))
def test_different_experiments_have_different_hashes_and_equal_ones_equal(names):
    changed = experiment_from(
        {"schedule": "speculative"} | {name: OTHER_VALUES[name] for name in names}
    )
    base = experiment_from({"schedule": "speculative"})
    assert (changed == base) == (changed.hash == base.hash)
    assert experiment_from(changed.model_dump()).hash == changed.hash


@pytest.mark.parametrize("name", [name for name in METHOD_FIELDS if name not in ONLY_WITH_OTHERS])
def test_every_method_has_a_name_of_its_own(name):
    base = experiment_from({"schedule": "speculative"})
    other = experiment_from({"schedule": "speculative", name: OTHER_VALUES[name]})
    assert other.arm != base.arm


def test_knobs_a_schedule_does_not_have_are_none():
    plain = experiment_from({"schedule": "sequential"})
    with_knobs = experiment_from({"schedule": "sequential", "key": "batch", "gate_threshold": 0.1})
    assert with_knobs == plain
    assert with_knobs.key is None


def test_pipelined_is_the_batch_key_without_a_gate():
    short = experiment_from({"schedule": "pipelined"})
    long = experiment_from(
        {"schedule": "speculative", "key": "batch", "reuse": "replay", "gate_metric": "none"}
    )
    assert short == long
    assert short.arm == "pipelined"
    with pytest.raises(UsageError, match='means key = "batch"'):
        experiment_from({"schedule": "pipelined", "key": "label"})


def test_speculation_takes_two_engines_unless_told_otherwise():
    assert experiment_from({"schedule": "speculative"}).engines == 2
    assert experiment_from({"schedule": "speculative", "engines": 1}).engines == 1
    with pytest.raises(UsageError, match="sequential schedule has one engine"):
        experiment_from({"schedule": "sequential", "engines": 2})


def test_all_threads_are_as_many_as_there_are_cores():
    assert experiment_from({"threads": "all"}).threads == available_cores()


@pytest.mark.parametrize(
    ("metric", "classes", "largest"), [("max", 10, 1), ("tv", 100, 1), ("mean", 10, 0.2)]
)
def test_the_range_of_a_gate(metric, classes, largest):
    assert gate_range(metric, classes) == pytest.approx(largest)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"learnin_rate": 1}, 'unknown key "learnin_rate" (did you mean "learning_rate"?)'),
        ({"schedule": "specultive"}, 'did you mean "speculative"'),
        ({"schedule": "x"}, "choose one of sequential, speculative, pipelined"),
        ({"schedule": "speculative", "key": "lable"}, 'did you mean "label"'),
        ({"dataset": "cifar-10"}, 'did you mean "cifar10"'),
        ({"dataset": "random:3x3"}, "random:CHANNELSxHEIGHTxWIDTH/CLASSES"),
        ({"epochs": "many"}, "epochs = 'many'"),
        ({"batch_size": 0}, "batch_size = 0"),
        (
            {"schedule": "speculative", "gate_metric": "mean", "gate_threshold": 0.25},
            'outside the range of gate_metric = "mean": 0 to 0.2 with 10 classes',
        ),
        ({"schedule": "speculative", "gate_threshold": 1.5}, "outside the range"),
        ({"schedule": "speculative", "gate_threshold": -0.1}, "greater than or equal to 0"),
    ],
)
def test_a_bad_field_is_one_line_that_names_it(fields, message):
    with pytest.raises(UsageError) as error:
        experiment_from(fields, "demo.toml")
    assert str(error.value).startswith("demo.toml: ")
    assert message in str(error.value)
    assert "\n" not in str(error.value)
