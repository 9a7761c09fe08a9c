import pytest
from hypothesis import assume, given
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
    "nesterov": True,
    "weight_decay": 0.1,
    "seed": 4,
    "sampler": "blocks",
    "block_keys": 5,
    "held_out": 10,
    "arithmetic": "int16",
    "schedule": "sequential",
    "key": "batch",
    "buckets": 7,
    "reuse": "replay",
    "refresh": 2,
    "weight_prediction": True,
    "warmup_epochs": 1,
    "max_age": 3,
    "gate_metric": "tv",
    "gate_threshold": 0.125,
    "gate_target": 0.5,
    "balanced": False,
    "skip_loss": 0.5,
    "engines": 1,
    "threads": 2,
    "block_steps": 7,
}
ONLY_WITH_OTHERS = {"backend", "lanes"}
ONLY_WITH = {
    "buckets": {"key": "bucket"},
    "block_keys": {"sampler": "blocks"},
    "skip_loss": {"schedule": "selective"},
}
"""Knobs that mean nothing without another."""


def base_for(name):
    return {"schedule": "speculative"} | ONLY_WITH.get(name, {})


def test_every_field_is_either_work_or_method():
    assert set(METHOD_FIELDS) | set(WORK_FIELDS) == set(Experiment.model_fields)
    assert not set(METHOD_FIELDS) & set(WORK_FIELDS)
    assert OTHER_VALUES.keys() | ONLY_WITH_OTHERS == set(Experiment.model_fields)


@pytest.mark.parametrize("name", OTHER_VALUES)
def test_every_knob_changes_the_hash(name):
    base = base_for(name)
    assert experiment_from(base | {name: OTHER_VALUES[name]}).hash != experiment_from(base).hash


@given(st.lists(st.sampled_from(sorted(OTHER_VALUES)), unique=True))
def test_different_experiments_have_different_hashes_and_equal_ones_equal(names):
    assume(not {"arithmetic", "weight_prediction"} <= set(names))
    assume(not {"arithmetic", "nesterov"} <= set(names))
    changed = experiment_from(
        {"schedule": "speculative"} | {name: OTHER_VALUES[name] for name in names}
    )
    base = experiment_from({"schedule": "speculative"})
    assert (changed == base) == (changed.hash == base.hash)
    assert experiment_from(changed.model_dump()).hash == changed.hash


@pytest.mark.parametrize("name", [name for name in METHOD_FIELDS if name not in ONLY_WITH_OTHERS])
def test_every_method_has_a_name_of_its_own(name):
    base = base_for(name)
    assert experiment_from(base | {name: OTHER_VALUES[name]}).arm != experiment_from(base).arm


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
        (
            {"schedule": "x"},
            "choose one of sequential, speculative, data-parallel, selective, pipelined",
        ),
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


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"schedule": "data-parallel", "batch_size": 1}, "cannot split a batch of one"),
        ({"schedule": "data-parallel", "engines": 1}, "needs two engines"),
        ({"schedule": "selective", "engines": 2}, "selective schedule has one engine"),
        ({"schedule": "pipelined", "weight_prediction": True, "arithmetic": "int16"}, "float32"),
        ({"schedule": "pipelined", "weight_prediction": True, "momentum": 0}, "momentum"),
        ({"schedule": "pipelined", "warmup_epochs": 3, "epochs": 2}, "warmup_epochs = 3 of 2"),
    ],
)
def test_knobs_that_do_not_go_together_are_refused(fields, message):
    with pytest.raises(UsageError, match=message):
        experiment_from(fields)


def test_what_a_key_implies_can_be_said_otherwise():
    bucket = experiment_from({"schedule": "speculative", "key": "bucket"})
    assert (bucket.reuse, bucket.refresh, bucket.warmup_epochs) == ("replay", 1, 1)
    said = experiment_from({"schedule": "speculative", "key": "bucket", "warmup_epochs": 0})
    assert (said.refresh, said.warmup_epochs) == (1, 0)


def test_a_threshold_implies_a_gate_where_the_key_implies_none():
    assert (
        experiment_from(
            {"schedule": "speculative", "key": "batch", "gate_threshold": 0.1}
        ).gate_metric
        == "max"
    )


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ({}, "sequential, cuda:0"),
        ({"engines": 2}, "sequential, 2 streams, cuda:0"),
        ({"schedule": "pipelined"}, "pipelined, cuda:0"),
        ({"schedule": "data-parallel", "backend": "cuda:1"}, "data-parallel, cuda:1"),
    ],
)
def test_on_a_gpu_engines_are_streams(fields, name):
    experiment = experiment_from({"backend": "cuda", "lanes": 32} | fields)
    assert experiment.arm == name
    assert experiment.on_gpu
    assert experiment.lanes is None


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ({"threads": 2}, "sequential, 2 threads, native"),
        ({"schedule": "data-parallel"}, "data-parallel, native"),
        ({"schedule": "pipelined", "balanced": False}, "pipelined, not balanced, native"),
    ],
)
def test_native_steps_are_those_of_the_cpu(fields, name):
    experiment = experiment_from({"backend": "native", "lanes": 32} | fields)
    assert experiment.arm == name
    assert experiment.on_native and not experiment.on_overlay
    assert experiment.lanes is None


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"schedule": "selective"}, "schedules sequential, data-parallel, pipelined: others need"),
        ({"schedule": "speculative", "key": "label"}, "sequential, data-parallel, pipelined"),
        ({"schedule": "pipelined", "refresh": 1}, "sequential, data-parallel, pipelined"),
        ({"schedule": "pipelined", "max_age": 5}, "no max_age"),
        ({"schedule": "pipelined", "engines": 1}, "leave engines at 2"),
        ({"arithmetic": "int16"}, "int16 needs cpu"),
    ],
)
def test_what_native_steps_do_not_do_is_refused(fields, message):
    with pytest.raises(UsageError, match=message):
        experiment_from({"backend": "native"} | fields)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"threads": 2}, "leave threads out"),
        ({"schedule": "selective"}, "a GPU runs the schedules sequential, speculative, data-par"),
        ({"schedule": "speculative", "max_age": 5}, "max_age is for the CPU"),
        ({"backend": "cuda:x"}, 'unknown backend "cuda:x"'),
        ({"backend": "cudo"}, 'unknown backend "cudo".*cuda'),
    ],
)
def test_what_a_gpu_does_not_do_is_refused(fields, message):
    with pytest.raises(UsageError, match=message):
        experiment_from({"backend": "cuda"} | fields)
