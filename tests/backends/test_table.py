"""Every backend is one record in one table, and says itself what it refuses."""

import subprocess
import sys

import pytest

from specbp.backends.record import Backend, named_function
from specbp.backends.table import BACKENDS, backend_named, find_backend
from specbp.errors import UsageError
from specbp.experiment import experiment_from

FIELDS = {
    "cpu": "cpu",
    "cuda": "cuda:1",
    "sim:model": "sim:model",
    "sim:rtl": "sim:rtl",
    "pynq://": "pynq://xilinx@10.0.0.2",
    "remote://": "remote://10.0.0.2:7967",
    "fleet:": "fleet:lab.toml#lab-1",
}
"""For the name of each backend, a field that means it."""


@pytest.mark.parametrize("backend", BACKENDS, ids=lambda one: one.name)
def test_a_field_means_one_backend(backend: Backend):
    field = FIELDS[backend.name]
    assert [one.name for one in BACKENDS if one.matches(field)] == [backend.name]
    assert find_backend(field) is backend


@pytest.mark.parametrize("backend", BACKENDS, ids=lambda one: one.name)
def test_what_a_record_names_is_there(backend: Backend):
    """Kind: code that a record names by a text, which nobody misses until it is opened."""
    for name in filter(None, (backend.opens, backend.meter, backend.executor)):
        assert callable(named_function(name))


@pytest.mark.parametrize("backend", BACKENDS, ids=lambda one: one.name)
def test_a_backend_refuses_schedules_and_arithmetics_that_it_does_not_have(
    backend: Backend, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "lab.toml").write_text(
        '[[board]]\nname = "lab-1"\naddress = "pynq://xilinx@10.0.0.2"\n'
    )
    field = FIELDS[backend.name]
    for schedule in ("sequential", "speculative", "deferred", "data-parallel", "selective"):
        fields = {"backend": field, "schedule": schedule}
        if schedule in backend.schedules:
            assert experiment_from(fields).backend == field
        else:
            with pytest.raises(UsageError, match=f"it cannot run {schedule}"):
                experiment_from(fields)
    for arithmetic in ("float32", "int16"):
        fields = {"backend": field, "arithmetic": arithmetic}
        if arithmetic in backend.arithmetics:
            assert experiment_from(fields).arithmetic == arithmetic
        else:
            with pytest.raises(UsageError, match=f"computes in int16, not in {arithmetic}"):
                experiment_from(fields)


@pytest.mark.parametrize("field", ["tpu", "cuda:x", "cuda:", "sim:rt", "CPU", ""])
def test_an_unknown_backend_is_refused_with_the_choices(field):
    with pytest.raises(UsageError, match=f"unknown backend.*{BACKENDS[-1].form}"):
        backend_named(field)
    with pytest.raises(UsageError, match="unknown backend"):
        experiment_from({"backend": field})


def test_an_experiment_costs_no_start_of_pytorch():
    """Kind: the table imports what one of its backends needs, and every command pays for it."""
    script = (
        "import sys, specbp.experiment\n"
        "sys.exit(bool({'torch', 'pynq', 'asyncssh', 'grpc', 'pandas'} & sys.modules.keys()))"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
