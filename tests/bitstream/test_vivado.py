"""Vivado's scripts under a Tcl interpreter, in the layouts and under the rules of both Vivados.

What Vivado's manuals ask of a design, from where, and where it is checked; `mock_vivado` refuses
what breaks a rule, and test_what_vivado_refuses_the_mock_refuses breaks them:

- The packaged top is Verilog, its parameters have no types, its ports are wires with plain ranges.
  UG1118, "Top-Level HDL Requirements"; mock_vivado.
- A parameter exists, and its value fits its format. UG1118, "Customization Parameters";
  mock_vivado.
- A parameter that an interface was inferred with is set, and not added again. UG1118, "Ports and
  Interfaces"; test_interfaces_say_how_they_are_meant_inferred_or_not.
- A level interrupt says so: axi_intc takes what its source says. UG994, "Handling Interrupts",
  PG099; the same test.
- Pins that are connected exist; a design is validated before runs, and its wrapper is the top.
  UG994; mock_vivado.
- Sources are in PROJECT.srcs, generated files in PROJECT.gen. UG892, PYNQ's scripts; mock_vivado.
- USERID has 32 bits, in hexadecimal. UG912; test_the_build_identifier_is_in_the_bitstreams_header.
- HP ports take INCR bursts of at most 16 beats. UG585; the memory model counts violations.
"""

import os
import re
import sys
from xml.etree import ElementTree

import pytest

tkinter = pytest.importorskip("tkinter", reason="needs a Tcl interpreter")

from specbp.bitstream import vivado
from specbp.bitstream.targets import target_named
from specbp.boards import handoff
from specbp.boards.board import board_names
from specbp.boards.processing_system import processing_system
from specbp.errors import SpecbpError
from specbp.overlay import hwh, register_map
from specbp.overlay.parameters import Parameters
from specbp.overlay.register import of_cores
from specbp.overlay.sources import HARDWARE
from tests.bitstream.mock_vivado import FREQUENCIES, VERSIONS, Vivado


class Recorder(Vivado):
    """Runs build.tcl in `work`."""

    def __init__(self, work, parameters, clock_mhz, board="pynq-z2", **arguments):
        super().__init__(**arguments)
        self.work, self.parameters, self.target = work, parameters, target_named(board)
        self.system = processing_system(self.target.board)
        given = vivado.settings(self.target, parameters, clock_mhz, work)
        (work / "settings.tcl").write_text(vivado.tcl_list(given))

    def run(self):
        self.source(vivado.SCRIPTS / "build.tcl", self.work / "settings.tcl")


CASES = [("pynq-z2", 1, "2022.1"), *((name, 2, "2024.1") for name in board_names())]


@pytest.fixture(scope="module", params=CASES, ids=str)
def recorder(request, tmp_path_factory):
    board, cores, version = request.param
    parameters = Parameters(lanes=32, cores=cores)
    found = Recorder(tmp_path_factory.mktemp("vivado"), parameters, 50.0, board, version=version)
    found.run()
    return found


def generated(recorder, clock_mhz):
    text = handoff.text(recorder.parameters, recorder.target.board, clock_mhz)
    return ElementTree.fromstring(text.partition("\n")[2])


def test_addresses_are_those_of_the_generated_handoff(recorder):
    expected = set()
    for block in generated(recorder, 50.0).iter("MEMRANGE"):
        low, high = int(block.get("BASEVALUE"), 0), int(block.get("HIGHVALUE"), 0)
        slave = block.get("SLAVEBUSINTERFACE").lower()
        if block.get("INSTANCE") == recorder.system.instance:
            port = recorder.system.memory_port(block.get("SLAVEBUSINTERFACE"))
            slave = port.segment.partition("/")[0].lower()
        ends = block.get("MASTERBUSINTERFACE"), block.get("INSTANCE"), slave
        expected.add((*ends, low, high - low + 1))
    found = set()
    for words in recorder.of("assign_bd_address"):
        options = dict(zip(words[:-1:2], words[1:-1:2], strict=True))
        master = options["-target_address_space"].split("/")[1]
        instance, slave, _ = words[-1].split("/")
        size = int(options["-range"], 0)
        control = recorder.target.board.control_port
        ends = control if master == "Data" else master, instance, slave.lower()
        found.add((*ends, int(options["-offset"], 0), size))
    assert found == expected


def test_parameters_and_names_are_the_packages_own(recorder):
    cells = {words[-1]: words[3] for words in recorder.of("create_bd_cell")}
    modules = {one.get("INSTANCE"): one.get("VLNV")
               for one in generated(recorder, 100).iter("MODULE")}  # fmt: skip
    # The newest version of an IP is what this Vivado has.
    for one in (modules, cells):
        one[recorder.system.instance] = one[recorder.system.instance].rpartition(":")[0]
    assert modules.items() <= cells.items()
    found = recorder.properties[hwh.INSTANCE]
    assert found == {f"CONFIG.{name}": value for name, value in recorder.parameters.ip.items()}
    assert found["CONFIG.BuildIdentifier"] == f"0x{recorder.parameters.build_identifier:08X}"


