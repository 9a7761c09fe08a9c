"""The hardware handoff: the XML from which pynq learns which IP lies where.

Vivado writes one beside a bitstream; the simulation needs the same about the same block design,
which is: the processing system, our overlay on GP0, an HP port of its own for each core, and an AXI
interrupt controller between the overlay's interrupt and IRQ_F2P[0].
"""

from __future__ import annotations

from collections.abc import Iterable
from xml.sax.saxutils import quoteattr

from specbp.overlay.register import Field, Register, of_cores

DESIGN = "specbp"
INSTANCE = "specbp_0"
VLNV = "specbp:overlay:specbp_overlay:1.0"
BASE_ADDRESS = 0x43C00000
SPAN = 0x1000
CONTROLLER_BASE_ADDRESS = 0x41800000
CONTROLLER_SPAN = 0x1000
CLOCK_DIVISORS = (5, 2)
"""Of the 1 GHz IO PLL."""
CLOCK_MHZ = 1000 / (CLOCK_DIVISORS[0] * CLOCK_DIVISORS[1])
"""The overlay's clock unless a program sets another."""

HP_PORTS = ("S_AXI_HP0", "S_AXI_HP2")
"""Of the processing system, for core 0 and core 1: they reach the memory controller apart."""
MOST_CORES = len(HP_PORTS)
MEMORY_SPAN = 0x20000000
"""512 MB of DDR, from address 0 on."""

_ACCESS = {"ro": "read-only", "rw": "read-write", "wo": "write-only", "w1c": "read-write"}


def file_name(cores: int) -> str:
    """Return the name of the generated file for a build with so many cores."""
    return f"{DESIGN}-{cores}.hwh"


def text(registers: Iterable[Register], cores: int) -> str:
    """Return the hardware handoff of a block design with `registers` at `BASE_ADDRESS`."""
    register_block = "\n".join(_registers(of_cores(registers, cores)))
    ports = list(enumerate(HP_PORTS[:cores]))
    return _TEMPLATE.format(
        design=DESIGN,
        instance=INSTANCE,
        vlnv=VLNV,
        modtype=VLNV.split(":")[2],
        base=BASE_ADDRESS,
        high=BASE_ADDRESS + SPAN - 1,
        controller_base=CONTROLLER_BASE_ADDRESS,
        controller_high=CONTROLLER_BASE_ADDRESS + CONTROLLER_SPAN - 1,
        clocks="\n".join(_clocks()),
        registers=register_block,
        memory_slaves="\n".join(_SLAVE.format(port=port) for _, port in ports),
        memory_masters="\n".join(_MASTER.format(core=core) for core, _ in ports),
        memory_ranges="\n".join(
            _RANGE.format(core=core, port=port, high=MEMORY_SPAN - 1) for core, port in ports
        ),
    )


def _clocks() -> Iterable[str]:
    for clock in range(4):
        parameters = {
            f"PCW_FPGA_FCLK{clock}_ENABLE": int(clock == 0),
            f"PCW_FCLK{clock}_PERIPHERAL_CLKSRC": "IO PLL",
            f"PCW_FCLK{clock}_PERIPHERAL_DIVISOR0": CLOCK_DIVISORS[0],
            f"PCW_FCLK{clock}_PERIPHERAL_DIVISOR1": CLOCK_DIVISORS[1],
        }
        for name, value in parameters.items():
            yield f'        <PARAMETER NAME="{name}" VALUE="{value}"/>'


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


_SLAVE = """\
        <BUSINTERFACE NAME="{port}" TYPE="SLAVE" VLNV="xilinx.com:interface:aximm:1.0"/>\
"""
_MASTER = """\
        <BUSINTERFACE NAME="m{core}_axi" TYPE="MASTER" VLNV="xilinx.com:interface:aximm:1.0"/>\
"""
_RANGE = """\
        <MEMRANGE ADDRESSBLOCK="HP_DDR_LOWOCM" BASENAME="C_BASEADDR" BASEVALUE="0x00000000" \
HIGHNAME="C_HIGHADDR" HIGHVALUE="0x{high:08X}" INSTANCE="ps7_0" IS_DATA="TRUE" \
MASTERBUSINTERFACE="m{core}_axi" MEMTYPE="MEMORY" SLAVEBUSINTERFACE="{port}"/>\
"""

