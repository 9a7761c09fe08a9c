"""Programs as text: a line for each descriptor."""

from __future__ import annotations

from collections.abc import Iterator

from specbp.overlay.compiler import Compiled
from specbp.overlay.isa import (
    Addend,
    Buffer,
    Copy,
    Descriptor,
    End,
    Fill,
    Gate,
    Load,
    LoadIndex,
    LoadTransposed,
    Loops,
    Mac,
    Mask,
    Maximum,
    Move,
    Moves,
    Nop,
    Result,
    Select,
    Sgd,
    Skip,
    Softmax,
    Store,
    Total,
)


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
        words = [f"{position:{width}}", f"{_name(one.descriptor):15}", _fields(one.descriptor)]
        words += [_order(one.descriptor), f"; {one.tag.tile}" if one.tag.tile else ""]
        yield "  ".join(word for word in words if word)


def _name(descriptor: Descriptor) -> str:
    if isinstance(descriptor, LoadTransposed):
        return "LOAD_TRANSPOSED"
    if isinstance(descriptor, LoadIndex):
        return "LOAD_INDEX"
    return type(descriptor).__name__.upper()


def _order(descriptor: Descriptor) -> str:
    if isinstance(descriptor, Nop | Copy | End | Skip):
        return ""
    order = descriptor.order
    waits, signals = ("".join(map(str, numbers)) for numbers in (order.waits, order.signals))
    # Those that all cores share have an s.
    waits += f"s{order.shared_wait}" if order.shared_wait else ""
    signals += f"s{order.shared_signal}" if order.shared_signal else ""
    return f"<{waits}>{signals}" if waits or signals else ""


def _fields(it: Descriptor) -> str:
    match it:
        case Nop():
            return "barrier" if not it.cycles else f"{it.cycles} cycles"
        case Copy():
            return f"0x{it.source:08X} to 0x{it.destination:08X}, {it.size} bytes"
        case End():
            return ""
        case Load():
            where = f"{Buffer(it.buffer).name.lower()}[{it.base}]"
            return f"0x{it.address:08X} -> {where}, {it.run}{_moves(it.moves)}"
        case Skip():
            when = "above" if it.above else "at most"
            return f"{it.count} descriptors where table[{it.entry}] is {when} {it.limit}"
        case LoadIndex():
            return f"0x{it.address:08X} int16 {it.element} -> table[{it.base}], {it.run}"
        case Gate():
            distance = "sum" if it.total else "largest"
            return (
                f"{it.samples} of scalar[{it.actual}], scalar[{it.cached}], {distance} below "
                f"{it.limit}, records {it.records} -> output[{it.result}]"
            )
        case Fill():
            where = f"{Buffer(it.buffer).name.lower()}[{it.base}]"
            return f"{it.value} -> {where}, {it.run}{_moves(it.moves)}"
        case LoadTransposed():
            row = f"rows {it.row:+d}"
            return f"0x{it.address:08X} {row} -> vector[{it.base}], {it.run}{_moves(it.moves)}"
        case Store():
            return f"output[{it.base}] -> 0x{it.address:08X}, {it.run}{_moves(it.moves)}"
        case Mac():
            return _mac(it)
        case Maximum():
            index = "" if it.index is None else f", index output[{it.index}]"
            return f"scalar[{it.a}] over {_loops(it.reducing)} -> {_results(it)}{index}"
        case Total():
            return f"scalar[{it.a}] over {_loops(it.reducing)} >> {it.shift} -> {_results(it)}"
        case Mask():
            return f"scalar[{it.b}] where scalar[{it.a}] -> {_results(it)}"
        case Select():
            chosen = f"scalar[{it.a}] where scalar[{it.b}] = {it.t}"
            return f"{chosen} over {_loops(it.reducing)} -> {_results(it)}"
        case Softmax():
            return (
                f"{it.samples} of scalar[{it.logits}], labels {it.labels} -> "
                f"output[{it.probabilities}], output[{it.deltas}]"
            )
        case Sgd():
            return (
                f"{it.fours} x 4 of scalar[{it.masters}], [{it.momenta}], [{it.gradients}] -> "
                f"output[{it.result}]"
            )


def _mac(it: Mac) -> str:
    target = "partial" if it.kind == Result.SUMS else "output"
    addend = {
        Addend.NONE: "",
        Addend.BIAS: f" + bias[{it.addend_base}] << {it.left}",
        Addend.PARTIAL: f" + partial[{it.addend_base}]",
    }[it.addend]
    rounded = "" if it.kind == Result.SUMS else f" >> {it.shift} {it.kind.name.lower()}"
    relu = " ReLU" if it.relu else ""
    return (
        f"element {it.scalars} * vector[{it.vectors}] over {_loops(it.reducing)}{addend}{rounded}"
        f"{relu} -> {target}[{it.result}] x {it.groups}, {_loops(it.results)}"
    )


def _results(it: Maximum | Total | Mask | Select) -> str:
    return f"output[{it.result}], {_loops(it.results)}"


def _loops(loops: Loops) -> str:
    shown = [f"{loop.count}({loop.a},{loop.b})" for loop in loops if loop.count > 1]
    return " ".join(shown) or "1"


def _moves(moves: Moves) -> str:
    def stride(move: Move) -> str:
        if move.table is not None:
            return f"table[{move.table}]*{move.memory}"
        return f"{move.memory:+d}"

    return "".join(f" x {move.count}({stride(move)},{move.buffer:+d})" for move in moves)
