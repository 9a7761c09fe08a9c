"""What rows say of where they came from."""

import shutil

import pytest

from specbp.overlay import sources
from specbp.provenance import _provenance, difference, origin, package_sources, provenance
from specbp.runtime.native.library import FOLDER


def test_headers_count_as_sources_too():
    """Kind: a file that changes what is computed, but not what rows say it was computed by."""
    compiled = {path for path in FOLDER.iterdir() if path.suffix in (".cpp", ".h")}
    assert len(compiled) > 1 and compiled <= set(package_sources())


def test_what_only_shows_results_is_no_source_of_them():
    assert not any("report" in path.parts for path in package_sources())


def test_other_hardware_is_another_source_and_only_while_it_is_used(tmp_path):
    """Kind: a value that is kept although what it was made of was exchanged."""
    before = provenance()["source_sha256"]
    other = shutil.copytree(sources.HARDWARE, tmp_path / "hardware")
    with (other / "rtl" / "watchdog.sv").open("a") as file:
        file.write("// changed\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sources, "HARDWARE", other)
        assert provenance()["source_sha256"] != before
    assert provenance()["source_sha256"] == before


@pytest.mark.parametrize(("value", "recorded"), [(None, None), (" PASSIVE", "passive")])
def test_how_waiting_threads_behave_is_recorded_and_told_apart(monkeypatch, value, recorded):
    """Kind: times that depend on a setting nobody sees, or a mix of two after a resume."""
    before = origin()
    monkeypatch.delenv("OMP_WAIT_POLICY", raising=False)
    if value is not None:
        monkeypatch.setenv("OMP_WAIT_POLICY", value)
    _provenance.cache_clear()
    try:
        assert origin()["omp_wait_policy"] == recorded
        other = {**before, "omp_wait_policy": "active"}
        assert "OMP_WAIT_POLICY active (now " in difference(other)
    finally:
        monkeypatch.undo()
        _provenance.cache_clear()