_TEMPLATE = """\
<?xml version="1.0" encoding="UTF-8"?>
<EDKSYSTEM EDWVERSION="1.2">
  <SYSTEMINFO ARCH="zynq" DEVICE="7z020" NAME="{design}" PACKAGE="clg400" SPEEDGRADE="-1"/>
  <EXTERNALPORTS/>
  <MODULES>
    <MODULE FULLNAME="/ps7_0" INSTANCE="ps7_0" IPTYPE="PERIPHERAL" IS_ENABLE="1" \
MODCLASS="PROCESSOR" MODTYPE="processing_system7" VLNV="xilinx.com:ip:processing_system7:5.5">
      <PARAMETERS>
{clocks}
      </PARAMETERS>
      <PORTS>
        <PORT DIR="I" LEFT="0" NAME="IRQ_F2P" RIGHT="0" SIGIS="INTERRUPT" SIGNAME="irq">
          <CONNECTIONS>
            <CONNECTION INSTANCE="axi_intc_0" PORT="irq"/>
          </CONNECTIONS>
        </PORT>
      </PORTS>
      <BUSINTERFACES>
        <BUSINTERFACE NAME="M_AXI_GP0" TYPE="MASTER" VLNV="xilinx.com:interface:aximm:1.0"/>
{memory_slaves}
      </BUSINTERFACES>
      <MEMORYMAP>
        <MEMRANGE ADDRESSBLOCK="Reg" BASENAME="C_BASEADDR" BASEVALUE="0x{base:08X}" \
HIGHNAME="C_HIGHADDR" HIGHVALUE="0x{high:08X}" INSTANCE="{instance}" IS_DATA="TRUE" \
MASTERBUSINTERFACE="M_AXI_GP0" MEMTYPE="REGISTER" SLAVEBUSINTERFACE="s_axil"/>
        <MEMRANGE ADDRESSBLOCK="Reg" BASENAME="C_BASEADDR" BASEVALUE="0x{controller_base:08X}" \
HIGHNAME="C_HIGHADDR" HIGHVALUE="0x{controller_high:08X}" INSTANCE="axi_intc_0" IS_DATA="TRUE" \
MASTERBUSINTERFACE="M_AXI_GP0" MEMTYPE="REGISTER" SLAVEBUSINTERFACE="s_axi"/>
      </MEMORYMAP>
    </MODULE>
    <MODULE FULLNAME="/axi_intc_0" INSTANCE="axi_intc_0" IPTYPE="PERIPHERAL" IS_ENABLE="1" \
MODCLASS="PERIPHERAL" MODTYPE="axi_intc" VLNV="xilinx.com:ip:axi_intc:4.1">
      <PORTS>
        <PORT DIR="I" LEFT="0" NAME="intr" RIGHT="0" SIGIS="INTERRUPT" SIGNAME="interrupt">
          <CONNECTIONS>
            <CONNECTION INSTANCE="{instance}" PORT="interrupt_o"/>
          </CONNECTIONS>
        </PORT>
        <PORT DIR="O" NAME="irq" SIGIS="INTERRUPT" SIGNAME="irq">
          <CONNECTIONS>
            <CONNECTION INSTANCE="ps7_0" PORT="IRQ_F2P"/>
          </CONNECTIONS>
        </PORT>
      </PORTS>
      <BUSINTERFACES>
        <BUSINTERFACE NAME="s_axi" TYPE="SLAVE" VLNV="xilinx.com:interface:aximm:1.0"/>
      </BUSINTERFACES>
    </MODULE>
    <MODULE FULLNAME="/{instance}" INSTANCE="{instance}" IPTYPE="PERIPHERAL" IS_ENABLE="1" \
MODCLASS="PERIPHERAL" MODTYPE="{modtype}" VLNV="{vlnv}">
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
            <CONNECTION INSTANCE="axi_intc_0" PORT="intr"/>
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
