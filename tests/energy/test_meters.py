"""Known watts give known joules, whatever the counter does: wraps, refuses, is not there."""

import os
import sys
import threading
import types
from itertools import count

import pandas as pd
import pytest

from specbp.energy import opening, rapl
from specbp.energy.meter import EnergyError, Meter, NoMeter, long_enough
from specbp.energy.nvml import open_nvml
from specbp.energy.rapl import open_rapl
from specbp.experiment import experiment_from
from specbp.onboard import energy as rails_of
from specbp.onboard.energy import RailMeter, open_rails

RANGE_UJ = 262_143_328_850


def zones(root, **names):
    """The kernel's files of RAPL: a zone for each name, all at 0."""
    for place, name in names.items():
        zone = root / place.replace("_", ":")
        zone.mkdir()
        for file, text in (("name", name), ("max_energy_range_uj", RANGE_UJ), ("energy_uj", 0)):
            (zone / file).write_text(f"{text}\n")
    return root


def set_rapl(root, **joules):
    for place, value in joules.items():
        (root / place.replace("_", ":") / "energy_uj").write_text(str(int(value * 1e6)))


NAMES = {"intel-rapl_0": "package-0", "intel-rapl_1": "package-1", "intel-rapl_0_0": "core",
         "intel-rapl_0_1": "dram", "intel-rapl_2": "psys"}  # fmt: skip


def test_rapl_counts_packages_and_their_memory(tmp_path):
    zones(tmp_path, **NAMES)
    meter = open_rapl(tmp_path)
    # 50 W and 20 W for 2 s, 5 W of memory; the cores are a part, the platform is all.
    set_rapl(tmp_path, **dict(zip(NAMES, (100, 40, 70, 10, 300), strict=True)))
    assert meter.read() == pytest.approx(150)
    assert meter.source == "RAPL (package-0, dram, package-1)"


def test_rapl_wraps_around(tmp_path):
    zones(tmp_path, **{"intel-rapl_0": "package-0"})
    near = RANGE_UJ / 1e6 - 30
    set_rapl(tmp_path, **{"intel-rapl_0": near})
    meter = open_rapl(tmp_path)
    for joules, expected in ((near + 20, 20), (15, 65 - 20), (115, 145)):
        set_rapl(tmp_path, **{"intel-rapl_0": joules})
        assert meter.read() == pytest.approx(expected, abs=1e-3)


@pytest.mark.skipif(os.geteuid() != 0 and not os.access("/root", os.R_OK), reason="as root")
def test_rapl_that_is_for_root(tmp_path, monkeypatch):
    zones(tmp_path, **{"intel-rapl_0": "package-0"})
    read = type(tmp_path).read_text

    def refuse(path, *arguments, **named):
        if path.name == "energy_uj":
            raise PermissionError(13, "Permission denied")
        return read(path, *arguments, **named)

    monkeypatch.setattr(type(tmp_path), "read_text", refuse)
    meter = open_rapl(tmp_path)
    assert meter.read() is None and "sudo chmod a+r" in meter.reason


def test_rapl_that_is_not_there_or_broken(tmp_path):
    assert "no RAPL counters" in open_rapl(tmp_path / "absent").reason
    zones(tmp_path, **{"intel-rapl_0": "package-0"})
    (tmp_path / "intel-rapl:0" / "max_energy_range_uj").write_text("lots")
    assert "RAPL cannot be read" in open_rapl(tmp_path).reason


class Nvml(types.ModuleType):
    """NVML's bindings, of a GPU that takes so many watts."""

    class NVMLError(Exception):
        pass

    def __init__(self, watts=300, fails=""):
        super().__init__("pynvml")
        self.watts, self.fails, self.seconds = watts, fails, 1000.0

    def nvmlInit(self):  # noqa: N802
        self._may_fail("init")

    def nvmlDeviceGetHandleByUUID(self, uuid):  # noqa: N802
        self._may_fail("handle")
        assert uuid == "GPU-1234"
        return uuid

    def nvmlDeviceGetTotalEnergyConsumption(self, handle):  # noqa: N802
        self._may_fail("energy")
        return int(self.watts * self.seconds * 1e3)

    def _may_fail(self, what):
        if what == self.fails:
            raise self.NVMLError(f"{what} is not supported")


@pytest.mark.parametrize("uuid", ["1234", "GPU-1234"])
def test_nvml_counts_from_where_it_is(monkeypatch, uuid):
    found = Nvml()
    monkeypatch.setitem(sys.modules, "pynvml", found)
    meter = open_nvml(uuid)
    found.seconds += 1.5
    assert meter.read() == pytest.approx(450)
    # A driver that was loaded anew counts from 0: what was between is not known.
    found.seconds = 1
    assert meter.read() is None and "set back" in meter.reason
    found.seconds = 5000
    assert meter.read() is None


@pytest.mark.parametrize(
    ("fails", "words"),
    [("init", "does not know the GPU"), ("handle", "does not know"), ("energy", "cannot be read")],
)
def test_nvml_that_refuses(monkeypatch, fails, words):
    monkeypatch.setitem(sys.modules, "pynvml", Nvml(fails=fails))
    meter = open_nvml("1234")
    assert meter.read() is None and words in meter.reason


def test_without_nvmls_bindings(monkeypatch):
    monkeypatch.setitem(sys.modules, "pynvml", None)
    assert "pip install nvidia-ml-py" in open_nvml("1234").reason


