"""Properties of the RTL's blocks: nothing breaks them in any way within so many cycles, or ever.

SPECBP_FORMAL_SECONDS says how long each is searched at most, 3 unless set; with more than 10, all
are proven if that can be done in as long. `tox run -e formal` takes minutes.
"""

import os
from typing import NamedTuple

import pytest

from tests.overlay.formal import PROPERTIES, make_circuit, prove, search, sources

pytest.importorskip("pyosys", reason="needs the extra rtl")

SECONDS = int(os.environ.get("SPECBP_FORMAL_SECONDS", "3"))
THOROUGH = SECONDS > 10
LONGEST_PROOF_S = 120


class Block(NamedTuple):
    """A block of the RTL.

    Attributes:
        inside: the modules that it consists of.
        cycles: in which a break is searched for.
        proven: whether the properties are proven for any number of cycles, in seconds.
        faults: what must break a property: file, what stands there, what is planted.
    """

    inside: tuple[str, ...]
    cycles: int
    proven: bool
    faults: tuple[tuple[str, str, str], ...]


ENGINE = ("stream_fifo", "burst_splitter")
BLOCKS = {
    "stream_fifo": Block(
        ("stream_fifo",),
        12,
        True,
        (
            ("stream_fifo", "!= (IndexWidth + 1)'(Depth);", "!= (IndexWidth + 1)'(Depth + 1);"),
            ("stream_fifo", "if (pop) read_q <= read_q + 1'b1;", "if (out_ready_i) read_q <= "
             "read_q + 1'b1;"),
        ),
    ),
    "axi_read_engine": Block(
        ("axi_read_engine", *ENGINE),
        9,
        False,
        (
            ("burst_splitter", "5'd16 - {1'b0, address_q[6:3]}", "5'd16"),
            ("axi_read_engine", "requests_ready && queue_ready;", "requests_ready;"),
            ("axi_read_engine", ".clear_i    (1'b0),\n    .in_valid_i (request),\n    "
             ".in_ready_o (requests_ready)", ".clear_i    (abort_i),\n    .in_valid_i (request),\n"
             "    .in_ready_o (requests_ready)"),
            ("burst_splitter", "last_q    <= left <= CountWidth'(16);", "last_q    <= 1'b1;"),
        ),
    ),
    "axi_write_engine": Block(
        ("axi_write_engine", *ENGINE),
        9,
        False,
        (
            ("axi_write_engine", " && pending_q < PendingWidth'(Outstanding);", ";"),
            ("axi_write_engine", "{abort_i ? 8'h00 :", "{1'b0 ? 8'h00 :"),
            ("axi_write_engine", "beat_last ? '0 : beat_q + 1'b1", "beat_q + 1'b1"),
            ("axi_write_engine", ".in_data_i  (burst_last && final_q)", ".in_data_i  (final_q)"),
        ),
    ),
    "axi_lite": Block(
        ("specbp_regs",),
        12,
        False,
        (
            ("specbp_regs", "if(axil_n_in_flight < 2'd3) begin", "if(1'b1) begin"),
        ),
    ),
}  # fmt: skip
FAULTS = [(name, fault) for name, block in BLOCKS.items() for fault in block.faults]


def circuit_of(name, folder, fault=None):
    """Make the circuit of a block's properties, with a fault in the RTL."""
    files = sources(*BLOCKS[name].inside)
    if fault is not None:
        stem, old, new = fault
        (path,) = [path for path in files if path.stem == stem]
        text = path.read_text()
        assert text.count(old) == 1, f"{stem}: the place of this fault is not there"
        files[files.index(path)] = folder / path.name
        (folder / path.name).write_text(text.replace(old, new))
    top = f"{name}_properties"
    return make_circuit(top, [*files, PROPERTIES / f"{top}.sv"], folder)


@pytest.mark.parametrize("name", BLOCKS)
def test_nothing_breaks_a_property(tmp_path, name):
    """In all ways in which the block can be used within so many cycles of its start."""
    circuit, block = circuit_of(name, tmp_path), BLOCKS[name]
    found = search(circuit, 40 if THOROUGH else block.cycles, SECONDS)
    print(f"{name}: {found.said}")
    assert found.broken is None, found.broken
    if block.proven or THOROUGH:
        proof = prove(circuit, max(SECONDS, LONGEST_PROOF_S))
        print(f"{name}: {proof.said}")
        assert proof.broken is None, proof.broken
        assert proof.proven or not block.proven, proof.said


@pytest.mark.parametrize(("name", "fault"), FAULTS)
def test_a_fault_breaks_a_property(tmp_path, name, fault):
    """Kind: a property that nothing can break, or an assumption that excludes everything."""
    found = search(circuit_of(name, tmp_path, fault), 40, 60)
    assert found.broken is not None, found.said
