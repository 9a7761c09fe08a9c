"""Generated from specbp.rdl by `python -m specbp.overlay.registers`; do not edit."""

from enum import IntEnum

from specbp.overlay.register import Field, Register

INTERFACE = "eede8c65cd7701e4"
"""Hash of the register map."""


class Error(IntEnum):
    """Codes: error."""

    NONE = 0
    """No error."""
    OPCODE = 1
    """A descriptor's opcode is unknown."""
    RANGE = 2
    """A descriptor's field is out of range, or its memory outside the window."""
    READ = 3
    """A data read was answered with an error; RESPONSE says which."""
    WRITE = 4
    """A data write was answered with an error; RESPONSE says which."""
    FETCH = 5
    """A descriptor could not be fetched; RESPONSE says why."""
    WATCHDOG = 6
    """No descriptor was dispatched or completed for longer than WATCHDOG allows."""
    NO_END = 7
    """The program's last descriptor is not END."""


class Response(IntEnum):
    """Codes: response."""

    OKAY = 0
    """No bus error."""
    EXOKAY = 1
    """Never seen: the overlay makes no exclusive accesses."""
    SLVERR = 2
    """The addressed slave reported an error."""
    DECERR = 3
    """No slave answers at the address."""


class Opcode(IntEnum):
    """Codes: opcode."""

    NOP = 0
    """Wait until all units are idle, then for word 1 cycles."""
    END = 1
    """End of the program."""
    COPY = 2
    """Copy word 3 bytes from address word 1 to address word 2."""
    SKIP = 3
    """Skip word 1 descriptors, or not, as an entry of the index table says."""
    LOAD = 16
    """Move memory into a buffer."""
    FILL = 17
    """Write one int16 into a pattern of words of a buffer."""
    LOAD_TRANSPOSED = 18
    """Move rows of memory into columns of the vector buffer."""
    LOAD_INDEX = 19
    """Move memory into the index table."""
    MAC = 32
    """Multiply scalars with vectors and sum up."""
    MAXIMUM = 33
    """Largest elements, and where they were found."""
    TOTAL = 34
    """Rounded sums of elements."""
    MASK = 35
    """Elements where others are positive, else 0."""
    SELECT = 36
    """Sums of the elements that were chosen."""
    SOFTMAX = 37
    """Softmax, and the deltas at the logits."""
    SGD = 38
    """One SGD step of some weights."""
    GATE = 39
    """Distances of softmax to cached ones, and which of them are accepted."""
    STORE = 48
    """Move words of the output buffer to memory."""


IDENTIFIER = Register(
    "IDENTIFIER",
    0x000,
    32,
    "What this is.",
    (
        Field(
            "value",
            0,
            32,
            "ro",
            "",
            'Always 0x53504250, "SPBP".',
        ),
    ),
)

BUILD = Register(
    "BUILD",
    0x004,
    32,
    "What was built: a hash of the parameters and of this register map.",
    (
        Field(
            "value",
            0,
            32,
            "ro",
            "",
            "Build identifier, as specbp.overlay.parameters computes it.",
        ),
    ),
)

SHAPE = Register(
    "SHAPE",
    0x008,
    32,
    "Shape of the compute cores.",
    (
        Field(
            "lanes",
            0,
            16,
            "ro",
            "",
            "Multiply-accumulate lanes of a core.",
        ),
        Field(
            "ncores",
            16,
            8,
            "ro",
            "",
            "Compute cores.",
        ),
        Field(
            "queue",
            24,
            8,
            "ro",
            "",
            "Descriptors that wait for a unit.",
        ),
    ),
)

BUFFERS = Register(
    "BUFFERS",
    0x00C,
    32,
    "Sizes of the buffers.",
    (
        Field(
            "copy_words",
            0,
            16,
            "ro",
            "",
            "64-bit words in the buffer between reads and writes of COPY.",
        ),
        Field(
            "bias_rows",
            16,
            16,
            "ro",
            "",
            "Rows of 4 int32 in the bias buffer.",
        ),
    ),
)

BURSTS = Register(
    "BURSTS",
    0x010,
    32,
    "What the memory ports do at most.",
    (
        Field(
            "reads",
            0,
            8,
            "ro",
            "",
            "Read bursts under way.",
        ),
        Field(
            "writes",
            8,
            8,
            "ro",
            "",
            "Write bursts under way.",
        ),
        Field(
            "beats",
            16,
            8,
            "ro",
            "",
            "Beats of 8 bytes in a burst.",
        ),
    ),
)

WORDS = Register(
    "WORDS",
    0x014,
    32,
    "Sizes of the buffers of 64-bit words.",
    (
        Field(
            "scalar",
            0,
            16,
            "ro",
            "",
            "Words of the scalar buffer.",
        ),
        Field(
            "results",
            16,
            16,
            "ro",
            "",
            "Words of the output buffer.",
        ),
    ),
)

