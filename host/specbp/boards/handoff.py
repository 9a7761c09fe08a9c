"""The hardware handoff of a build for the simulation, as Vivado would write it beside a bitstream.

It is about the block design of `vivado/design.tcl`: the processing system, the overlay on its
control port, a memory port of its own for each core, and an AXI interrupt controller between the
overlay's interrupt and that of the processing system.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from xml.sax.saxutils import quoteattr

from specbp.boards.board import Board
from specbp.boards.processing_system import processing_system
from specbp.overlay import hwh, register_map
from specbp.overlay.parameters import Parameters
from specbp.overlay.register import Field, Register, of_cores

_ACCESS = {"ro": "read-only", "rw": "read-write", "wo": "write-only", "w1c": "read-write"}


def text(parameters: Parameters, board: Board, clock_mhz: float = hwh.CLOCK_MHZ) -> str:
    """Return the hardware handoff of a build with `parameters` for `board`.

    Raises:
        UsageError: the board has no such clock.
    """
    system = processing_system(board)
    ports = [system.memory_port(name) for name in board.memory_ports[: parameters.cores]]
    device, package, speed = _part(board)
    return _TEMPLATE.format(
        architecture=system.architecture,
        device=device,
        package=package,
        speed=speed,
        design=hwh.DESIGN,
        ps=system.instance,
        ps_module=system.module,
        ps_vlnv=f"xilinx.com:ip:{system.module}:{system.handoff_version}",
        interrupt=system.interrupt_pin,
        clock=system.clock_pin,
        clock_hz=round(clock_mhz * 1e6),
        control=board.control_port,
        control_width=board.control_width,
        controller=hwh.CONTROLLER,
        instance=hwh.INSTANCE,
        vlnv=hwh.VLNV,
        modtype=hwh.VLNV.split(":")[2],
        base=board.base,
        high=board.base + hwh.SPAN - 1,
        controller_base=board.controller_base,
        controller_high=board.controller_base + hwh.CONTROLLER_SPAN - 1,
        ps_parameters="\n".join(
            _PARAMETER.format(name=name, value=value)
            for name, value in system.parameters(board, parameters.cores, clock_mhz).items()
        ),
        parameters="\n".join(
            _PARAMETER.format(name=name, value=value) for name, value in parameters.ip.items()
        ),
        registers="\n".join(_registers(of_cores(register_map.REGISTERS, parameters.cores))),
        memory_slaves="\n".join(
            _SLAVE.format(port=port.name, width=board.memory_width) for port in ports
        ),
        memory_masters="\n".join(_MASTER.format(core=core) for core in range(len(ports))),
        memory_ranges="\n".join(
            _RANGE.format(
                core=core,
                port=port.name,
                block=port.block,
                ps=system.instance,
                high=board.memory_bytes - 1,
            )
            for core, port in enumerate(ports)
        ),
    )


def _part(board: Board) -> tuple[str, str, str]:
    """Return device, package and speed grade, as a handoff names them."""
    match = re.fullmatch(r"(?:xc(7z\d+)|(\w+)-)([a-z]+\d+)-(\w+)(?:-\w)?", board.part)
    assert match is not None, board.part
    return match[1] or match[2], match[3], f"-{match[4]}"


def _registers(registers: Iterable[Register]) -> Iterable[str]:
    """Yield the registers as pynq takes them: 64 bits as two of 32, `_LOW` and `_HIGH`."""
    for register in registers:
        if register.bits == 32:
            yield from _register(register.name, register.offset, register)
        else:
            yield from _register(f"{register.name}_LOW", register.offset, register)
            yield from _register(f"{register.name}_HIGH", register.offset + 4, register)


def _register(name: str, offset: int, register: Register) -> Iterable[str]:
    accesses = {field.access for field in register.fields}
    access = _ACCESS[accesses.pop()] if len(accesses) == 1 else "read-write"
    yield f'            <REGISTER NAME="{name}">'
    yield from _properties(14, register.description, access)
    yield f'              <PROPERTY NAME="ADDRESS_OFFSET" VALUE="0x{offset:03X}"/>'
    yield '              <PROPERTY NAME="SIZE" VALUE="32"/>'
    yield '              <PROPERTY NAME="IS_ENABLED" VALUE="true"/>'
    yield "              <FIELDS>"
    for field in register.fields:
        yield from _field(field)
    yield "              </FIELDS>"
    yield "            </REGISTER>"


def _field(field: Field) -> Iterable[str]:
    yield f'                <FIELD NAME="{field.name}">'
    yield from _properties(18, field.description, _ACCESS[field.access])
    yield f'                  <PROPERTY NAME="BIT_OFFSET" VALUE="{field.low}"/>'
    yield f'                  <PROPERTY NAME="BIT_WIDTH" VALUE="{min(field.width, 32)}"/>'
    yield "                </FIELD>"


def _properties(indent: int, description: str, access: str) -> Iterable[str]:
    for name, value in (("DESCRIPTION", description), ("ACCESS", access)):
        yield f'{" " * indent}<PROPERTY NAME="{name}" VALUE={quoteattr(value)}/>'


_PARAMETER = '        <PARAMETER NAME="{name}" VALUE="{value}"/>'
_SLAVE = """\
        <BUSINTERFACE DATAWIDTH="{width}" NAME="{port}" TYPE="SLAVE" \
VLNV="xilinx.com:interface:aximm:1.0"/>\
"""
_MASTER = """\
        <BUSINTERFACE DATAWIDTH="64" NAME="m{core}_axi" TYPE="MASTER" \