def test_the_clock_is_that_of_the_handoff(recorder):
    ps, control = recorder.system.instance, recorder.target.board.control_port
    found = recorder.properties[ps]
    said = [found[f"CONFIG.{name}"] for name in FREQUENCIES if f"CONFIG.{name}" in found]
    assert said == ["50"]
    for parameter in generated(recorder, 50.0).iter("PARAMETER"):
        name = parameter.get("NAME")
        if name.startswith("PCW_FCLK0") or name == "PSU__CRL_APB__PL0_REF_CTRL__SRCSEL":
            assert found[f"CONFIG.{name}"] == parameter.get("VALUE"), name
    clocked = {two for one, two in recorder.nets() if one == f"{ps}/{recorder.system.clock_pin}"}
    clock = recorder.system.control_clock(control)
    assert {f"{hwh.INSTANCE}/clk_i", "axi_intc_0/s_axi_aclk", f"{ps}/{clock}"} <= clocked


def test_ports_are_as_wide_as_the_board_says(recorder):
    """And the handoff, by whose parameters pynq sets the widths on a board, says the same."""
    board, cores = recorder.target.board, recorder.parameters.cores
    said = {name: value for name, value in recorder.properties[recorder.system.instance].items()
            if name.endswith("DATA_WIDTH")}  # fmt: skip
    ports = ("HP0", "HP2")[:cores]
    if board.processing_system == "ps7":
        assert said == {f"CONFIG.PCW_S_AXI_{port}_DATA_WIDTH": "64" for port in ports}
    else:
        slaves = {f"CONFIG.PSU__SAXIGP{int(port[2]) + 2}__DATA_WIDTH": "64" for port in ports}
        assert said == slaves | {"CONFIG.PSU__MAXIGP0__DATA_WIDTH": "32"}
    interfaces = generated(recorder, 50.0).iter("BUSINTERFACE")
    widths = {one.get("NAME"): int(one.get("DATAWIDTH") or 0) for one in interfaces}
    assert widths[board.control_port] == board.control_width
    assert {widths[port] for port in board.memory_ports[:cores]} == {board.memory_width}


def test_the_interrupt_goes_as_in_the_handoff(recorder):
    expected = set()
    for module in generated(recorder, 100).iter("MODULE"):
        for port in module.iter("PORT"):
            for connection in port.iter("CONNECTION"):
                ends = (f"{module.get('INSTANCE')}/{port.get('NAME')}",
                        f"{connection.get('INSTANCE')}/{connection.get('PORT')}")  # fmt: skip
                expected.add(frozenset(ends))
    ends = set().union(*expected)
    assert f"{hwh.INSTANCE}/{vivado.INTERRUPT_PIN}" in ends
    assert expected == {frozenset(net) for net in recorder.nets() if ends & set(net)}


def test_every_memory_port_has_a_port_of_its_own(recorder):
    cores, ps = recorder.parameters.cores, recorder.system.instance
    ports = list(zip(vivado.memory_ports(), recorder.target.board.memory_ports, strict=True))
    for number, (port, target) in enumerate(ports[:cores]):
        assert (f"{hwh.INSTANCE}/{port}", f"memory_{number}/S00_AXI") in recorder.nets()
        assert (f"memory_{number}/M00_AXI", f"{ps}/{target}") in recorder.nets()
    used = {name for name, value in recorder.properties[ps].items()
            if "USE_S_AXI_HP" in name or "USE__S_AXI_GP" in name}  # fmt: skip
    assert len(used) == cores


def test_registers_are_those_of_the_description(recorder):
    (block,) = {words[0] for words in recorder.of("ipx::add_address_block")}
    assert block == "Reg"
    names = [words[0] for words in recorder.of("ipx::add_register")]
    expected = []
    for register in of_cores(register_map.REGISTERS, recorder.parameters.cores):
        halves = ("",) if register.bits == 32 else ("_LOW", "_HIGH")
        expected += [register.name + half for half in halves]
    assert names == expected
    offsets = [int(words[1], 0) for words in recorder.of("set_property")
               if words[0] == "address_offset"]  # fmt: skip
    assert len(set(offsets)) == len(offsets) and offsets[0] == register_map.REGISTERS[0].offset


@pytest.mark.parametrize("inferred", [(), (("rst_ni", "POLARITY"), ("interrupt_o", "SENSITIVITY"))])
def test_interfaces_say_how_they_are_meant_inferred_or_not(tmp_path, inferred):
    found = Recorder(tmp_path, Parameters(), 100.0, infers=inferred)
    found.run()
    assert found.properties["interrupt_o.SENSITIVITY"] == {"value": "LEVEL_HIGH"}
    assert found.properties["rst_ni.POLARITY"] == {"value": "ACTIVE_LOW"}


