"""A Vivado that makes nothing but the files, where Vivado puts them, and keeps its rules.

Under a Tcl interpreter its commands note what they are called with, and refuse what Vivado refuses.
Where its files lie is what Xilinx's own build scripts of PYNQ's base overlays go by: those of
PYNQ-Z1 and Z2 for Vivado 2022.1, of AUP-ZU3 for 2024.1:

    PROJECT.srcs/sources_1/bd/NAME/NAME.bd                  the block design
    PROJECT.srcs or .gen/sources_1/bd/NAME/hdl/NAME_wrapper.v   as a project's settings say
    PROJECT.gen/sources_1/bd/NAME/hw_handoff/NAME.hwh       made with the design's output products
    PROJECT.runs/impl_1/NAME_wrapper.bit

As a program it takes the arguments that Vivado takes in batch mode.
"""

import re
import sys
import tkinter
from pathlib import Path

from specbp.boards import handoff
from specbp.boards.board import board_named, board_names
from specbp.boards.processing_system import processing_system
from specbp.onboard import bitfile
from specbp.overlay.parameters import Parameters

VERSIONS = {"2022.1": "srcs", "2024.1": "gen"}
"""Where each puts the wrapper of a block design in the projects of PYNQ's repositories."""
FREQUENCIES = ("PCW_FPGA0_PERIPHERAL_FREQMHZ", "PSU__CRL_APB__PL0_REF_CTRL__FREQMHZ")
PS8_MASTERS = {"M_AXI_HPM0_FPD": 0, "M_AXI_HPM1_FPD": 1, "M_AXI_HPM0_LPD": 2}
"""PG201, "Zynq UltraScale+ MPSoC Processing System": which parameters open which port."""
INTEGER_MOST = 2**31 - 1
UTILISATION = (
    "| {cells} LUTs*             | 10559 |     0 |          0 |     53200 | 19.85 |\n"
    "| {cells} Registers         | 10053 |     0 |          0 |    106400 |  9.45 |\n"
    "| Block RAM Tile |   42.5 |     0 |          0 |       140 | 30.36 |\n"
    "| DSPs           |   39 |     0 |          0 |       220 | 17.73 |\n"
)
COMMANDS = """
    add_files apply_bd_automation assign_bd_address close_project connect_bd_intf_net
    connect_bd_net create_bd_cell create_bd_design create_project current_fileset current_project
    get_bd_addr_segs get_bd_addr_spaces get_bd_cells get_bd_intf_pins get_bd_pins get_board_parts
    get_files get_ipdefs get_property get_runs get_timing_paths launch_runs make_wrapper open_run
    report_timing_summary report_utilization save_bd_design set_property update_compile_order
    update_ip_catalog validate_bd_design version wait_on_run ipx::add_address_block
    ipx::add_bus_parameter ipx::add_field ipx::add_memory_map ipx::add_register
    ipx::associate_bus_interfaces ipx::create_xgui_files ipx::current_core
    ipx::get_address_blocks ipx::get_bus_interfaces ipx::get_bus_parameters ipx::get_memory_maps
    ipx::infer_bus_interface ipx::package_project ipx::remove_address_block ipx::save_core
    ipx::update_checksums
"""


class RefusedError(Exception):
    """What Vivado stops at."""