VLNV="xilinx.com:interface:aximm:1.0"/>\
"""
_RANGE = """\
        <MEMRANGE ADDRESSBLOCK="{block}" BASENAME="C_BASEADDR" BASEVALUE="0x00000000" \
HIGHNAME="C_HIGHADDR" HIGHVALUE="0x{high:08X}" INSTANCE="{ps}" IS_DATA="TRUE" \
MASTERBUSINTERFACE="m{core}_axi" MEMTYPE="MEMORY" SLAVEBUSINTERFACE="{port}"/>\
"""

_TEMPLATE = """\
<?xml version="1.0" encoding="UTF-8"?>
<EDKSYSTEM EDWVERSION="1.2">
  <SYSTEMINFO ARCH="{architecture}" DEVICE="{device}" NAME="{design}" PACKAGE="{package}" \
SPEEDGRADE="{speed}"/>
  <EXTERNALPORTS/>
  <MODULES>
    <MODULE FULLNAME="/{ps}" INSTANCE="{ps}" IPTYPE="PERIPHERAL" IS_ENABLE="1" \
MODCLASS="PROCESSOR" MODTYPE="{ps_module}" VLNV="{ps_vlnv}">
      <PARAMETERS>
{ps_parameters}
      </PARAMETERS>
      <PORTS>
        <PORT DIR="I" LEFT="0" NAME="{interrupt}" RIGHT="0" SIGIS="INTERRUPT" SIGNAME="irq">
          <CONNECTIONS>
            <CONNECTION INSTANCE="{controller}" PORT="irq"/>
          </CONNECTIONS>
        </PORT>
        <PORT CLKFREQUENCY="{clock_hz}" DIR="O" NAME="{clock}" SIGIS="CLK" SIGNAME="clock"/>
      </PORTS>
      <BUSINTERFACES>
        <BUSINTERFACE DATAWIDTH="{control_width}" NAME="{control}" TYPE="MASTER" \
VLNV="xilinx.com:interface:aximm:1.0"/>
{memory_slaves}
      </BUSINTERFACES>
      <MEMORYMAP>
        <MEMRANGE ADDRESSBLOCK="Reg" BASENAME="C_BASEADDR" BASEVALUE="0x{base:08X}" \
HIGHNAME="C_HIGHADDR" HIGHVALUE="0x{high:08X}" INSTANCE="{instance}" IS_DATA="TRUE" \
MASTERBUSINTERFACE="{control}" MEMTYPE="REGISTER" SLAVEBUSINTERFACE="s_axil"/>
        <MEMRANGE ADDRESSBLOCK="Reg" BASENAME="C_BASEADDR" BASEVALUE="0x{controller_base:08X}" \
HIGHNAME="C_HIGHADDR" HIGHVALUE="0x{controller_high:08X}" INSTANCE="{controller}" IS_DATA="TRUE" \
MASTERBUSINTERFACE="{control}" MEMTYPE="REGISTER" SLAVEBUSINTERFACE="s_axi"/>
      </MEMORYMAP>
    </MODULE>
    <MODULE FULLNAME="/{controller}" INSTANCE="{controller}" IPTYPE="PERIPHERAL" IS_ENABLE="1" \
MODCLASS="PERIPHERAL" MODTYPE="axi_intc" VLNV="xilinx.com:ip:axi_intc:4.1">
      <PORTS>
        <PORT DIR="I" LEFT="0" NAME="intr" RIGHT="0" SIGIS="INTERRUPT" SIGNAME="interrupt">
          <CONNECTIONS>
            <CONNECTION INSTANCE="{instance}" PORT="interrupt_o"/>
          </CONNECTIONS>
        </PORT>
        <PORT DIR="O" NAME="irq" SIGIS="INTERRUPT" SIGNAME="irq">
          <CONNECTIONS>
            <CONNECTION INSTANCE="{ps}" PORT="{interrupt}"/>
          </CONNECTIONS>
        </PORT>
      </PORTS>
      <BUSINTERFACES>
        <BUSINTERFACE NAME="s_axi" TYPE="SLAVE" VLNV="xilinx.com:interface:aximm:1.0"/>
      </BUSINTERFACES>
    </MODULE>
    <MODULE FULLNAME="/{instance}" INSTANCE="{instance}" IPTYPE="PERIPHERAL" IS_ENABLE="1" \
MODCLASS="PERIPHERAL" MODTYPE="{modtype}" VLNV="{vlnv}">
      <PARAMETERS>
{parameters}
      </PARAMETERS>
      <ADDRESSBLOCKS>
        <ADDRESSBLOCK ACCESS="read-write" INTERFACE="s_axil" NAME="Reg" RANGE="4096" \
USAGE="register">
          <REGISTERS>
{registers}
          </REGISTERS>
        </ADDRESSBLOCK>
      </ADDRESSBLOCKS>
      <PORTS>
        <PORT DIR="O" NAME="interrupt_o" SIGIS="INTERRUPT" SIGNAME="interrupt">
          <CONNECTIONS>
            <CONNECTION INSTANCE="{controller}" PORT="intr"/>
          </CONNECTIONS>
        </PORT>
      </PORTS>
      <BUSINTERFACES>
        <BUSINTERFACE NAME="s_axil" TYPE="SLAVE" VLNV="xilinx.com:interface:aximm:1.0"/>
{memory_masters}
      </BUSINTERFACES>
      <MEMORYMAP>
{memory_ranges}
      </MEMORYMAP>
    </MODULE>
  </MODULES>
</EDKSYSTEM>
"""
