"""The clocks that pynq sets, which are those of one device for the whole process."""

from __future__ import annotations

from specbp.overlay.quiet import pynq_imports

with pynq_imports():
    from pynq.ps import Clocks


def forget_clocks() -> None:
    """Let pynq find its clocks again: they belong for ever to the first device they saw."""
    if "_real_instance" in vars(Clocks):
        del Clocks._real_instance
    Clocks.device = None
