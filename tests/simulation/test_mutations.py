"""Faults planted in the RTL: lockstep finds every one, in the tensor where it first shows; and
whatever breaks the rules of AXI fails the run, though its numbers are right.

All are in one build, each behind a number that a new model reads from the environment, so that the
compiler runs once and the cache keeps it. Number 0 is the overlay without a fault.
"""

import shutil

import pytest
import torch
from torch import nn

pytest.importorskip("pynq", reason="needs the extra fpga")

import pynq

from specbp.experiment import experiment_from
from specbp.lockstep.compare import Difference, Progress, compare
from specbp.lockstep.sides import OverlaySide, PytorchSide
from specbp.matrix.expand import Cell
from specbp.matrix.run import backend_opener, dataset_reader, run_cells
from specbp.matrix.store import Store
from specbp.overlay import sources
from specbp.overlay.instructions import Copy, End
from specbp.overlay.parameters import Parameters
from specbp.simulation import build
from specbp.simulation.executor import SimulatedExecutor
from specbp.simulation.simulated import SimulatedDevice
from specbp.simulation.verilated import AxiViolationError
from tests.matrix.conftest import Memory
from tests.overlay.networks import SmallRecipe

FAULTS = {
    "halves are not rounded up": (
        "requantise_lane", "{32'd0, fine_q[0]}", "{32'd0, fine_q[0] && !PLANTED}",
        "0:Conv2d", "output",
    ),
    "ReLU lets negative numbers pass": (
        "requantise_lane", "else if (relu_i && (below", "else if (relu_i && !PLANTED && (below",
        "0:Conv2d", "output",
    ),
    "a sum begins with the last one": (
        "mac_array", "(first_q[2] ? 48'sd0", "(first_q[2] && !PLANTED ? 48'sd0",
        "0:Conv2d", "output",
    ),
    "the bias is shifted too far": (
        "requantiser", "<<< left_i;", "<<< (left_i + 6'(PLANTED));",
        "0:Conv2d", "output",
    ),
    "padding keeps what was there": (
        "load_unit", "write_valid_o <= step;", "write_valid_o <= step && !(fill && PLANTED);",
        "0:Conv2d", "output",
    ),
    "a word of every buffer is stale": (
        "buffer_ram", "if (write_valid_i) words",
        "if (write_valid_i && !(PLANTED && write_address_i == 5)) words",
        "0:Conv2d", "output",
    ),
    "loads come from a burst further on": (
        "load_unit", ".cmd_address_i  (run_address_q)",
        ".cmd_address_i  (run_address_q + (PLANTED ? 32'd128 : 32'd0))",
        "0:Conv2d", "output",
    ),
    "stores go to a burst further on": (
        "store_unit", "assign write_address_o = run_address;",
        "assign write_address_o = run_address + (PLANTED ? 32'd128 : 32'd0);",
        "0:Conv2d", "output",
    ),
    "of equal maxima the last counts": (
        "element_unit", "value > result_q", "(PLANTED ? value >= result_q : value > result_q)",
        "0:Conv2d", "delta",
    ),
    "the mask of ReLU lets zeros pass": (
        "element_unit", "!a[15] && a != '0 ? b", "!a[15] && (a != '0 || PLANTED) ? b",
        "3:Conv2d", "delta",
    ),
}  # fmt: skip
"""File, what is there, what is planted, and the layer and tensor where it must be found."""
VIOLATIONS = {
    "reads are of another kind of burst": (
        "axi_read_engine", "assign m_axi_arburst = 2'b01;",
        "assign m_axi_arburst = PLANTED ? 2'b00 : 2'b01;",
    ),
    "writes are of another kind of burst": (
        "axi_write_engine", "assign m_axi_awburst = 2'b01;",
        "assign m_axi_awburst = PLANTED ? 2'b10 : 2'b01;",
    ),
}  # fmt: skip
"""File, what is there, what is planted: broken rules of AXI, with the right numbers."""
PLANTED = {**FAULTS, **VIOLATIONS}
CLASSES = 5


def number_of(name):
    """Return the number that plants `name`."""
    return 1 + list(PLANTED).index(name)


