"""Build the simulated overlay: a shared library per content hash, in a cache folder.

The Verilator runtime is compiled once for all.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Literal

from specbp.compiling import Compiler, cached, find_compiler, processor, run
from specbp.overlay.parameters import Parameters
from specbp.overlay.sources import HARDWARE, rtl_files
from specbp.simulation.toolchain import Verilator, find_verilator

Kind = Literal["fast", "checked"]
TOP = "specbp_overlay"
_KIND_FLAGS: Mapping[Kind, tuple[str, ...]] = {
    "fast": ("--no-assert", "+define+SPECBP_CLOCK_GATES"),
    "checked": ("--assert", "--trace-fst", "--coverage-line"),
}
_KIND_RUNTIME: Mapping[Kind, tuple[str, ...]] = {
    "fast": (),
    "checked": ("verilated_fst_c.cpp", "verilated_cov.cpp"),
}
_RUNTIME = ("verilated.cpp", "verilated_threads.cpp")
_CXX_FLAGS = ("-std=c++17", "-march=native", "-fPIC", "-fno-semantic-interposition", "-w")
_OPTIMISATION: Mapping[Kind, str] = {"fast": "-O3", "checked": "-O1"}
"""The checked build takes longer to compile than it usually runs."""


def build(parameters: Parameters, kind: Kind = "fast") -> Path:
    """Return the shared library of the overlay with `parameters`, building it if need be.

    Args:
        parameters: those of the overlay.
        kind: ``fast``; or ``checked``, which clocks every unit always, as the hardware does,
            checks assertions, counts lines, and can write waveforms: several times slower.

    Raises:
        ToolError: a tool is missing or failed.
    """
    verilator, compiler = find_verilator(), find_compiler()
    harness = sorted((HARDWARE / "sim").rglob("*.[ch]*"))
    settings = {
        "parameters": parameters.verilog,
        "kind": _KIND_FLAGS[kind],
        "tools": _tools(verilator, compiler),
    }
    key = _key(settings, [*rtl_files(), *harness, Path(__file__)])

    def make(folder: Path) -> Path:
        _verilate(verilator, parameters, kind, folder)
        objects = runtime(verilator, compiler, kind)
        flags = (
            *_flags(kind),
            f"-DSPECBP_CORES={parameters.cores}",
            f"-DSPECBP_MULTIPLYING={_multiplying(folder, parameters.cores)}",
        )
        return _compile_model(verilator, compiler, flags, folder, objects)

    return cached(f"model-{key}.so", make)


def runtime(verilator: Verilator, compiler: Compiler, kind: Kind) -> list[Path]:
    """Return the objects of Verilator's own runtime that a model of `kind` needs."""
    flags = _flags(kind)
    objects = []
    for name in (*_RUNTIME, *_KIND_RUNTIME[kind]):
        source = verilator.root / "include" / name
        settings = {"tools": _tools(verilator, compiler), "flags": flags}
        key = _key(settings, [source, Path(__file__)])

        def make(folder: Path, source: Path = source) -> Path:
            target = folder / "runtime.o"
            command = *compiler.command, *flags, *_includes(verilator)
            run([*command, "-c", str(source), "-o", str(target)])
            return target

        objects.append(cached(f"{source.stem}-{key}.o", make))
    return objects


def _verilate(verilator: Verilator, parameters: Parameters, kind: Kind, folder: Path) -> None:
    given = (f"-G{name}={value}" for name, value in parameters.verilog.items())
    verilator.run(
        [
            *("--cc", "--top-module", TOP, "--prefix", f"V{TOP}", "--Mdir", str(folder)),
            # What is not reset starts as noise: a forgotten reset shows.
            *("-O3", "--x-assign", "fast", "--x-initial", "unique", "--no-timing"),
            *("-Wall", "-Wno-fatal", "-Wno-lint", "-Wno-style", *_KIND_FLAGS[kind], *given),
            *map(str, rtl_files()),
        ]
    )


def _multiplying(folder: Path, cores: int) -> int:
    """Return the triggers of a cycle in which all cores multiply and do nothing else.

    A bit for each clock, in the order that Verilator gives in the model's messages; 0, which no
    cycle has, where it does not.
    """
    text = "".join(path.read_text() for path in sorted(folder.glob("*.cpp")))
    said = r"trigger index (\d+) is active: @\(posedge \(?(?:clk_i & )?([\w.]+)\)"
    clocks = {clock: int(index) for index, clock in re.findall(said, text)}
    wanted = [clock for clock in clocks if clock == "clk_i" or ".u_front." in clock]
    return sum(1 << clocks[clock] for clock in wanted) if len(wanted) == 1 + cores else 0


def _compile_model(
    verilator: Verilator,
    compiler: Compiler,
    flags: Sequence[str],
    folder: Path,
    objects: Sequence[Path],
) -> Path:
    """Compile Verilator's C++ and the harness as one unit: that is faster than one by one."""
    sources = sorted(folder.glob("*.cpp"))
    everything = folder / "everything.cc"
    harness = HARDWARE / "sim" / "harness.cpp"
    everything.write_text("".join(f'#include "{path}"\n' for path in (*sources, harness)))
    target = folder / "model.so"
    includes = (f"-I{folder}", f"-I{HARDWARE / 'sim'}", *_includes(verilator))
    run(
        [
            *(*compiler.command, *flags, *includes, "-shared"),
            *(str(everything), *map(str, objects), "-o", str(target)),
            "-pthread",
        ]
    )
    return target


def _flags(kind: Kind) -> tuple[str, ...]:
    values = {
        "VERILATOR": 1,
        "VM_COVERAGE": int(kind == "checked"),
        "VM_SC": 0,
        "VM_TIMING": 0,
        "VM_TRACE": int(kind == "checked"),
        "VM_TRACE_FST": int(kind == "checked"),
        "VM_TRACE_VCD": 0,
        "VM_TRACE_SAIF": 0,
    }
    defines = (f"-D{name}={value}" for name, value in values.items())
    return (*_CXX_FLAGS, _OPTIMISATION[kind], *defines)


def _includes(verilator: Verilator) -> tuple[str, ...]:
    include = verilator.root / "include"
    # The FST writer's compression libraries, which need not be installed.
    stand_ins = HARDWARE / "sim" / "uncompressed"
    return f"-I{include}", f"-I{include / 'vltstd'}", f"-I{stand_ins}"


def _tools(verilator: Verilator, compiler: Compiler) -> list[str]:
    command = [Path(compiler.command[0]).name, *compiler.command[1:]]
    return [verilator.version, compiler.version, *command, *_CXX_FLAGS, processor()]


def _key(settings: Mapping[str, object], files: Iterable[Path]) -> str:
    digest = hashlib.sha256(json.dumps(settings, sort_keys=True).encode())
    for path in files:
        digest.update(f"\0{path.name}\0".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()[:24]
