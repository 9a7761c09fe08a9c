"""Generate everything that follows from the register map `specbp.rdl`.

`python -m specbp.overlay.registers` rewrites, in a checkout: the SystemVerilog register block and
codes and the documentation in `overlays/specbp/generated/`, and `register_map.py` beside this
file. They are committed, so that neither a board nor a simulation needs the generator; a test
checks that they are current.

Needs systemrdl-compiler and peakrdl-regblock (the extra `fpga`).
"""

from __future__ import annotations

import hashlib
import re
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from specbp.overlay.register import Field, Register
from specbp.overlay.sources import HARDWARE

NOTICE = "Generated from specbp.rdl by `python -m specbp.overlay.registers`; do not edit."
LICENCE = "// SPDX-License-Identifier: Apache-2.0\n"
"""First line of generated SystemVerilog. PeakRDL-regblock's documentation leaves all rights in what
it generates to the author of the register description."""
CODE_WIDTHS = {"error": 4, "response": 2, "opcode": 8}


@dataclass(frozen=True)
class Code:
    """A member of an enumeration of codes."""

    name: str
    value: int
    description: str


@dataclass(frozen=True)
class Map:
    """The register map: its registers by offset, its enumerations, and a hash of the source."""

    registers: tuple[Register, ...]
    codes: Mapping[str, tuple[Code, ...]]
    interface: str


def compile_map(rdl: Path) -> tuple[Map, Any]:
    """Return the map that `rdl` describes, and the compiler's own tree of it."""
    from peakrdl_regblock.udps import ALL_UDPS
    from systemrdl.compiler import RDLCompiler
    from systemrdl.node import RegNode

    compiler = RDLCompiler()
    for property_ in ALL_UDPS:
        compiler.register_udp(property_, soft=False)
    compiler.compile_file(str(rdl))
    root = compiler.elaborate()
    nodes = [node for node in root.top.descendants() if isinstance(node, RegNode)]
    registers = tuple(_register(node) for node in nodes)
    codes: dict[str, tuple[Code, ...]] = {}
    for node in nodes:
        for field in node.fields():
            encode = field.get_property("encode")
            if encode is not None:
                codes[_codes_name(encode)] = tuple(
                    Code(member.name, member.value, member.rdl_desc or "") for member in encode
                )
    return Map(registers, codes, hashlib.sha256(rdl.read_bytes()).hexdigest()[:16]), root


def generate(rdl: Path) -> dict[str, str]:
    """Return the generated files' text by name; `register_map.py` belongs into the package."""
    register_map, root = compile_map(rdl)
    return {
        **_register_block(root),
        "specbp_codes_pkg.sv": _codes_package(register_map),
        "REGISTERS.md": _markdown(register_map),
        "register_map.py": _python(register_map),
    }


def destination(name: str) -> Path:
    """Return where the generated file `name` lies."""
    return Path(__file__).parent / name if name.endswith(".py") else HARDWARE / "generated" / name


def _register(node: Any) -> Register:
    fields = tuple(_field(field) for field in node.fields())
    description = _one_line(node.get_property("desc"))
    name, bits = node.inst_name, node.get_property("regwidth")
    if not node.parent.is_array:
        return Register(name, node.absolute_address, bits, description, fields)
    first = node.parent.raw_absolute_address + node.address_offset
    return Register(name, first, bits, description, fields, node.parent.array_stride)


def _field(node: Any) -> Field:
    readable, writable = node.is_sw_readable, node.is_sw_writable
    if node.get_property("onwrite") is not None:
        access = "w1c"
    else:
        access = "rw" if readable and writable else "ro" if readable else "wo"
    encode = node.get_property("encode")
    return Field(
        node.inst_name,
        node.low,
        node.width,
        access,
        "" if encode is None else _codes_name(encode),
        _one_line(node.get_property("desc")),
    )


def _codes_name(encode: Any) -> str:
    return str(encode.type_name).removesuffix("_e")


def _one_line(text: str | None) -> str:
    return re.sub(r"\s+", " ", text or "").strip()