ROWS = Register(
    "ROWS",
    0x018,
    32,
    "Sizes of the buffers of rows.",
    (
        Field(
            "vector",
            0,
            16,
            "ro",
            "",
            "Rows of the vector buffer, an int16 for each lane.",
        ),
        Field(
            "partial",
            16,
            16,
            "ro",
            "",
            "Rows of the partial buffer, 4 sums of 48 bits.",
        ),
    ),
)

CONTROL = Register(
    "CONTROL",
    0x020,
    32,
    "Starts and stops. Reads as zero.",
    (
        Field(
            "start",
            0,
            1,
            "wo",
            "",
            "Write 1 to run the programs of all cores that have one; ignored while a core is busy.",
        ),
        Field(
            "reset",
            1,
            1,
            "wo",
            "",
            "Write 1 to stop all cores: no new bursts, those under way are completed (writes without effect), then everything but the registers is reset. STATUS.busy tells when.",
        ),
    ),
)

WATCHDOG = Register(
    "WATCHDOG",
    0x038,
    32,
    "How long a core may dispatch and complete nothing.",
    (
        Field(
            "value",
            0,
            32,
            "rw",
            "",
            "Cycles; 0 is no limit.",
        ),
    ),
)

WINDOW_FIRST = Register(
    "WINDOW_FIRST",
    0x040,
    32,
    "First byte of memory that descriptors may touch.",
    (
        Field(
            "value",
            0,
            32,
            "rw",
            "",
            "Physical address.",
        ),
    ),
)

WINDOW_LAST = Register(
    "WINDOW_LAST",
    0x044,
    32,
    "Last byte of memory that descriptors may touch. After reset there is none.",
    (
        Field(
            "value",
            0,
            32,
            "rw",
            "",
            "Physical address.",
        ),
    ),
)

INTERRUPT_ENABLE = Register(
    "INTERRUPT_ENABLE",
    0x050,
    32,
    "Which events raise the interrupt.",
    (
        Field(
            "done",
            0,
            1,
            "rw",
            "",
            "All programs reached END.",
        ),
        Field(
            "error",
            1,
            1,
            "rw",
            "",
            "A program stopped at an error.",
        ),
    ),
)

INTERRUPT_STATUS = Register(
    "INTERRUPT_STATUS",
    0x054,
    32,
    "Which events happened. Write 1 to clear; an event in the cycle of that write stays.",
    (
        Field(
            "done",
            0,
            1,
            "w1c",
            "",
            "All programs reached END.",
        ),
        Field(
            "error",
            1,
            1,
            "w1c",
            "",
            "A program stopped at an error.",
        ),
    ),
)

CYCLES = Register(
    "CYCLES",
    0x060,
    64,
    "Cycles since reset, counted always.",
    (
        Field(
            "value",
            0,
            64,
            "ro",
            "",
            "Cycles.",
        ),
    ),
)

LABEL = Register(
    "LABEL",
    0x080,
    32,
    "Which label the next LABEL registers are about.",
    (
        Field(
            "value",
            0,
            9,
            "rw",
            "",
            "Its number.",
        ),
    ),
)

LABEL_SET = Register(
    "LABEL_SET",
    0x084,
    32,
    "Writes the label table at LABEL. Reads as zero.",
    (
        Field(
            "valid",
            0,
            1,
            "wo",
            "",
            "Write 1 to make the label valid.",
        ),
        Field(
            "clear",
            1,
            1,
            "wo",
            "",
            "Write 1 to make the label invalid and its counters 0.",
        ),
    ),
)

LABEL_STATE = Register(
    "LABEL_STATE",
    0x088,
    32,
    "State of the label LABEL.",
    (
        Field(
            "valid",
            0,
            1,
            "ro",
            "",
            "An outcome of it is there: samples of it may be accepted.",
        ),
    ),
)

LABEL_ACCEPTS = Register(
    "LABEL_ACCEPTS",
    0x08C,
    32,
    "How many samples of the label LABEL were accepted.",
    (
        Field(
            "value",
            0,
            32,
            "ro",
            "",
            "Samples, modulo 2^32.",
        ),
    ),
)

LABEL_REJECTS = Register(
    "LABEL_REJECTS",
    0x090,
    32,
    "How many samples of the label LABEL were rejected.",
    (
        Field(
            "value",
            0,
            32,
            "ro",
            "",
            "Samples, modulo 2^32.",
        ),
    ),
)

