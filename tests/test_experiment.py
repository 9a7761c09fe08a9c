import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from specbp.cores import available_cores
from specbp.defaults import without_effect
from specbp.errors import UsageError
from specbp.experiment import (
    METHOD_FIELDS,
    WORK_FIELDS,
    Experiment,
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
    "initial_weights": "weights.safetensors",
    "scheduler": "StepLR(step_size=epoch)",
    "label_smoothing": 0.1,
    "random_flip": True,
    "random_crop": 2,
    "cutout": 3,
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
APART = (
    {"arithmetic", "weight_prediction"},
    {"arithmetic", "nesterov"},
    {"arithmetic", "label_smoothing"},
    {"scheduler", "learning_rate_decay"},
    {"scheduler", "learning_rate_warmup"},
)
"""Values that are refused together."""
ONLY_WITH = {
    "buckets": {"key": "bucket"},
    "block_keys": {"sampler": "blocks"},
    "skip_loss": {"schedule": "selective"},
    "subset_seed": {"train": 100},
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
    assume(not any(pair <= set(names) for pair in APART))
    fields = {"schedule": "speculative"} | {name: OTHER_VALUES[name] for name in names}
    ignored = without_effect(fields)
    changed = experiment_from(
        {name: value for name, value in fields.items() if name not in ignored}
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
    described = plain.model_dump()
    assert described["key"] is described["gate_threshold"] is None
    assert experiment_from(described) == plain


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"key": "label"}, "key = 'label' has no effect: the sequential schedule does not specul"),
        ({"balanced": "yes"}, "the sequential schedule does not speculate"),
        ({"schedule": "data-parallel", "gate_threshold": 0.1}, "data-parallel schedule does not"),
        ({"skip_loss": 0.5}, "the sequential schedule skips no sample"),
        ({"schedule": "pipelined", "skip_loss": 0.5}, "skips no sample"),
        ({"block_keys": 5}, "only sampler blocks"),
        ({"lanes": 32}, "backend cpu is no overlay"),
        ({"backend": "cuda", "lanes": 32}, "backend cuda is no overlay"),
        ({"backend": "sim:rtl", "threads": 2}, "engines of the overlay are cores"),
        ({"schedule": "speculative", "buckets": 4}, "key label has no buckets"),
        ({"schedule": "pipelined", "max_age": 4}, "always one step old"),
        ({"schedule": "pipelined", "gate_threshold": 0.5}, "there is no gate"),
        ({"schedule": "speculative", "gate_metric": "none", "gate_target": 0.5}, "is no gate"),
        ({"schedule": "speculative", "engines": 1, "balanced": True}, "one engine has none to"),
        ({"subset_seed": 3}, "no subset is drawn"),
        ({"held_out": 100, "test": 50}, "take the place of the test set"),
    ],
)
def test_a_field_without_effect_is_refused_with_the_reason(fields, reason):
    """Kind: an option that is ignored; what was measured is not what was asked for."""
    with pytest.raises(UsageError) as error:
        experiment_from(fields, "specbp run")
    assert reason in str(error.value)
    assert "\n" not in str(error.value)


@given(st.sampled_from(sorted(OTHER_VALUES)), st.data())
def test_no_field_is_ignored(name, data):
    """Whatever the others are, a field that is accepted with another value changes the hash."""
    others = data.draw(st.lists(st.sampled_from(sorted(OTHER_VALUES)), unique=True))
    schedule = data.draw(st.sampled_from(["sequential", "speculative", "pipelined", "selective"]))
    base = {one: OTHER_VALUES[one] for one in others if one != name} | {"schedule": schedule}
    try:
        without = experiment_from(base)
        with_it = experiment_from(base | {name: OTHER_VALUES[name]})
    except UsageError:
        return
    implied = getattr(without, name) == OTHER_VALUES[name]
    assert implied or with_it.hash != without.hash


@pytest.mark.parametrize("name", Experiment.model_fields)
@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf"), True])
def test_no_number_is_infinite_or_a_switch_and_none_is_not_a_number(name, value):
    """Kind: a value that compares as a number and is none; nan passes every comparison."""
    if value is True and name in ("nesterov", "weight_prediction", "balanced", "random_flip"):
        return
    with pytest.raises(UsageError, match=name):
        experiment_from(base_for(name) | {name: value})


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
            "choose one of sequential, speculative, deferred, data-parallel, selective, pipelined",
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
        ({"schedule": "speculative", "key": "bucket", "epochs": 1}, "none is left to speculate"),
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
    ("fields", "metric"),
    [
        ({"key": "label", "reuse": "replay"}, "max"),
        ({"key": "other-label"}, "max"),
        ({"key": "bucket"}, "none"),
        ({"key": "bucket", "reuse": "outcomes"}, "max"),
        ({"key": "batch", "reuse": "outcomes"}, "max"),
        ({"key": "batch", "reuse": "outcomes", "gate_metric": "none"}, "none"),
    ],
)
def test_masks_of_other_samples_have_a_gate_unless_told_otherwise(fields, metric):
    assert experiment_from({"schedule": "speculative"} | fields).gate_metric == metric


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
    experiment = experiment_from({"backend": "cuda"} | fields)
    assert experiment.arm == name
    assert experiment.backend_record.engine == "stream"
    assert experiment.lanes is None


def test_the_backend_that_has_become_the_cpu_says_so():
    with pytest.raises(UsageError, match='backend "native" has become "cpu"'):
        experiment_from({"backend": "native"})


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"threads": 2}, "leave threads out"),
        ({"schedule": "selective"}, "cuda:0 runs the schedules sequential, speculative, data-par"),
        ({"schedule": "speculative", "max_age": 5}, "max_age is for the CPU"),
        ({"backend": "cuda:x"}, 'unknown backend "cuda:x"'),
        ({"backend": "cudo"}, 'unknown backend "cudo".*cuda'),
    ],
)
def test_what_a_gpu_does_not_do_is_refused(fields, message):
    with pytest.raises(UsageError, match=message):
        experiment_from({"backend": "cuda"} | fields)
