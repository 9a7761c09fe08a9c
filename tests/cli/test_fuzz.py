"""Matrices and command lines nobody would write: one line, a documented exit code, no work before
all is checked.
"""

import json
import shutil

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from specbp.experiment import Experiment
from tests.cli.inside import specbp

SMALL = {"train": 20, "test": 10, "batch_size": 10, "epochs": 1}
JUNK = [
    -1,
    0,
    2**63,
    2**70,
    1e300,
    -0.5,
    float("nan"),
    float("inf"),
    True,
    "",
    "x",
    "[red]",
    [],
    {},
]
SENSIBLE = {
    "dataset": [
        "digits",
        "mnist",
        "random:1x8x8/10",
        "random:3x200000x200000/10",
        "random:0x1x1/1",
    ],
    "model": ["digits-cnn", "lenet5", "nowhere:net", "digits-cnn:", ":"],
    "batch_size": [1, 10, 20, 21],
    "learning_rate": [1e-3, 0.02, 1e14],
    "seed": [0, 1, 2**43 - 1],
    "schedule": ["sequential", "speculative", "data-parallel", "selective", "pipelined"],
    "key": ["label", "other-label", "bucket", "batch"],
    "reuse": ["outcomes", "replay", "masks", "activations"],
    "gate_metric": ["max", "tv", "mean", "none"],
    "gate_threshold": [0, 0.25, 1, 2],
    "arithmetic": ["float32", "int16"],
    "backend": ["cpu", "sim:model", "cuda:99", "sim:", "pynq://", "remote://host:port"],
    "refresh": [0, 1, 99],
    "engines": [1, 2, 3],
    "lanes": [12, 16],
    "sampler": ["random", "blocks"],
    "block_steps": [1, 7],
    "held_out": [5, 20],
    "threads": [1, 10**6],
}
"""Values that an experiment may have, or that look like one; all of them train at once."""


def value_of(name):
    sensible = SENSIBLE.get(name)
    junk = st.sampled_from(JUNK)
    return (
        st.one_of(st.sampled_from(sensible), st.sampled_from(sensible), junk) if sensible else junk
    )


names = st.sampled_from([*SENSIBLE, *SENSIBLE, *Experiment.model_fields])
fields = st.lists(names, max_size=3, unique=True).flatmap(
    lambda chosen: st.fixed_dictionaries({name: value_of(name) for name in chosen})
)
axes = st.lists(names, max_size=2, unique=True).flatmap(
    lambda chosen: st.fixed_dictionaries(
        {name: st.lists(value_of(name), min_size=1, max_size=2) for name in chosen}
    )
)
matrices = st.fixed_dictionaries(
    {"base": fields.map(lambda some: SMALL | some)},
    optional={
        "axes": axes,
        "include": st.lists(fields, max_size=1),
        "exclude": st.lists(fields, max_size=1),
        "repeats": st.sampled_from([1, 1, 2, 0, True, "x"]),
        "name": st.sampled_from(["m", "../x", "", "a:b", "x" * 300]),
        "bass": st.just(1),
    },
)


def toml(value):
    """A plain value as TOML that stands on one line."""
    if isinstance(value, dict):
        return (
            "{" + ", ".join(f"{json.dumps(key)} = {toml(one)}" for key, one in value.items()) + "}"
        )
    if isinstance(value, list):
        return "[" + ", ".join(map(toml, value)) + "]"
    if isinstance(value, float | bool):
        return str(value).lower()
    return json.dumps(value)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SPECBP_DATA", "nowhere")
    monkeypatch.setenv("SPECBP_CACHE", str(tmp_path / "cache"))
    return tmp_path


FUZZ = settings(suppress_health_check=list(HealthCheck), print_blob=True)


def bench(folder, matrix):
    """Run a matrix anew: it is refused before any work, or its cells are there in the end."""
    shutil.rmtree(folder / "out", ignore_errors=True)
    lines = [f"{json.dumps(key)} = {toml(value)}" for key, value in matrix.items()]
    (folder / "m.toml").write_text("\n".join(lines), "utf-8")
    code, _, text = specbp("bench", "m.toml", "--results", "out")
    trained = [*(folder / "out").glob("cells/*"), *(folder / "out").glob("unfinished/*/*")]
    assert not trained if code == 2 else trained or code == 4, text


@pytest.mark.parametrize("name", Experiment.model_fields)
def test_any_value_of_any_field_is_refused_or_trained(folder, name):
    """Kind: one value that is checked too late, or by nobody."""
    for value in JUNK:
        bench(folder, {"base": SMALL | {name: value}})


@settings(FUZZ, max_examples=60)
@given(matrix=matrices)
def test_any_matrix_is_refused_whole_or_trained_whole(folder, matrix):
    """Kind: a matrix that fails in a way nobody foresaw, hangs, or is refused after work on it."""
    bench(folder, matrix)


values = st.one_of(
    st.sampled_from([str(one) for some in SENSIBLE.values() for one in some]),
    st.sampled_from([str(one) for one in JUNK]),
    st.text(max_size=8),
)
options = st.sampled_from(
    [
        *(f"--{name.replace('_', '-')}" for name in Experiment.model_fields if name != "epochs"),
        *("--arm", "--baseline", "--max-ratio", "--accuracy-margin", "--title", "--output"),
        *("--filter", "--json", "--retry-failed", "--first", "--rejects", "--stalls", "--bogus"),
    ]
)
words = st.lists(
    st.one_of(st.tuples(options, values).map(list), options.map(lambda one: [one])), max_size=3
).map(lambda parts: [word for part in parts for word in part])
verbs = st.sampled_from(
    [
        ["bench", "m.toml", "--dry-run"],
        ["bench", "--dry-run"],
        ["run", "--train", "20", "--test", "10", "--epochs", "1", "--batch-size", "10"],
        ["timeline", "--train", "20", "--epochs", "1", "--batch-size", "10"],
        ["compare", "done"],
        ["report", "done"],
        ["overlay", "info", "--train", "20", "--batch-size", "10"],
        ["overlay", "nothing"],
        [],
    ]
)


@settings(FUZZ, max_examples=80)
@given(verb=verbs, rest=words)
def test_any_command_line_ends_with_a_documented_exit_code(folder, verb, rest):
    """Kind: words that fail in a way nobody foresaw, or hang."""
    (folder / "m.toml").write_text("[base]\ntrain = 20\n")
    specbp(*verb, *rest)


@settings(FUZZ, max_examples=40)
@given(content=st.one_of(st.binary(max_size=60), st.text(max_size=60).map(str.encode)))
def test_any_file_as_a_matrix_is_one_line(folder, content):
    """Kind: a file that is no matrix."""
    (folder / "m.toml").write_bytes(content)
    code, _, _ = specbp("bench", "m.toml", "--dry-run")
    assert code in (0, 2, 4)
