"""Vivado's scripts under a Tcl interpreter that records what they ask Vivado to do."""

import re
from xml.etree import ElementTree

import pytest

tkinter = pytest.importorskip("tkinter", reason="needs a Tcl interpreter")

from specbp.bitstream import handoff, vivado
from specbp.bitstream.targets import TARGETS
from specbp.errors import SpecbpError
from specbp.overlay import hwh, register_map
from specbp.overlay.parameters import Parameters
from specbp.overlay.register import of_cores

VIVADO = [
    "add_files",
    "apply_bd_automation",
    "assign_bd_address",
    "close_project",
    "connect_bd_intf_net",
    "connect_bd_net",
    "create_bd_cell",
    "create_bd_design",
    "create_project",
    "current_fileset",
    "current_project",
    "get_bd_addr_segs",
    "get_bd_addr_spaces",
    "get_bd_cells",
    "get_bd_intf_pins",
    "get_bd_pins",
    "get_board_parts",
    "get_files",
    "get_property",
    "get_runs",
    "get_timing_paths",
    "launch_runs",
    "make_wrapper",
    "open_run",
    "report_timing_summary",
    "report_utilization",
    "save_bd_design",
    "set_property",
    "update_compile_order",
    "update_ip_catalog",
    "validate_bd_design",
    "version",
    "wait_on_run",
    "ipx::add_address_block",
    "ipx::add_bus_parameter",
    "ipx::add_field",
    "ipx::add_memory_map",
    "ipx::add_register",
    "ipx::associate_bus_interfaces",
    "ipx::create_xgui_files",
    "ipx::current_core",
    "ipx::get_address_blocks",
    "ipx::get_bus_interfaces",
    "ipx::get_memory_maps",
    "ipx::infer_bus_interface",
    "ipx::package_project",
    "ipx::remove_address_block",
    "ipx::save_core",
    "ipx::update_checksums",
]


class Recorder:
    """Runs build.tcl; the commands of Vivado only note what they are called with."""

    def __init__(self, work, parameters, clock_mhz, slack="0.812", board_files=False):
        self.calls, self.slack, self.work = [], slack, work
        self.board_files, self.parameters = board_files, parameters
        (work / "project").mkdir()
        (work / "project/specbp_wrapper.bit").write_bytes(b"bit")
        (work / "project/hw_handoff").mkdir()
        (work / "project/hw_handoff/specbp.hwh").write_text("hwh")
        given = vivado.settings(TARGETS["pynq-z2"], parameters, clock_mhz, work)
        (work / "settings.tcl").write_text(vivado.tcl_list(given))
        self.tcl = tkinter.Tcl()
        self.tcl.eval("namespace eval ipx {}")
        for name in VIVADO:
            self.tcl.createcommand(name, lambda *words, name=name: self.called(name, words))
        self.tcl.eval(f"set argv [list {{{work / 'settings.tcl'}}}]")

    def run(self):
        self.tcl.eval(f"source {{{vivado.SCRIPTS / 'build.tcl'}}}")

    def called(self, name, words):
        self.calls.append((name, words))
        answers = {
            "get_board_parts": "found" if self.board_files else "",
            "get_files": str(self.work / "project/specbp.bd"),
            "version": "2022.1",
        }
        if name == "get_property":
            return {"PROGRESS": "100%", "SLACK": self.slack,
                    "DIRECTORY": str(self.work / "project")}.get(words[0], "")  # fmt: skip
        if name.startswith("get_bd_") or name == "create_bd_cell":
            return words[-1]
        return answers.get(name, name)

    def of(self, name):
        return [words for called, words in self.calls if called == name]

    def properties(self, of):
        """Every property that was set on a cell."""
        found = {}
        for words in self.of("set_property"):
            if words[-1] != of:
                continue
            if words[0] == "-dict":
                pairs = self.tcl.splitlist(words[1])
                found |= dict(zip(pairs[::2], pairs[1::2], strict=True))
            else:
                found[words[0]] = words[1]
        return found

    def nets(self):
        return {words for name in ("connect_bd_net", "connect_bd_intf_net")
                for words in self.of(name)}  # fmt: skip


@pytest.fixture(scope="module", params=[1, 2], ids=["one core", "two cores"])
def recorder(request, tmp_path_factory):
    parameters = Parameters(lanes=32, cores=request.param)
    found = Recorder(tmp_path_factory.mktemp("vivado"), parameters, 50.0)
    found.run()
    return found


def generated(parameters, clock_mhz):
    return ElementTree.fromstring(handoff.text(parameters, clock_mhz).partition("\n")[2])


def test_addresses_are_those_of_the_generated_handoff(recorder):
    expected = set()
    for block in generated(recorder.parameters, 50.0).iter("MEMRANGE"):
        low, high = int(block.get("BASEVALUE"), 0), int(block.get("HIGHVALUE"), 0)
        slave = block.get("SLAVEBUSINTERFACE").lower()
        ends = block.get("MASTERBUSINTERFACE"), block.get("INSTANCE"), slave
        expected.add((*ends, low, high - low + 1))
    found = set()
    for words in recorder.of("assign_bd_address"):
        options = dict(zip(words[:-1:2], words[1:-1:2], strict=True))
        master = options["-target_address_space"].split("/")[1]
        instance, slave, _ = words[-1].split("/")
        size = int(options["-range"].removesuffix("M"))
        size <<= 20 * options["-range"].endswith("M")
        ends = "M_AXI_GP0" if master == "Data" else master, instance, slave.lower()
        found.add((*ends, int(options["-offset"], 0), size))
    assert found == expected


