"""Training on the FPGA overlay: a board, its cycle-accurate simulation, or its cycle model."""
