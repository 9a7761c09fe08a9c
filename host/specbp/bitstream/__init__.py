"""Builds of the overlay: bitstream, hardware handoff, self-test and manifest in a folder."""
