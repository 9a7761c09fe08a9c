"""What the overlay is called in a hardware handoff, and what all boards have in common.

Vivado writes a handoff beside a bitstream: XML from which pynq learns which IP lies where.
`specbp.boards.handoff` writes the same for the simulation. A board's own ports and addresses
are in its file (`specbp.boards.board`).
"""

DESIGN = "specbp"
INSTANCE = "specbp_0"
VLNV = "specbp:overlay:specbp_overlay:1.0"
CONTROLLER = "axi_intc_0"
SPAN = 0x1000
CONTROLLER_SPAN = 0x1000
CLOCK_MHZ = 100.0
"""The overlay's clock unless a build sets another."""
MOST_CORES = 2