def _register_block(root: Any) -> dict[str, str]:
    from peakrdl_regblock import RegblockExporter
    from peakrdl_regblock.cpuif.axi4lite import AXI4Lite_Cpuif_flattened

    with tempfile.TemporaryDirectory() as folder:
        RegblockExporter().export(
            root,
            folder,
            cpuif_cls=AXI4Lite_Cpuif_flattened,
            module_name="specbp_regs",
            package_name="specbp_regs_pkg",
            address_width=12,
            err_if_bad_addr=True,
            retime_read_fanin=True,
        )
        return {path.name: LICENCE + path.read_text() for path in sorted(Path(folder).glob("*.sv"))}


def _codes_package(register_map: Map) -> str:
    lines = [f"{LICENCE}// {NOTICE}", "", "package specbp_codes_pkg;"]
    for kind, codes in register_map.codes.items():
        width = CODE_WIDTHS[kind]
        lines.append("")
        for code in codes:
            name = kind.title() + code.name.title().replace("_", "")
            value = f"{width}'d{code.value}"
            lines.append(f"  // {code.description}")
            lines.append(f"  localparam logic [{width - 1}:0] {name} = {value};")
    return "\n".join([*lines, "", "endpackage", ""])


def _markdown(register_map: Map) -> str:
    lines = [f"<!-- {NOTICE} -->", "# Registers", ""]
    lines += ["32-bit accesses over AXI4-Lite. Of a 64-bit register read the low half first.", ""]
    for register in register_map.registers:
        more = f", 0x{register.offset + register.stride:03X}" if register.stride else ""
        lines += [f"## 0x{register.offset:03X}{more} {register.name}", "", register.description, ""]
        lines += ["| bits | field | access | meaning |", "|---|---|---|---|"]
        for field in register.fields:
            high = field.low + field.width - 1
            bits = f"{high}:{field.low}" if field.width > 1 else f"{field.low}"
            codes = f" See {field.codes} codes." if field.codes else ""
            lines.append(f"| {bits} | {field.name} | {field.access} | {field.description}{codes} |")
        lines.append("")
    for kind, members in register_map.codes.items():
        lines += [f"## {kind.title()} codes", "", "| code | name | meaning |", "|---|---|---|"]
        lines += [f"| {code.value} | {code.name} | {code.description} |" for code in members]
        lines.append("")
    return "\n".join(lines)


def _python(register_map: Map) -> str:
    """Return `register_map.py`, laid out as `ruff format` would."""
    lines = [
        f'"""{NOTICE}"""',
        "",
        "from enum import IntEnum",
        "",
        "from specbp.overlay.register import Field, Register",
        "",
        f'INTERFACE = "{register_map.interface}"',
        '"""Hash of the register map."""',
        "",
    ]
    for kind, codes in register_map.codes.items():
        lines += ["", f"class {kind.title()}(IntEnum):", f'    """Codes: {kind}."""', ""]
        for code in codes:
            lines += [f"    {code.name} = {code.value}", f'    """{code.description}"""']
        lines.append("")
    for register in register_map.registers:
        lines += ["", f"{register.name} = Register(", f'    "{register.name}",']
        lines += [f"    0x{register.offset:03X},", f"    {register.bits},"]
        lines += [f"    {_quoted(register.description)},", "    ("]
        for field in register.fields:
            lines.append("        Field(")
            values = (
                _quoted(field.name),
                str(field.low),
                str(field.width),
                _quoted(field.access),
                _quoted(field.codes),
                _quoted(field.description),
            )
            lines += [f"            {value}," for value in values]
            lines.append("        ),")
        lines += ["    ),", *([f"    0x{register.stride:02X},"] if register.stride else []), ")"]
    names = ["    " + register.name + "," for register in register_map.registers]
    lines += ["", "REGISTERS = (", *names, ")", '"""All registers, by offset."""', ""]
    return "\n".join(lines)


def _quoted(text: str) -> str:
    return f"'{text}'" if '"' in text and "'" not in text else '"' + text.replace('"', '\\"') + '"'


def main() -> None:
    """Write the generated files of this checkout."""
    for name, text in generate(HARDWARE / "specbp.rdl").items():
        path = destination(name)
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)


if __name__ == "__main__":
    main()