class Sensor:
    def __init__(self, watts):
        self.watts = watts

    @property
    def value(self):
        if self.watts is None:
            raise OSError("no such device")
        return self.watts


def rails(**watts):
    """pynq's rails: those without a power sensor have only a voltage."""
    return {name: types.SimpleNamespace(power=None if value == "volts" else Sensor(value))
            for name, value in watts.items()}  # fmt: skip


@pytest.fixture
def clock(monkeypatch):
    """Time that passes when told to; nothing is sampled in between."""
    now = types.SimpleNamespace(seconds=100.0)
    fake = types.SimpleNamespace(monotonic=lambda: now.seconds, sleep=lambda _: None)
    monkeypatch.setattr(rails_of, "time", fake)
    still = types.SimpleNamespace(
        Lock=threading.Lock, Thread=lambda **_: types.SimpleNamespace(start=int)
    )
    monkeypatch.setattr(rails_of, "threading", still)
    return now


def test_rails_are_integrated(clock):
    found = rails(INT=4.0, AUX=1.0, MGT="volts")
    meter = RailMeter(found, None)
    clock.seconds += 2
    assert meter.joules() == pytest.approx(10)
    # From 5 W to 11 W in a second: 8 J.
    found["INT"].power.watts = 10.0
    clock.seconds += 1
    assert meter.joules() == pytest.approx(18)
    assert meter.source == "power rails (AUX, INT)"


def test_the_rail_that_feeds_all_others_is_not_counted_twice(clock):
    from specbp.boards.board import board_named

    found = {**rails(INT=4.0, AUX=1.0), "12V": types.SimpleNamespace(power=Sensor(7.0))}
    for board, expected in ((board_named("zcu104"), 7), (board_named("kv260"), 12), (None, 12)):
        meter = RailMeter(found, board)
        clock.seconds += 1
        assert meter.joules() == pytest.approx(expected)


def test_rails_that_refuse_or_are_not_there(clock, monkeypatch):
    assert "no power sensors" in RailMeter({}, None).reason
    assert "no power sensors" in RailMeter(rails(INT="volts"), None).reason
    found = rails(INT=4.0)
    meter = RailMeter(found, None)
    found["INT"].power.watts = None
    assert meter.joules() is None and "no such device" in meter.reason
    found["INT"].power.watts = 4.0
    assert meter.joules() is None
    assert open_rails(None, simulated=True).reason == "the board is simulated"
    import pynq

    def broken():
        raise RuntimeError("libsensors is missing")

    monkeypatch.setattr(pynq, "get_rails", broken, raising=False)
    assert "libsensors is missing" in open_rails(None, simulated=False).reason


def test_what_is_short_is_not_measured():
    meter = Meter("some counter", {lambda: 0.0: 0.0}, 0.1)
    assert not long_enough(meter, 1.0) and not long_enough(NoMeter("x"), 0.0)
    assert "blocks of 50.0 ms are too short for some counter" in long_enough(meter, 0.05)


def test_a_counter_that_fails_later_says_why():
    def read():
        raise EnergyError("gone")

    meter = Meter("x", {read: 0.0}, 0.1)
    assert meter.read() is None and meter.reason == "gone"


@pytest.mark.parametrize(
    ("backend", "words"),
    [("sim:rtl", "is simulated"), ("sim:model", "is simulated"),
     ("remote://127.0.0.1:1", "PYNQ.remote"), ("pynq://nobody", "not in use"),
     ("cpu", "no RAPL counters")],
)  # fmt: skip
def test_each_backend_has_its_meter_or_a_reason(backend, words, monkeypatch, tmp_path):
    monkeypatch.setattr(opening, "open_rapl", lambda: open_rapl(tmp_path))
    assert words in opening.open_meter(backend).reason


@pytest.mark.parametrize("joules", [4, None])
def test_joules_of_a_training_stand_beside_its_time(tmp_path, monkeypatch, joules):
    """By a processor that takes so much between any two looks at its counter, or by none."""
    from specbp.matrix import arm
    from specbp.matrix.expand import Cell
    from specbp.matrix.run import backend_opener, dataset_reader, run_cells
    from specbp.matrix.store import Store
    from tests.matrix.conftest import Memory

    root = zones(tmp_path, **{"intel-rapl_0": "package-0"}) if joules else tmp_path
    monkeypatch.setattr(rapl, "_reader", lambda path: count(0, joules or 1).__next__)
    monkeypatch.setattr(arm, "open_meter", lambda _: open_rapl(root))
    fields = {"dataset": "digits", "train": 320, "test": 20, "epochs": 1, "block_steps": 10}
    cell = Cell("x", 0, experiment_from(fields, "here"))
    store = Store.create(tmp_path / "results")
    monkeypatch.setattr("specbp.energy.meter.BLOCKS_OVER_RESOLUTION", 0)
    run_cells([cell], store, backend_opener(dataset_reader(None)), Memory())
    frames = store.load()
    (run,) = frames.runs.to_dict("records")
    if joules:
        # Looked at before and after each block of ten steps.
        assert run["steps"] == 10 and run["joules_per_step"] == pytest.approx(joules / 10)
        assert run["energy_source"] == "RAPL (package-0)" and pd.isna(run["energy_reason"])
        assert frames.steps["joules"].notna().all()
    else:
        assert frames.steps["joules"].isna().all() and "no RAPL" in run["energy_reason"]
        assert pd.isna(run["joules_per_step"])
