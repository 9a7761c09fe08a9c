"""Programs as text: a line for each descriptor."""

from __future__ import annotations

from collections.abc import Iterator

from specbp.overlay.compiler import Compiled
from specbp.overlay.instructions import Descriptor


def lines(compiled: Compiled, core: int = 0) -> Iterator[str]:
    """Yield a line for each descriptor, and a heading where a pass begins.

    Memory is shown in hexadecimal, buffers by name with words in brackets (vector and partial:
    rows), loops innermost first as count and strides, waits before and signals after an arrow.
    """
    heading, program = None, compiled.programs[core]
    width = len(str(len(program) - 1))
    if len(compiled.programs) > 1:
        yield f"== core {core}"
    for position, one in enumerate(program):
        if one.tag.of_pass != heading:
            heading = one.tag.of_pass
            yield f"-- {one.tag.layer}: {one.tag.work}"
        words = [f"{position:{width}}", f"{one.descriptor.opcode.name:15}", one.descriptor.text]
        words += [_order(one.descriptor), f"; {one.tag.tile}" if one.tag.tile else ""]
        yield "  ".join(word for word in words if word)


def _order(descriptor: Descriptor) -> str:
    order = descriptor.order
    waits, signals = ("".join(map(str, numbers)) for numbers in (order.waits, order.signals))
    # Those that all cores share have an s.
    waits += f"s{order.shared_wait}" if order.shared_wait else ""
    signals += f"s{order.shared_signal}" if order.shared_signal else ""
    return f"<{waits}>{signals}" if waits or signals else ""