class Vivado:
    """A Tcl interpreter with Vivado's commands.

    Args:
        version: Vivado's.
        slack: of the implementation, ns.
        board_files: whether those of the board are installed.
        fails: whether the implementation does.
        infers: parameters that interfaces are inferred with, as (interface, parameter).
    """

    def __init__(self, version="2022.1", slack="0.812", board_files=False, fails=False, infers=()):
        self.version, self.slack, self.board_files = version, slack, board_files
        self.fails, self.infers, self.calls = fails, set(infers), []
        self.project, self.sources, self.top = None, [], None
        self.cells, self.properties, self.packaged, self.launched = {}, {}, None, False
        self.tcl = tkinter.Tcl()
        self.tcl.eval("namespace eval ipx {}")
        self.tcl.createcommand("called", self._called)
        for name in COMMANDS.split():
            self.tcl.eval(
                f"proc {name} args {{ lassign [called {name} {{*}}$args] refused answer\n"
                "if {$refused} { error $answer }\n return $answer }"
            )

    def source(self, script, settings):
        """Run `script` as `vivado -mode batch -source SCRIPT -tclargs SETTINGS` does."""
        self.tcl.eval(f"set argv [list {{{settings}}}]")
        self.tcl.eval(f"source {{{script}}}")

    def of(self, name):
        return [words for called, words in self.calls if called == name]

    def nets(self):
        return {words for name in ("connect_bd_net", "connect_bd_intf_net")
                for words in self.of(name)}  # fmt: skip

    def _called(self, name, *words):
        """Return whether a command is refused, and its message or answer."""
        self.calls.append((name, words))
        answer = getattr(self, f"_{name.replace('::', '_')}", None)
        if answer is None:
            return False, words[-1] if name.startswith("get_bd_") else name
        try:
            return False, answer(*words) or ""
        except RefusedError as refused:
            return True, str(refused)

    def folder(self, kind):
        directory, name = self.project
        return directory / f"{name}.{kind}"

    def design(self, kind):
        return self.folder(kind) / "sources_1" / "bd" / self.bd

    # Projects and sources.

    def _create_project(self, *words):
        self.part = words[words.index("-part") + 1]
        self.project = Path(words[-1]), words[-2]
        self.project[0].mkdir(parents=True, exist_ok=True)
        self.sources, self.top = [], None

    def _add_files(self, *words):
        path = Path(words[-1])
        if not path.is_file():
            raise RefusedError(f"ERROR: File or Directory '{path}' does not exist")
        self.sources.append(path)

    def _current_fileset(self):
        return "sources_1"

    def _set_property(self, *words):
        target = words[-1]
        pairs = self.tcl.splitlist(words[1]) if words[0] == "-dict" else words[:2]
        for name, value in zip(pairs[::2], pairs[1::2], strict=True):
            if name == "top":
                self.top = value
            if self.cells.get(target) == "packaged":
                self._check_parameter(name, value)
            self.properties.setdefault(target, {})[name] = value

    def _get_ipdefs(self, pattern):
        return pattern.replace(":*", ":9.9")

    def _get_property(self, name, *words):
        if name == "VLNV":
            return words[-1]
        return {"PROGRESS": "45%" if self.fails else "100%", "SLACK": self.slack,
                "DIRECTORY": str(self.folder("runs") / "impl_1")}.get(name, "")  # fmt: skip

    def _version(self, *_):
        return self.version

    def _get_board_parts(self, *_):
        return "found" if self.board_files else ""

    # The IP packager.

    def _ipx_package_project(self, *_):
        """UG1118, "Top-Level HDL Requirements": what a top may be."""
        module = re.compile(rf"^\s*module\s+{self.top}\b", re.MULTILINE)
        (path,) = [one for one in self.sources if module.search(one.read_text())]
        text = path.read_text()
        if path.suffix not in (".v", ".vhd"):
            raise RefusedError("ERROR: The top of a packaged IP is Verilog or VHDL")
        head = text[text.index(f"module {self.top}") :].partition(");")[0]
        parameters = re.findall(r"^\s*parameter\s+(.+?)\s*=\s*([^,\n]+)", head, re.MULTILINE)
        if any(" " in name for name, _ in parameters):
            raise RefusedError("ERROR: a parameter with a type is none of Verilog's")
        ports = re.findall(
            r"^\s*(?:input|output)\s+wire\s+(?:\[\d+:\d+\]\s*)?(\w+)", head, re.MULTILINE
        )
        if len(ports) != len(re.findall(r"\b(?:input|output|inout)\b", head)):
            raise RefusedError("ERROR: a port that is neither a wire nor a plain range")
        self.packaged = {name: value.strip() for name, value in parameters}, ports

    def _check_parameter(self, name, value):
        defaults, _ = self.packaged
        default = defaults.get(name.removeprefix("CONFIG."))
        if default is None:
            raise RefusedError(f"ERROR: Cannot set the parameter {name}: there is none")
        bits = "'" in default
        if bits != value.startswith("0x") or (not bits and int(value) > INTEGER_MOST):
            raise RefusedError(f"ERROR: {name}: {value} is out of range or not of its format")

    def _ipx_infer_bus_interface(self, port, *_):
        if port not in self.packaged[1]:
            raise RefusedError(f"ERROR: Port '{port}' does not exist")

    def _ipx_get_bus_interfaces(self, name, *_):
        return name

    def _ipx_get_bus_parameters(self, *words):
        name, interface = words[-3], words[-1]
        return f"{interface}.{name}" if (interface, name) in self.infers else ""

    def _ipx_add_bus_parameter(self, name, interface):
        if (interface, name) in self.infers:
            raise RefusedError(f"ERROR: {interface} has {name} already")
        return f"{interface}.{name}"

    # The block design.

    def _create_bd_design(self, name):
        self.bd = name

    def _create_bd_cell(self, *words):
        vlnv = words[3]
        if "*" in vlnv:
            raise RefusedError(f"ERROR: {vlnv} is not found")
        if "processing" in vlnv or "zynq" in vlnv:
            self.ps = words[-1]
        self.cells[words[-1]] = "xilinx" if vlnv.startswith("xilinx.com:") else "packaged"
        return words[-1]

    def _get_bd_cells(self, name):
        return name

    def _get_bd_pins(self, path):
        cell, _, pin = path.partition("/")
        if cell not in self.cells or (
            self.cells[cell] == "packaged" and pin not in self.packaged[1]
        ):
            raise RefusedError(f"ERROR: Arguments to the connect_bd_net: {path} is empty")
        if cell == self.ps and not self._has_pin(pin):
            raise RefusedError(f"ERROR: Arguments to the connect_bd_net: {path} is empty")
        return path

    def _has_pin(self, pin):
        """Whether the processing system has a pin, as it is configured."""
        if pin.endswith(("aclk", "_ACLK")):
            return any(pin == clock for _, clock in self._ps_ports())
        if self.ps == "ps7_0":
            return pin in ("FCLK_CLK0", "FCLK_RESET0_N", "IRQ_F2P")
        return pin in ("pl_clk0", "pl_resetn0", "pl_ps_irq0")

    def _ps_ports(self):
        """The ports to the logic that the properties open, each with its clock pin."""
        said = {name.removeprefix("CONFIG."): value
                for name, value in self.properties.get(self.ps, {}).items()}  # fmt: skip
        if self.ps == "ps7_0":
            used = ("PCW_USE_M_AXI", "PCW_USE_S_AXI")
            names = [name.removeprefix("PCW_USE_") for name, value in said.items()
                     if name.startswith(used) and value == "1"]  # fmt: skip
            return [(name, f"{name}_ACLK") for name in names]
        masters = [(port, port.lower().replace("m_axi_", "maxi") + "_aclk")
                   for port, number in PS8_MASTERS.items()
                   if said.get(f"PSU__USE__M_AXI_GP{number}") == "1"]  # fmt: skip
        slaves = [(f"S_AXI_HP{number}_FPD", f"saxihp{number}_fpd_aclk") for number in range(4)
                  if said.get(f"PSU__USE__S_AXI_GP{number + 2}") == "1"]  # fmt: skip
        return masters + slaves

    def _get_bd_intf_pins(self, path):
        cell, _, port = path.partition("/")
        if cell not in self.cells or (
            self.cells[cell] == "packaged" and f"{port}_awaddr" not in self.packaged[1]
        ):
            raise RefusedError(f"ERROR: Arguments to the connect_bd_intf_net: {path} is empty")
        if cell == self.ps and port not in dict(self._ps_ports()):
            raise RefusedError(f"ERROR: Arguments to the connect_bd_intf_net: {path} is empty")
        return path

    def _get_bd_addr_segs(self, path):
        """Refuse a range that a port of the processing system does not have."""
        cell, _, rest = path.partition("/")
        if cell == "ps7_0" and not re.fullmatch(r"S_AXI_HP(\d)/HP\1_DDR_LOWOCM", rest):
            raise RefusedError(f"ERROR: no address segment {path}")
        if cell == "zynq_ultra_ps_e_0":
            match = re.fullmatch(r"SAXIGP(\d)/HP(\d)_DDR_LOW", rest)
            if match is None or int(match[1]) != int(match[2]) + 2:
                raise RefusedError(f"ERROR: no address segment {path}")
        return path

    def _save_bd_design(self):
        path = self.design("srcs") / f"{self.bd}.bd"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("{}")

    def _get_files(self, name):
        found = [*self.folder("srcs").rglob(name)]
        return str(found[0]) if found else ""

    def _make_wrapper(self, *words):
        if "-top" not in words or not Path(words[1]).is_file():
            raise RefusedError("ERROR: make_wrapper needs a block design")
        path = self.design(VERSIONS[self.version]) / "hdl" / f"{self.bd}_wrapper.v"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"module {self.bd}_wrapper;\nendmodule\n")
        return str(path)

    # Runs.

    def _launch_runs(self, *_):
        if not self.of("validate_bd_design") or self.top != f"{self.bd}_wrapper":
            raise RefusedError("ERROR: Command failed: no valid design with a top")
        hwh = self.design("gen") / "hw_handoff" / f"{self.bd}.hwh"
        hwh.parent.mkdir(parents=True)
        hwh.write_text(handoff.text(self._built(), self.board, self._clock()))
        run = self.folder("runs") / "impl_1"
        run.mkdir(parents=True)
        (run / "runme.log").write_text("")
        if not self.fails:
            content = bitfile.write(
                bitfile.Bitfile(self.top, self._user_id(), self.version, "7z020clg400", b"\0" * 64)
            )
            (run / f"{self.top}.bit").write_bytes(content)
        self.launched = True

    def _open_run(self, *_):
        if not self.launched:
            raise RefusedError("ERROR: Command failed: Run 'impl_1' failed. Unable to open")

    def _report_utilization(self, _, path):
        # Zynq-7000 has slices, UltraScale+ has CLBs.
        cells = "Slice" if self.board.processing_system == "ps7" else "CLB"
        Path(path).write_text(UTILISATION.format(cells=cells))

    def _report_timing_summary(self, _, path):
        Path(path).write_text("Design Timing Summary\n")

    def _built(self):
        (packaged,) = [name for name, kind in self.cells.items() if kind == "packaged"]
        given = self.properties[packaged]
        return Parameters(int(given["CONFIG.Lanes"]), int(given["CONFIG.Cores"]))

    @property
    def board(self):
        """The board whose part the project is for."""
        boards = [board_named(name) for name in board_names()]
        return next(one for one in boards if one.part == self.part)

    def _clock(self):
        properties = self.properties[processing_system(self.board).instance]
        return float(next(properties[f"CONFIG.{name}"] for name in FREQUENCIES
                          if f"CONFIG.{name}" in properties))  # fmt: skip

    def _user_id(self):
        constraints = [path for path in self.sources if path.suffix == ".xdc"]
        said = re.search(r"CONFIG.USERID (0x[0-9A-F]{8}) ", constraints[0].read_text())
        return int(said[1], 16)


def main(arguments):
    """Run as a program; settings come as NAME=VALUE before Vivado's own arguments."""
    given = dict(one.split("=") for one in arguments if "=" in one)
    vivado = Vivado(**given)
    log = Path(arguments[arguments.index("-log") + 1])
    try:
        vivado.source(
            arguments[arguments.index("-source") + 1], arguments[arguments.index("-tclargs") + 1]
        )
    except tkinter.TclError as error:
        log.write_text(f"{error}\n")
        print(error)
        return 1
    log.write_text("")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
