"""What to say of a layer that does not fit."""

from __future__ import annotations

from collections.abc import Iterable

from specbp.errors import UsageError


def too_large(layer: str, work: str, needs: Iterable[tuple[int, int, str]]) -> UsageError:
    """Return the error for a pass that does not fit.

    Args:
        layer: name of the layer.
        work: which pass.
        needs: for each limit what is needed at least, what there is, and of what.
    """
    broken = [f"{need} {what}, of which it has {most}" for need, most, what in needs if need > most]
    return UsageError(
        f"layer {layer} does not fit the overlay: its {work} needs {' and '.join(broken)} "
        "(half the buffer: the other half is loaded meanwhile)"
    )
