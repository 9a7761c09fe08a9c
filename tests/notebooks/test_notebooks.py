"""The notebooks: from top to bottom on the simulation, and delivered as PYNQ's users expect it."""

import json
import os
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path

import pytest

import specbp.notebooks
from specbp.bitstream.links import NAMES, write_links
from specbp.bitstream.making import make_simulated
from specbp.bitstream.targets import target_named
from specbp.errors import UsageError
from specbp.overlay.parameters import Parameters
from tests.conftest import REPOSITORY
from tests.test_packaging import PROJECT

pytest.importorskip("pynq", reason="needs the extra fpga")

FOLDER = Path(specbp.notebooks.__file__).parent
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
ENVIRONMENT = os.environ | {
    "PYTHONPATH": os.pathsep.join([str(REPOSITORY / "host"), os.environ.get("PYTHONPATH", "")])
}


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs_from_top_to_bottom(path):
    pytest.importorskip("nbmake")
    command = [sys.executable, "-m", "pytest", "--nbmake", "-q", "-p", "no:cacheprovider"]
    done = subprocess.run(
        [*command, "-c", os.devnull, "--nbmake-timeout=600", str(path)],
        env=ENVIRONMENT, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0 and "1 passed" in done.stdout, done.stdout[-4000:]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_kept_without_results(path):
    found = json.loads(path.read_text())
    assert len(found["cells"]) > 5
    for cell in found["cells"]:
        assert not cell.get("outputs") and cell.get("execution_count") is None


@pytest.fixture
def installed(tmp_path):
    """An environment in which this package is installed, as its metadata says."""
    groups = PROJECT["entry-points"]
    about = tmp_path / "site" / f"specbp-{PROJECT['version']}.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: specbp\nVersion: {PROJECT['version']}\n"
    )
    (about / "entry_points.txt").write_text(
        "".join(
            f"[{group}]\n" + "".join(f"{name} = {value}\n" for name, value in entries.items())
            for group, entries in groups.items()
        )
    )
    path = os.pathsep.join([str(about.parent), ENVIRONMENT["PYTHONPATH"]])
    return ENVIRONMENT | {"PYTHONPATH": path}


def get_notebooks(environment, *words):
    code = "from pynq._cli.get_notebooks import main; main()"
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code, *words],
        env=environment, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_pynq_get_notebooks_finds_and_delivers_them(installed, tmp_path):
    assert "specbp (source: specbp)" in get_notebooks(installed, "--list")
    get_notebooks(installed, "specbp", "--ignore-overlays", "--path", str(tmp_path / "mine"))
    delivered = {path.name: path.read_text() for path in (tmp_path / "mine").rglob("*.ipynb")}
    assert delivered == {path.name: path.read_text() for path in NOTEBOOKS} and len(delivered) >= 2


def test_what_is_installed_has_the_entry_point_of_the_project():
    """Where the wheel is installed, as in CI; an editable install may be older."""
    found = {one.name: one.value for one in entry_points(group="pynq.notebooks")}
    if "specbp" in found:
        assert found["specbp"] == PROJECT["entry-points"]["pynq.notebooks"]["specbp"]
    assert PROJECT["entry-points"]["pynq.notebooks"] == {"specbp": "specbp.notebooks"}


def test_links_bring_each_board_its_own_build(tmp_path):
    """pynq's own resolver, over files in place of a web server."""
    deliver = pytest.importorskip("pynqutils.setup_utils.deliver_notebooks")
    names = ("simulated-pynq-z2", "simulated-aup-zu3")
    builds = [
        make_simulated(tmp_path / "public" / name, Parameters(), target=target_named(name))
        for name in names
    ]
    links = tmp_path / "notebook"
    write_links(builds, (tmp_path / "public").as_uri(), links)
    (links / "some.ipynb").write_text("{}")
    for build, device in zip(builds, ("Pynq-Z2", "AUP-ZU3"), strict=True):
        mine = tmp_path / device
        deliver.deliver_notebooks(device, str(links), str(mine), "x")
        for kind, name in NAMES.items():
            assert (mine / name).read_bytes() == getattr(build, kind).read_bytes(), name
    deliver.deliver_notebooks("ZCU104", str(links), str(tmp_path / "none"), "x")
    assert not (tmp_path / "none").exists()


def test_two_links_for_one_board_are_refused(tmp_path):
    build = make_simulated(tmp_path / "build", Parameters())
    with pytest.raises(UsageError, match="two builds for the same board"):
        write_links([build, build], "https://example.org", tmp_path)
