"""Puts a build together: names by content, hashes, manifest."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from specbp import durable
from specbp.bitstream import vectors
from specbp.bitstream.origin import remember
from specbp.bitstream.targets import Target, target_named
from specbp.boards import handoff
from specbp.boards.board import SIMULATED
from specbp.boards.configuration import configuration
from specbp.onboard import bitfile
from specbp.onboard.build import FORMAT, MANIFEST, Build, open_build, sha256
from specbp.overlay import hwh, register_map
from specbp.overlay.parameters import Parameters

SELFTEST = "selftest.bin"


def make_simulated(
    folder: Path,
    parameters: Parameters,
    clock_mhz: float = hwh.CLOCK_MHZ,
    target: Target | None = None,
) -> Build:
    """Make a build for the simulated board in `folder`: its bitstream holds the parameters.

    Everything else is as in a build for a real board, so that all that is done with one can be
    done without Vivado.

    Args:
        folder: made where it is missing.
        parameters: parameters of the overlay.
        clock_mhz: clock of the overlay, MHz.
        target: the simulation of some board; that of a PYNQ-Z2 if None.

    Raises:
        UsageError: there is no such clock.
    """
    target = target or target_named(SIMULATED)
    content = bitfile.write(
        bitfile.Bitfile(
            f"{hwh.DESIGN}_wrapper",
            parameters.build_identifier,
            # pynq's client keeps what it knows of a handoff by the bitstream's bytes alone.
            f"specbp-simulation, {clock_mhz:g} MHz",
            target.name,
            configuration(parameters),
        )
    )
    return finish(
        folder,
        target,
        parameters,
        clock_mhz,
        content,
        handoff.text(parameters, target.board, clock_mhz).encode(),
        {"tool": "specbp simulation"},
    )


def finish(
    folder: Path,
    target: Target,
    parameters: Parameters,
    clock_mhz: float,
    bitstream: bytes,
    hardware_handoff: bytes,
    facts: Mapping[str, Any],
) -> Build:
    """Write a build into `folder` and check it.

    Args:
        folder: made where it is missing.
        target: what the build is for.
        parameters: parameters of the overlay.
        clock_mhz: clock that it was built for, MHz.
        bitstream: content of the .bit file.
        hardware_handoff: content of the .hwh file.
        facts: what else the manifest says: tool, timing slack, utilisation.

    Raises:
        UsageError: the files do not belong together.
    """
    durable.make_folder(folder)
    # pynq keeps what it knows of a bitstream by its name: other content, other name.
    stem = f"{hwh.DESIGN}-{hashlib.sha256(bitstream + hardware_handoff).hexdigest()[:12]}"
    contents = {
        f"{stem}.bit": bitstream,
        f"{stem}.hwh": hardware_handoff,
        SELFTEST: vectors.selftest(parameters),
    }
    for name, content in contents.items():
        durable.write(folder / name, content)
    manifest = {
        "format": FORMAT,
        "board": target.name,
        "part": target.part,
        "parameters": asdict(parameters),
        "build_identifier": f"0x{parameters.build_identifier:08X}",
        "interface": register_map.INTERFACE,
        "clock_mhz": clock_mhz,
        **facts,
        "bitstream": f"{stem}.bit",
        "handoff": f"{stem}.hwh",
        "selftest": SELFTEST,
        "files": {name: sha256(folder / name) for name in sorted(contents)},
    }
    durable.write(folder / MANIFEST, (json.dumps(manifest, indent=2) + "\n").encode())
    build = open_build(folder)
    build.check()
    remember(build)
    return build