STATUS = Register(
    "STATUS",
    0x100,
    32,
    "State of the core's program. All but busy hold until the next start or reset.",
    (
        Field(
            "busy",
            0,
            1,
            "ro",
            "",
            "The program runs, or bursts of a stopped one are under way.",
        ),
        Field(
            "done",
            1,
            1,
            "ro",
            "",
            "The program reached END and all its writes are acknowledged.",
        ),
        Field(
            "error",
            4,
            4,
            "ro",
            "error",
            "What stopped the program; none, where the other core's error did.",
        ),
        Field(
            "response",
            8,
            2,
            "ro",
            "response",
            "The bus response behind READ, WRITE and FETCH.",
        ),
        Field(
            "opcode",
            16,
            8,
            "ro",
            "opcode",
            "Opcode of the faulting descriptor.",
        ),
    ),
    0x80,
)

INDEX = Register(
    "INDEX",
    0x104,
    32,
    "Where the core's program stopped.",
    (
        Field(
            "value",
            0,
            32,
            "ro",
            "",
            "Index of the descriptor that runs, or that was at fault.",
        ),
    ),
    0x80,
)

PROGRAM_ADDRESS = Register(
    "PROGRAM_ADDRESS",
    0x108,
    32,
    "Where the core's program lies.",
    (
        Field(
            "value",
            0,
            32,
            "rw",
            "",
            "Physical address, a multiple of 64.",
        ),
    ),
    0x80,
)

PROGRAM_LENGTH = Register(
    "PROGRAM_LENGTH",
    0x10C,
    32,
    "How long the core's program is.",
    (
        Field(
            "value",
            0,
            32,
            "rw",
            "",
            "Descriptors of 64 bytes, END included; 0: the core has none, and rests.",
        ),
    ),
    0x80,
)

START_DELAY = Register(
    "START_DELAY",
    0x110,
    32,
    "How long the core's program waits after the start: to look for races between cores.",
    (
        Field(
            "value",
            0,
            16,
            "rw",
            "",
            "Cycles.",
        ),
    ),
    0x80,
)

BUSY = Register(
    "BUSY",
    0x120,
    64,
    "Cycles in which STATUS.busy was set, since the last start.",
    (
        Field(
            "value",
            0,
            64,
            "ro",
            "",
            "Cycles.",
        ),
    ),
    0x80,
)

READ_STALL = Register(
    "READ_STALL",
    0x128,
    64,
    "Busy cycles that waited for read data, since the last start.",
    (
        Field(
            "value",
            0,
            64,
            "ro",
            "",
            "Cycles.",
        ),
    ),
    0x80,
)

WRITE_STALL = Register(
    "WRITE_STALL",
    0x130,
    64,
    "Busy cycles in which write data waited for the bus, since the last start.",
    (
        Field(
            "value",
            0,
            64,
            "ro",
            "",
            "Cycles.",
        ),
    ),
    0x80,
)

LOADING = Register(
    "LOADING",
    0x138,
    64,
    "Cycles in which a descriptor of the load unit was under way, since the last start.",
    (
        Field(
            "value",
            0,
            64,
            "ro",
            "",
            "Cycles.",
        ),
    ),
    0x80,
)

COMPUTING = Register(
    "COMPUTING",
    0x140,
    64,
    "Cycles in which a descriptor of the compute unit was under way, since the last start.",
    (
        Field(
            "value",
            0,
            64,
            "ro",
            "",
            "Cycles.",
        ),
    ),
    0x80,
)

STORING = Register(
    "STORING",
    0x148,
    64,
    "Cycles in which a descriptor of the store unit was under way, since the last start.",
    (
        Field(
            "value",
            0,
            64,
            "ro",
            "",
            "Cycles.",
        ),
    ),
    0x80,
)

MULTIPLYING = Register(
    "MULTIPLYING",
    0x150,
    64,
    "Cycles in which the lanes multiplied, since the last start.",
    (
        Field(
            "value",
            0,
            64,
            "ro",
            "",
            "Cycles.",
        ),
    ),
    0x80,
)

REGISTERS = (
    IDENTIFIER,
    BUILD,
    SHAPE,
    BUFFERS,
    BURSTS,
    WORDS,
    ROWS,
    CONTROL,
    WATCHDOG,
    WINDOW_FIRST,
    WINDOW_LAST,
    INTERRUPT_ENABLE,
    INTERRUPT_STATUS,
    CYCLES,
    LABEL,
    LABEL_SET,
    LABEL_STATE,
    LABEL_ACCEPTS,
    LABEL_REJECTS,
    STATUS,
    INDEX,
    PROGRAM_ADDRESS,
    PROGRAM_LENGTH,
    START_DELAY,
    BUSY,
    READ_STALL,
    WRITE_STALL,
    LOADING,
    COMPUTING,
    STORING,
    MULTIPLYING,
)
"""All registers, by offset."""