def network():
    """A network in which every fault shows; the same every time."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = nn.Sequential(
            nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(8, 12, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(192, CLASSES),
        )  # fmt: skip
    with torch.no_grad():
        # A channel of equal numbers above 0: every window of the pooling has several maxima.
        model[0].weight[0] = 0
        model[0].bias[0] = 0.5
    return model


@pytest.fixture(scope="module")
def planted(tmp_path_factory):
    """A copy of the hardware with all faults in it, used instead of the hardware."""
    hardware = tmp_path_factory.mktemp("planted") / "specbp"
    shutil.copytree(sources.HARDWARE, hardware, ignore=shutil.ignore_patterns("tests"))
    for number, (file, right, wrong, *_) in enumerate(PLANTED.values(), 1):
        path = hardware / "rtl" / f"{file}.sv"
        text = path.read_text()
        assert text.count(right) == 1, (file, right)
        chosen = wrong.replace("PLANTED", f"(planted_pkg::number == {number})")
        path.write_text(text.replace(right, chosen))
    (hardware / "rtl" / "planted_pkg.sv").write_text(
        "package planted_pkg;\n"
        '  import "DPI-C" function int specbp_planted();\n'
        "  int number = specbp_planted();\n"
        "endpackage\n"
    )
    with (hardware / "sim" / "harness.cpp").open("a") as harness:
        harness.write(
            "#include <cstdlib>\n"
            'extern "C" int specbp_planted() {\n'
            '  const char* number = std::getenv("SPECBP_PLANTED");\n'
            "  return number ? std::atoi(number) : 0;\n"
            "}\n"
        )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sources, "HARDWARE", hardware)
        patch.setattr(build, "HARDWARE", hardware)
        yield


@pytest.fixture
def found_with(planted, monkeypatch):
    """Compares two steps with PyTorch, with a fault; returns the last that lockstep said."""
    opened = []

    def open_one(parameters, size):
        opened.append(SimulatedExecutor(parameters, size))
        return opened[-1]

    def run(number):
        monkeypatch.setenv("SPECBP_PLANTED", str(number))
        model = network()
        recipe = SmallRecipe(model, (3, 8, 8), CLASSES, batch_size=4)
        side = OverlaySide(recipe, Parameters(), open_one)
        return list(compare(PytorchSide(recipe), side, 2))[-1]

    yield run
    for executor in opened:
        executor.close()


def test_without_a_fault_all_is_identical(found_with):
    assert isinstance(found_with(0), Progress)


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_found_where_it_is(found_with, name):
    *_, layer, tensor = FAULTS[name]
    found = found_with(number_of(name))
    assert isinstance(found, Difference)
    assert (found.step, found.layer, found.tensor) == (0, layer, tensor)


@pytest.mark.parametrize("name", VIOLATIONS)
def test_a_violation_of_axi_fails_a_lockstep(found_with, name):
    with pytest.raises(AxiViolationError, match=r"broke the rules of AXI \d+ times"):
        found_with(number_of(name))


@pytest.mark.parametrize("name", VIOLATIONS)
def test_a_violation_of_axi_fails_a_training(planted, monkeypatch, tmp_path, name):
    monkeypatch.setenv("SPECBP_PLANTED", str(number_of(name)))
    fields = {"dataset": "digits", "train": 8, "test": 8, "epochs": 1, "batch_size": 8}
    cell = Cell("planted", 0, experiment_from(fields | {"backend": "sim:rtl"}, "here"))
    store = Store.create(tmp_path / "results")
    run_cells([cell], store, backend_opener(dataset_reader(None)), Memory())
    row = store.load().runs.iloc[0]
    assert row["status"] == "failed" and "broke the rules of AXI" in row["reason"]


def test_programming_anew_starts_anew(planted, monkeypatch):
    monkeypatch.setenv("SPECBP_PLANTED", str(number_of("reads are of another kind of burst")))
    device = SimulatedDevice(memory_bytes=1 << 20)
    overlay = pynq.Overlay(device.bitstream, device=device)
    buffer = overlay.specbp_0.allocate(64)
    with pytest.raises(AxiViolationError):
        overlay.specbp_0.run(
            [Copy(buffer.device_address, buffer.device_address, 8), End()], [buffer]
        )
    with pytest.raises(AxiViolationError):
        overlay.specbp_0.dump()
    overlay.download()
    assert overlay.specbp_0.dump()["IDENTIFIER"]
    device.close()
