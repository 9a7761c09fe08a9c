"""The parameters of a build of the overlay, and the identifier that stands for them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace

from specbp.errors import UsageError
from specbp.overlay import register_map
from specbp.overlay.hwh import MOST_CORES
from specbp.overlay.register import Register

BUFFERS = ("scalar_words", "vector_rows", "bias_rows", "output_words", "partial_rows")
"""The parameters that are sizes of buffers."""


@dataclass(frozen=True)
class Parameters:
    """What can be chosen when the overlay is built.

    Attributes:
        lanes: multiply-accumulate lanes of a core.
        cores: compute cores.
        copy_words: 64-bit words of the buffer between reads and writes of COPY.
        outstanding_reads: read bursts under way at most.
        outstanding_writes: write bursts under way at most.
        scalar_words: size of the scalar buffer, words of 64 bits.
        vector_rows: size of the vector buffer, rows of an int16 for each lane.
        bias_rows: size of the bias buffer, rows of four int32.
        output_words: size of the output buffer, words.
        partial_rows: size of the partial buffer, rows of four sums of 48 bits.
        queue_depth: descriptors that wait for a unit at most.
    """

    lanes: int = 16
    cores: int = 1
    copy_words: int = 64
    outstanding_reads: int = 8
    outstanding_writes: int = 8
    scalar_words: int = 4096
    vector_rows: int = 1024
    bias_rows: int = 512
    output_words: int = 2048
    partial_rows: int = 2048
    queue_depth: int = 8

    @property
    def groups(self) -> int:
        """Fours of lanes: words of a row of the vector buffer."""
        return self.lanes // 4

    @property
    def size(self) -> str:
        """Cores and lanes, in words."""
        return f"{self.cores} core{'s' * (self.cores > 1)} of {self.lanes} lanes"

    @property
    def described(self) -> str:
        """Size and build identifier, as the frame `runs` has what was programmed."""
        return f"{self.size}, build 0x{self.build_identifier:08X}"

    def covers(self, needed: Parameters) -> bool:
        """Return whether this overlay runs what `needed` runs: further cores may rest."""
        return replace(self, cores=needed.cores) == needed and self.cores >= needed.cores

    def __post_init__(self) -> None:
        _check("lanes", self.lanes, (16, 32, 64))
        _check("cores", self.cores, tuple(range(1, MOST_CORES + 1)))
        _check("copy_words", self.copy_words, (16, 32, 64, 128, 256, 512))
        for name in ("outstanding_reads", "outstanding_writes"):
            _check(name, getattr(self, name), (2, 4, 8, 16))
        _check("queue_depth", self.queue_depth, (4, 8, 16, 32))
        for name in BUFFERS:
            _check(name, getattr(self, name), (256, 512, 1024, 2048, 4096))

    @property
    def build_identifier(self) -> int:
        """32 bits of a hash of the parameters and of the register map."""
        description = json.dumps(
            {"interface": register_map.INTERFACE, **asdict(self)}, sort_keys=True
        )
        return int(hashlib.sha256(description.encode()).hexdigest()[:8], 16)

    @property
    def verilog(self) -> dict[str, int]:
        """The parameters of `specbp_overlay.sv`."""
        return {
            "Lanes": self.lanes,
            "Cores": self.cores,
            "CopyWords": self.copy_words,
            "OutstandingReads": self.outstanding_reads,
            "OutstandingWrites": self.outstanding_writes,
            "ScalarWords": self.scalar_words,
            "VectorRows": self.vector_rows,
            "BiasRows": self.bias_rows,
            "OutputWords": self.output_words,
            "PartialRows": self.partial_rows,
            "QueueDepth": self.queue_depth,
            "BuildIdentifier": self.build_identifier,
        }

    @property
    def ip(self) -> dict[str, str]:
        """The parameters of the packaged IP, as Vivado takes them and as the handoff has them.

        The identifier is a bit string there: an integer beyond 2^31 would be out of range.
        """
        numbers = {name: str(value) for name, value in self.verilog.items()}
        return numbers | {"BuildIdentifier": f"0x{self.build_identifier:08X}"}


def read_parameters(read: Callable[[int], int]) -> Parameters:
    """Return the parameters that the registers show; `read` reads one by its offset.

    Raises:
        UsageError: a value that no build has.
    """
    return Parameters(
        lanes=_field(read, register_map.SHAPE, "lanes"),
        cores=_field(read, register_map.SHAPE, "ncores"),
        queue_depth=_field(read, register_map.SHAPE, "queue"),
        copy_words=_field(read, register_map.BUFFERS, "copy_words"),
        outstanding_reads=_field(read, register_map.BURSTS, "reads"),
        outstanding_writes=_field(read, register_map.BURSTS, "writes"),
        scalar_words=_field(read, register_map.WORDS, "scalar"),
        output_words=_field(read, register_map.WORDS, "results"),
        vector_rows=_field(read, register_map.ROWS, "vector"),
        partial_rows=_field(read, register_map.ROWS, "partial"),
        bias_rows=_field(read, register_map.BUFFERS, "bias_rows"),
    )


def _field(read: Callable[[int], int], register: Register, name: str) -> int:
    return register.field(name).of(read(register.offset))


def _check(name: str, value: int, allowed: tuple[int, ...]) -> None:
    if value not in allowed:
        choices = ", ".join(map(str, allowed))
        raise UsageError(f"overlay parameter {name} = {value}: choose one of {choices}")
