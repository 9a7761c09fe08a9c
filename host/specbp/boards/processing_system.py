"""The two processing systems that boards have: what their pins, clocks and parameters are called.

`ps7` is that of Zynq-7000, `ps8` that of Zynq UltraScale+. Names are those of Vivado's block
designs and hardware handoffs, and of the registers that pynq sets.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from specbp.boards.board import Board
from specbp.errors import UsageError

MOST_DIVISOR = 63


@dataclass(frozen=True)
class MemoryPort:
    """A port of the processing system, through which a core reaches memory.

    Attributes:
        name: the port, such as ``S_AXI_HP0_FPD``.
        clock_pin: pin of the port's clock.
        segment: range of memory, as Vivado addresses it, below the processing system.
        block: range of memory, as a handoff names it.
    """

    name: str
    clock_pin: str
    segment: str
    block: str


@dataclass(frozen=True)
class ProcessingSystem:
    """A processing system.

    Attributes:
        module: the IP's name, MODTYPE in a handoff.
        vlnv: name of the IP for `create_bd_cell`; the newest version where it ends in ``*``.
        rule: Vivado's automation that applies a board's preset.
        handoff_version: handoff version of the IP, in handoffs for the simulation.
        instance: the cell in the block design.
        architecture: ARCH in a handoff, and the family that the packaged IP supports.
        machine: what the kernel calls it, by which pynq chooses registers of clocks.
        clock_pin: the overlay's clock.
        reset_pin: reset of the programmable logic.
        interrupt_pin: pin that takes interrupts.
        interrupt: number of its first interrupt, as pynq counts.
        control_clock: the pin that clocks a port to the logic, by the port's name.
        memory_port: what is known of a port by its name.
        parameters: what a handoff says about clocks and ports.
        properties: what Vivado is told, without ``CONFIG.``.
    """

    module: str
    vlnv: str
    rule: str
    handoff_version: str
    instance: str
    architecture: str
    machine: str
    clock_pin: str
    reset_pin: str
    interrupt_pin: str
    interrupt: int
    control_clock: Callable[[str], str]
    memory_port: Callable[[str], MemoryPort]
    parameters: Callable[[Board, int, float], Mapping[str, object]]
    properties: Callable[[Board, int, float], Mapping[str, object]]


def processing_system(board: Board) -> ProcessingSystem:
    """Return the processing system of `board`."""
    return _SYSTEMS[board.processing_system]


def clock_divisors(board: Board, clock_mhz: float) -> tuple[int, int]:
    """Return the divisors that make `clock_mhz` of the PLL of `board`, the larger one first.

    Raises:
        UsageError: none do, or the ports of the board are not that fast.
    """
    if clock_mhz > board.most_mhz:
        raise UsageError(
            f"a clock of {clock_mhz:g} MHz: the ports of {board.name} take at most "
            f"{board.most_mhz:g} MHz"
        )
    product = round(board.pll_mhz / clock_mhz)
    if abs(board.pll_mhz / clock_mhz - product) < 1e-6:
        for second in range(math.isqrt(product), 0, -1):
            if product % second == 0 and product // second <= MOST_DIVISOR:
                return product // second, second
    raise UsageError(
        f"a clock of {clock_mhz:g} MHz cannot be made from {board.pll_mhz:g} MHz by two divisors "
        f"up to {MOST_DIVISOR}: choose for example 100, {board.pll_mhz / 12:.6f} is "
        f"{board.pll_mhz:g} / 12, or 50"
    )


def _ps7_memory_port(name: str) -> MemoryPort:
    block = f"HP{name[-1]}_DDR_LOWOCM"
    return MemoryPort(name, f"{name}_ACLK", f"{name}/{block}", "HP_DDR_LOWOCM")


def _ps7_parameters(board: Board, cores: int, clock_mhz: float) -> Mapping[str, object]:
    found: dict[str, object] = {}
    for clock in range(4):
        first, second = clock_divisors(board, clock_mhz if clock == 0 else 100)
        found |= {
            f"PCW_FPGA_FCLK{clock}_ENABLE": int(clock == 0),
            f"PCW_FCLK{clock}_PERIPHERAL_CLKSRC": board.pll,
            f"PCW_FCLK{clock}_PERIPHERAL_DIVISOR0": first,
            f"PCW_FCLK{clock}_PERIPHERAL_DIVISOR1": second,
        }
    for port in board.memory_ports[:cores]:
        found[f"C_{port}_DATA_WIDTH"] = board.memory_width
    # Vivado writes no such parameter here; pynq 4.0 looks for it in whatever system, and these
    # handoffs are for the simulation, which both versions drive.
    return found | {"PSU__CRL_APB__PL0_REF_CTRL__ACT_FREQMHZ": f"{clock_mhz:.6f}"}


def _ps7_properties(board: Board, cores: int, clock_mhz: float) -> Mapping[str, object]:
    first, second = clock_divisors(board, clock_mhz)
    found: dict[str, object] = {
        "PCW_EN_CLK0_PORT": 1,
        "PCW_FPGA_FCLK0_ENABLE": 1,
        "PCW_FCLK0_PERIPHERAL_CLKSRC": board.pll,
        "PCW_FPGA0_PERIPHERAL_FREQMHZ": f"{clock_mhz:g}",
        "PCW_FCLK0_PERIPHERAL_DIVISOR0": first,
        "PCW_FCLK0_PERIPHERAL_DIVISOR1": second,
        f"PCW_USE_{board.control_port}": 1,
        "PCW_USE_FABRIC_INTERRUPT": 1,
        "PCW_IRQ_F2P_INTR": 1,
    }
    for port in board.memory_ports[:cores]:
        found[f"PCW_USE_{port}"] = 1
        found[f"PCW_{port}_DATA_WIDTH"] = board.memory_width
    return found


_PS8_MASTERS = {"M_AXI_HPM0_FPD": 0, "M_AXI_HPM1_FPD": 1, "M_AXI_HPM0_LPD": 2}


def _ps8_slave(port: str) -> int:
    """Return the number that parameters have for a port: HP0 is SAXIGP2."""
    return int(port.removeprefix("S_AXI_HP")[0]) + 2


def _ps8_memory_port(name: str) -> MemoryPort:
    number = _ps8_slave(name)
    block = f"HP{number - 2}_DDR_LOW"
    pin = name.lower().replace("s_axi_", "saxi") + "_aclk"
    return MemoryPort(name, pin, f"SAXIGP{number}/{block}", block)


def _ps8_parameters(board: Board, cores: int, clock_mhz: float) -> Mapping[str, object]:
    found: dict[str, object] = {}
    for clock in range(4):
        mhz = clock_mhz if clock == 0 else 100
        first, second = clock_divisors(board, mhz)
        found |= {
            f"PSU__FPGA_PL{clock}_ENABLE": int(clock == 0),
            f"PSU__CRL_APB__PL{clock}_REF_CTRL__SRCSEL": board.pll,
            f"PSU__CRL_APB__PL{clock}_REF_CTRL__DIVISOR0": first,
            f"PSU__CRL_APB__PL{clock}_REF_CTRL__DIVISOR1": second,
            f"PSU__CRL_APB__PL{clock}_REF_CTRL__ACT_FREQMHZ": f"{mhz:.6f}",
        }
    # pynq sets the widths of the ports by these when it programs the logic.
    found[f"C_MAXIGP{_PS8_MASTERS[board.control_port]}_DATA_WIDTH"] = board.control_width
    for port in board.memory_ports[:cores]:
        found[f"C_SAXIGP{_ps8_slave(port)}_DATA_WIDTH"] = board.memory_width
    return found


def _ps8_properties(board: Board, cores: int, clock_mhz: float) -> Mapping[str, object]:
    control = _PS8_MASTERS[board.control_port]
    found: dict[str, object] = {
        # What the logic does not use, a preset may have opened.
        **{f"PSU__USE__M_AXI_GP{number}": int(number == control) for number in range(3)},
        f"PSU__MAXIGP{control}__DATA_WIDTH": board.control_width,
        "PSU__USE__IRQ0": 1,
        "PSU__USE__FABRIC__RST": 1,
        "PSU__FPGA_PL0_ENABLE": 1,
        "PSU__OVERRIDE__BASIC_CLOCK": 0,
        "PSU__CRL_APB__PL0_REF_CTRL__SRCSEL": board.pll,
        "PSU__CRL_APB__PL0_REF_CTRL__FREQMHZ": f"{clock_mhz:g}",
    }
    for port in board.memory_ports[:cores]:
        found[f"PSU__USE__S_AXI_GP{_ps8_slave(port)}"] = 1
        found[f"PSU__SAXIGP{_ps8_slave(port)}__DATA_WIDTH"] = board.memory_width
    return found


_SYSTEMS: Mapping[str, ProcessingSystem] = {
    "ps7": ProcessingSystem(
        module="processing_system7",
        vlnv="xilinx.com:ip:processing_system7:5.5",
        rule="xilinx.com:bd_rule:processing_system7",
        handoff_version="5.5",
        instance="ps7_0",
        architecture="zynq",
        machine="armv7l",
        clock_pin="FCLK_CLK0",
        reset_pin="FCLK_RESET0_N",
        interrupt_pin="IRQ_F2P",
        interrupt=61,
        control_clock=lambda port: f"{port}_ACLK",
        memory_port=_ps7_memory_port,
        parameters=_ps7_parameters,
        properties=_ps7_properties,
    ),
    "ps8": ProcessingSystem(
        module="zynq_ultra_ps_e",
        vlnv="xilinx.com:ip:zynq_ultra_ps_e:*",
        rule="xilinx.com:bd_rule:zynq_ultra_ps_e",
        handoff_version="3.5",
        instance="zynq_ultra_ps_e_0",
        architecture="zynquplus",
        machine="aarch64",
        clock_pin="pl_clk0",
        reset_pin="pl_resetn0",
        interrupt_pin="pl_ps_irq0",
        interrupt=121,
        control_clock=lambda port: port.lower().replace("m_axi_", "maxi") + "_aclk",
        memory_port=_ps8_memory_port,
        parameters=_ps8_parameters,
        properties=_ps8_properties,
    ),
}