def ports(text, module):
    """The ports of a module, as (direction, bits, name)."""
    head = text[text.index(f"module {module} #(") :].partition(");")[0]
    found = re.findall(
        r"^\s*(input|output)\s+(?:wire )?(?:logic|wire)?\s*(\[\d+:\d+\])?\s*(\w+)",
        head,
        re.MULTILINE,
    )
    assert len(found) > 80
    return found


def test_the_wrapper_has_the_ports_and_parameters_of_the_overlay():
    wrapper = (vivado.SCRIPTS / f"{vivado.TOP}.v").read_text()
    overlay = (HARDWARE / "rtl/specbp_overlay.sv").read_text()
    expected = [port for port in ports(overlay, "specbp_overlay") if port[2] != "steady_o"]
    assert ports(wrapper, vivado.TOP) == expected
    for _, _, name in expected:
        assert re.search(rf"\.{name}\s*\({name}\)", wrapper), name
    for name in Parameters().verilog:
        assert re.search(rf"parameter {name}\s*=", wrapper), name
        assert re.search(rf"\.{name}\s*\({name}\)", wrapper), name


BROKEN = {
    "a SystemVerilog top": ("top", "specbp_overlay", "Verilog or VHDL"),
    "a number beyond 31 bits": ("parameters", ["Lanes", 4_000_000_000], "out of range"),
    "bits as a number": ("parameters", ["BuildIdentifier", 17], "not of its format"),
    "an unknown parameter": ("parameters", ["Lames", 16], "there is none"),
    "an unknown pin": ("interrupt_pin", "interrupt", "does not exist"),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_what_vivado_refuses_the_mock_refuses(tmp_path, kind):
    """The rules of the mock, each broken once."""
    name, value, said = BROKEN[kind]
    found = Recorder(tmp_path, Parameters(), 100.0)
    given = vivado.settings(found.target, found.parameters, 100.0, tmp_path)
    (tmp_path / "settings.tcl").write_text(vivado.tcl_list(given | {name: value}))
    with pytest.raises(tkinter.TclError, match=said):
        found.run()


def test_the_build_identifier_is_in_the_bitstreams_header(recorder):
    text = (recorder.work / "project/identifier.xdc").read_text()
    assert f"USERID 0x{recorder.parameters.build_identifier:08X} [current_design]" in text


def test_what_comes_out_is_read(recorder):
    assert vivado.facts(recorder.work) == {
        "tool": f"Vivado {recorder.version}", "slack_ns": 0.812, "hold_slack_ns": 0.812,
        "utilisation": {"lut": 10559, "ff": 10053, "bram": 42.5, "dsp": 39},
    }  # fmt: skip


@pytest.fixture
def program(tmp_path, monkeypatch, repository):
    """Makes the mock the Vivado that is found."""

    def make(**given):
        path = tmp_path / "vivado"
        words = " ".join(f"{name}={value}" for name, value in given.items())
        path.write_text(
            f'#!/bin/sh\nexec {sys.executable} -m tests.bitstream.mock_vivado {words} "$@"\n'
        )
        path.chmod(0o755)
        monkeypatch.setenv("SPECBP_VIVADO", str(path))
        folders = [str(repository), str(repository / "host"), os.environ.get("PYTHONPATH", "")]
        monkeypatch.setenv("PYTHONPATH", os.pathsep.join(folders))

    return make


@pytest.mark.parametrize("version", VERSIONS)
def test_a_build_comes_out(tmp_path, program, version):
    program(version=version)
    stages = []
    done = vivado.build_with_vivado(
        tmp_path / "out", target_named("pynq-z2"), Parameters(), 100.0, stages.append
    )
    done.check()
    assert [stage.partition(":")[0] for stage in stages[1:]] == ["Vivado"] * 4
    assert "vivado.log" in stages[0] and "place and route" in stages[3], "half an hour in silence"
    assert done.manifest["tool"] == f"Vivado {version}" and done.manifest["slack_ns"] == 0.812
    assert not (tmp_path / "out" / vivado.WORK).exists()


@pytest.mark.parametrize(
    ("given", "said", "kept"),
    [
        ({"slack": "-0.1"}, "timing is not met: slack -0.1", ["specbp.bit", "timing.rpt"]),
        ({"fails": "1"}, "implementation is at 45%", ["project/specbp.runs/impl_1/runme.log"]),
    ],
    ids=["timing", "implementation"],
)
def test_a_build_that_fails_keeps_what_it_made(tmp_path, program, given, said, kept):
    program(**given)
    with pytest.raises(SpecbpError, match=said) as failed:
        vivado.build_with_vivado(tmp_path / "out", target_named("pynq-z2"), Parameters(), 100.0)
    work = tmp_path / "out" / vivado.WORK
    assert str(work) in str(failed.value)
    for name in (*kept, "vivado.log", "settings.tcl"):
        assert (work / name).is_file(), name


def test_without_vivado_it_says_what_does_not_need_it(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("SPECBP_VIVADO", raising=False)
    with pytest.raises(SpecbpError, match=r"needs Vivado 2022.1 to 2024.1.*works without"):
        vivado.build_with_vivado(tmp_path, target_named("pynq-z2"), Parameters(), 100.0)