def test_parameters_and_names_are_the_packages_own(recorder):
    cells = {words[-1]: words[3] for words in recorder.of("create_bd_cell")}
    modules = {one.get("INSTANCE"): one.get("VLNV")
               for one in generated(recorder.parameters, 100).iter("MODULE")}  # fmt: skip
    assert modules.items() <= cells.items()
    found = recorder.properties(hwh.INSTANCE)
    expected = {f"CONFIG.{name}": str(value) for name, value in recorder.parameters.verilog.items()}
    assert found == expected
    rtl = (vivado.HARDWARE / "rtl/specbp_overlay.sv").read_text()
    for name in Parameters().verilog:
        assert re.search(rf"parameter [\w \[\]:]+ {name}\b", rtl), name
    for pin in (vivado.CLOCK_PIN, vivado.RESET_PIN, vivado.INTERRUPT_PIN, "s_axil_awaddr"):
        assert re.search(rf"\b{pin}\b", rtl), pin


def test_the_clock_is_that_of_the_handoff(recorder):
    found = recorder.properties("ps7_0")
    assert found["CONFIG.PCW_FPGA0_PERIPHERAL_FREQMHZ"] == "50"
    for parameter in generated(recorder.parameters, 50.0).iter("PARAMETER"):
        name = parameter.get("NAME")
        if name.startswith("PCW_FCLK0"):
            assert found[f"CONFIG.{name}"] == parameter.get("VALUE"), name
    clocked = {two for one, two in recorder.nets() if one == "ps7_0/FCLK_CLK0"}
    assert {f"{hwh.INSTANCE}/clk_i", "axi_intc_0/s_axi_aclk", "ps7_0/M_AXI_GP0_ACLK"} <= clocked


def test_the_interrupt_goes_as_in_the_handoff(recorder):
    expected = set()
    for module in generated(recorder.parameters, 100).iter("MODULE"):
        for port in module.iter("PORT"):
            for connection in port.iter("CONNECTION"):
                ends = (f"{module.get('INSTANCE')}/{port.get('NAME')}",
                        f"{connection.get('INSTANCE')}/{connection.get('PORT')}")  # fmt: skip
                expected.add(frozenset(ends))
    ends = set().union(*expected)
    assert f"{hwh.INSTANCE}/{vivado.INTERRUPT_PIN}" in ends
    assert expected == {frozenset(net) for net in recorder.nets() if ends & set(net)}


def test_every_memory_port_has_an_hp_port(recorder):
    cores = recorder.parameters.cores
    ports = list(zip(vivado.memory_ports(), hwh.HP_PORTS, strict=True))
    for number, (port, target) in enumerate(ports[:cores]):
        assert (f"{hwh.INSTANCE}/{port}", f"memory_{number}/S00_AXI") in recorder.nets()
        assert (f"memory_{number}/M00_AXI", f"ps7_0/{target}") in recorder.nets()
    used = {name for name in recorder.properties("ps7_0") if "USE_S_AXI_HP" in name}
    assert used == {f"CONFIG.PCW_USE_{target}" for _, target in ports[:cores]}


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


def test_the_build_identifier_is_in_the_bitstreams_header(recorder):
    text = (recorder.work / "project/identifier.xdc").read_text()
    assert f"USERID 0x{recorder.parameters.build_identifier:08X} [current_design]" in text


def test_what_comes_out_is_read(recorder):
    assert (recorder.work / "specbp.bit").read_bytes() == b"bit"
    assert (recorder.work / "specbp.hwh").read_text() == "hwh"
    (recorder.work / "utilisation.rpt").write_text(
        "| Slice LUTs*             | 10559 |     0 |          0 |     53200 | 19.85 |\n"
        "| Slice Registers         | 10053 |     0 |          0 |    106400 |  9.45 |\n"
        "| Block RAM Tile |   42.5 |     0 |          0 |       140 | 30.36 |\n"
        "| DSPs           |   39 |     0 |          0 |       220 | 17.73 |\n"
    )
    assert vivado.facts(recorder.work) == {
        "tool": "Vivado 2022.1", "slack_ns": 0.812, "hold_slack_ns": 0.812,
        "utilisation": {"lut": 10559, "ff": 10053, "bram": 42.5, "dsp": 39},
    }  # fmt: skip


def test_a_build_that_misses_its_timing_fails(tmp_path):
    with pytest.raises(tkinter.TclError, match="timing is not met"):
        Recorder(tmp_path, Parameters(), 100.0, slack="-0.1").run()


def test_without_vivado_it_says_what_does_not_need_it(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("SPECBP_VIVADO", raising=False)
    with pytest.raises(SpecbpError, match=r"needs Vivado 2022.1 to 2024.1.*works without"):
        vivado.build_with_vivado(tmp_path, TARGETS["pynq-z2"], Parameters(), 100.0)
