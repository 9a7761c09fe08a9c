"""What the cores share: memory, semaphores, the label table; and what each does through its table.

The same comparison as in test_instructions.py, on an overlay of two cores, with random delays of
one core against the other and random stalls of both memory ports.
"""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from specbp.bitstream.exchange import TILES
from specbp.bitstream.making import make_simulated
from specbp.errors import UsageError
from specbp.onboard.build import open_build
from specbp.onboard.overlay import LoadedOverlay
from specbp.onboard.selftest import run_selftest
from specbp.onboard.vectors import SelfTestError
from specbp.overlay.faults import DeadlineError, OverlayError
from specbp.overlay.instructions import (
    Addend,
    Buffer,
    Copy,
    End,
    Factors,
    Fill,
    Gate,
    Load,
    LoadIndex,
    LoadTransposed,
    Loop,
    Mac,
    Mask,
    Maximum,
    Move,
    Nop,
    Result,
    Select,
    Semaphores,
    Sgd,
    Skip,
    Softmax,
    Store,
    Total,
    encode,
)
from specbp.overlay.register_map import Error, Response
from tests.simulation.machine import (
    BOTH,
    RESULTS,
    SMALL,
    Machine,
    element_wise,
    everything_read,
    everything_written,
    loads,
    macs,
    sgds,
    stores,
)


@pytest.fixture(scope="module")
def machine(open_board):
    device, overlay = open_board(parameters=BOTH, memory_bytes=4 << 20)
    return Machine(device, overlay.specbp_0)


@pytest.fixture(autouse=True)
def no_stalls(machine):
    yield
    machine.device.model.set_stalls(1, 0.0)
    machine.device.model.clear_faults()


def random_examples(number):
    checks = [HealthCheck.function_scoped_fixture]
    return settings(max_examples=number, deadline=None, suppress_health_check=checks)


STALLS = st.sampled_from([0.0, 0.1, 0.6])
DELAYS = st.tuples(*[st.sampled_from([0, 0, 1, 17]) | st.integers(0, 4000)] * 2)


# The index table.


def slots(machine, entries, base=0, element=1):
    """Return what loads `entries` into the index table, by way of memory."""
    words = np.full((len(entries), 4), 1023)
    words[:, element] = entries
    machine.put(0, words, np.uint16)
    return LoadIndex(machine.base, element, base, len(entries))


def test_a_load_of_slots(machine):
    machine.put(8192, np.arange(4 * 8))
    table = slots(machine, [5, 0, 5], base=7)
    load = Load(
        machine.base + 8192, Buffer.SCALAR, 0, 1, (Move(1, 0, 0),) * 2 + (Move(3, 8, 1, 7),)
    )
    mask = Mask(0, 0, (Loop(3, 1, 1),), 0)
    found, _ = machine.run(table, Nop(), load, Nop(), mask, Nop(), Store(machine.results, 0, 3))
    assert found[:12].tolist() == [20, 21, 22, 23, 0, 1, 2, 3, 20, 21, 22, 23]


def test_a_store_to_slots(machine):
    fills = [Fill(value, Buffer.SCALAR, value, 1) for value in range(3)]
    store = Store(machine.results, 0, 1, (Move(1, 0, 0),) * 2 + (Move(3, 16, 1, 0),))
    machine.memory[RESULTS : RESULTS + 64] = 0
    program = [slots(machine, [2, 3, 0]), *fills, Nop(), Mask(0, 0, (Loop(3, 1, 1),), 0), Nop()]
    found, _ = machine.run(*program, store)
    assert found[: 4 * 8 : 4].tolist() == [2, 0, 0, 0, 0, 0, 1, 0]


@st.composite
def indexed_moves(draw, run, size):
    """Repeats of `run` words, the outermost by slots; the base in a buffer of `size` words."""
    inner = draw(st.integers(1, 4)), draw(st.integers(1, 3))
    count = draw(st.integers(1, 12))
    table = draw(st.integers(0, 64 - count))
    words = run * inner[0] * inner[1]
    if words * count > size:
        inner, words = (1, 1), run
    moves = (
        Move(inner[0], 8 * run, run),
        Move(inner[1], 8 * run * inner[0], run * inner[0]),
        Move(count, 8 * words, words, table),
    )
    return moves, draw(st.integers(0, size - words * count))


@random_examples(60)
@given(data=st.data(), seed=st.integers(0, 2**32), stall=STALLS)
def test_random_indexed_moves(machine, data, seed, stall):
    machine.fill(seed)
    machine.device.model.set_stalls(seed, stall)
    permuted = np.random.default_rng(seed).permutation(64)
    table = slots(machine, permuted, element=data.draw(st.integers(0, 3)))
    program = [*everything_written(machine), table, Nop()]
    for _ in range(data.draw(st.integers(1, 5))):
        kind, run = (
            data.draw(st.sampled_from([Load, LoadTransposed, Store])),
            data.draw(st.integers(1, 8)),
        )
        address = machine.base + 20_000
        if kind is Load:
            moves, place = data.draw(indexed_moves(run, SMALL.scalar_words))
            program.append(Load(address, Buffer.SCALAR, place, run, moves))
        elif kind is LoadTransposed:
            moves, place = data.draw(indexed_moves(1, SMALL.vector_rows))
            program.append(LoadTransposed(address, place, 1, 8, moves))
        else:
            moves, place = data.draw(indexed_moves(run, SMALL.output_words))
            program += [Nop(), Store(machine.results, place, run, moves), Nop()]
    program += [Nop(), Mask(0, 0, (Loop(512, 1, 1),), 0)]
    machine.run(*program, *everything_read(machine))


@pytest.mark.parametrize("above", [False, True])
@pytest.mark.parametrize("entry", [0, 6, 7, 8, 65535])
def test_skip(machine, entry, above):
    def marked(value):
        return [
            Fill(value, Buffer.SCALAR, 0, 1),
            Nop(),
            Mask(0, 0, (), 0),
            Nop(),
            Store(machine.results + 8 * value, 0, 1),
        ]

    machine.memory[RESULTS : RESULTS + 64] = 0
    program = [slots(machine, [3, entry]), Skip(len(marked(1)), 1, 7, above), *marked(1)]
    found, _ = machine.run(*program, *marked(2))
    skipped = entry > 7 if above else entry <= 7
    assert found[:12:4].tolist() == [0, 0 if skipped else 1, 2]


def test_what_is_skipped_is_not_looked_at(machine):
    bad = encode([slots(machine, [0]), Skip(3, 0, 0), Nop(), Nop(), Nop(), End()])
    bad[2:5, 0] = 0xFF
    machine.memory.flush()
    machine.driver.run(bad, [machine.memory])
    bad[1, 1] = 2
    with pytest.raises(OverlayError, match=r"core 0, descriptor 4 .*: unknown opcode"):
        machine.driver.run(bad, [machine.memory])
    bad[1, 1] = 4
    with pytest.raises(OverlayError, match="no END"):
        machine.driver.run(bad, [machine.memory])


# The gate.


def gated(machine, actual, cached, records, limit, total=False):
    """Return a program that judges samples and stores the verdicts."""
    actual, cached = np.asarray(actual), np.asarray(cached)
    records = np.array([[*record, -7][:4] for record in records])
    samples, words = len(actual), actual.shape[1] // 4
    size = samples * words
    machine.put(0, np.concatenate([actual.ravel(), cached.ravel(), records.ravel()]))
    load = Load(machine.base, Buffer.SCALAR, 3, 2 * size + samples)
    gate = Gate(3, 3 + size, 3 + 2 * size, 5, words, total, samples, limit)
    return [load, Nop(), gate, Nop(), Store(machine.results, 5, 2 * samples + 1)]


def test_gate(machine):
    actual = [[16384, 0, 0, 0], [100, 200, 300, 400], [0, 0, 0, 9]]
    cached = [[16380, 3, 1, 0], [200, 200, 300, 400], [0, 0, 0, 9]]
    records = [(4, 4, 10), (5, 5, 11), (6, 6, 12)]
    program = gated(machine, actual, cached, records, limit=5)
    found, _ = machine.run(*program, valid=[4, 5])
    verdicts = found[:28].reshape(7, 4)
    # Label 6 is not valid yet.
    assert verdicts[:3].tolist() == [[1, 4, 4, 0], [0, 100, 11, 0], [0, 0, 12, 0]]
    assert verdicts[3:6].tolist() == [[11, 1, 0, 0], [12, 2, 0, 0], [12, 2, 0, 0]]
    assert verdicts[6].tolist() == [1, 2, 0, 0]
    labels = machine.driver.read_labels()
    assert np.flatnonzero(labels.valid).tolist() == [4, 5, 6]
    assert labels.accepts[:8].tolist() == [0, 0, 0, 0, 1, 0, 0, 0]
    assert labels.rejects[:8].tolist() == [0, 0, 0, 0, 0, 1, 1, 0]
    # The sum of the differences, all equal, all valid.
    found, _ = machine.run(*gated(machine, cached, cached, records, 1, True), valid=[4, 5, 6])
    assert found[:28].reshape(7, 4)[3:].tolist() == [[0] * 4] * 3 + [[3, 0, 0, 0]]


def test_a_limit_of_nothing_accepts_nothing(machine):
    same = [[1, 2, 3, 4]] * 2
    found, _ = machine.run(*gated(machine, same, same, [(0, 1, 2)] * 2, 0), valid=[0])
    assert found[:20].reshape(5, 4)[-1].tolist() == [0, 2, 0, 0]


@random_examples(60)
@given(data=st.data(), seed=st.integers(0, 2**32), stall=STALLS, total=st.booleans())
def test_random_gates(machine, data, seed, stall, total):
    machine.device.model.set_stalls(seed, stall)
    random = np.random.default_rng(seed)
    samples, words = data.draw(st.integers(1, 24)), data.draw(st.integers(1, 12))
    spread = data.draw(st.sampled_from([3, 300, 32767]))
    actual = random.integers(-32767, 32768, (samples, 4 * words))
    cached = (actual + random.integers(-spread, spread + 1, actual.shape)).clip(-32767, 32767)
    labels = random.integers(0, data.draw(st.sampled_from([1, 5, 512])), samples)
    records = np.stack([labels, *random.integers(0, 1024, (2, samples))], axis=1)
    limit = data.draw(st.integers(0, 2 * spread) | st.sampled_from([0, 1, (1 << 18) - 1]))
    valid = [label for label in range(512) if label % 3]
    program = gated(machine, actual, cached, records, min(limit, (1 << 18) - 1), total)
    machine.run(*program, valid=valid)


# Two programs.


def ring(machine, tiles, places, slow=0):
    """Core 0 makes tiles, core 1 takes them on, through `places` places of memory in turn."""
    shared, full, free = machine.results + 65536, 3, 9
    makes, takes = [], []
    for number in range(tiles):
        place = shared + 512 * (number % places)
        makes += [
            Load(machine.base + 512 * number, Buffer.SCALAR, 0, 64, order=Semaphores((1,), (2,)))
            if number
            else Load(machine.base, Buffer.SCALAR, 0, 64, order=Semaphores((), (2,))),
            Mask(0, 0, (Loop(64, 1, 1),), 0, Semaphores((2, 4)[: 1 + bool(number)], (1, 3))),
            Store(
                place, 0, 64,
                order=Semaphores((3,), (4,), free if number >= places else 0, full),
            ),
        ]  # fmt: skip
        takes += [
            *[Nop(slow)] * bool(slow),
            Load(
                place, Buffer.SCALAR, 0, 64,
                order=Semaphores((1,) if number else (), (2,), full, free),
            ),
            Mask(0, 0, (Loop(64, 1, 1),), 0, Semaphores((2, 4)[: 1 + bool(number)], (1, 3))),
            Store(machine.results + 512 * number, 0, 64, order=Semaphores((3,), (4,))),
        ]  # fmt: skip
    return makes, takes


@pytest.mark.parametrize("places", [1, 2, 5])
@pytest.mark.parametrize("stall", [0.0, 0.5])
@pytest.mark.parametrize(("delays", "slow"), [((0, 0), 0), ((900, 0), 0), ((0, 900), 200)])
def test_tiles_from_core_to_core(machine, places, stall, delays, slow):
    machine.fill(places)
    machine.device.model.set_stalls(places, stall)
    found, runs = machine.run_cores(ring(machine, 20, places, slow), delays)
    expected = np.array(machine.memory[: 20 * 512]).view(np.int16).clip(0)
    np.testing.assert_array_equal(found[: 20 * 256], expected)
    assert min(run.cycles for run in runs) > max(delays)


def exchange(machine, number, core):
    """Both cores store their output buffers, and load the other's."""
    own, others = (machine.results + 32768 + 8192 * number + 4096 * one for one in (core, 1 - core))
    return [
        Nop(),
        Store(own, 0, 512, order=Semaphores(shared_signal=5 + core)),
        Load(others, Buffer.SCALAR, 0, 512, order=Semaphores(shared_wait=6 - core)),
        Nop(),
    ]


@random_examples(100)
@given(data=st.data(), seed=st.integers(0, 2**32), stall=STALLS, delays=DELAYS)
def test_random_pairs_of_programs(machine, data, seed, stall, delays):
    machine.fill(seed)
    machine.device.model.set_stalls(seed, stall)
    programs = [everything_written(machine) for _ in range(2)]
    for number in range(data.draw(st.integers(1, 3))):
        for core, program in enumerate(programs):
            for _ in range(data.draw(st.integers(0, 3))):
                kind = data.draw(st.sampled_from([macs, element_wise, sgds, loads, stores]))
                base = machine.base + (20480 * core if kind is stores else 0)
                one = data.draw(kind(base) if kind in (loads, stores) else kind())
                program += [one, Nop()]
            program += exchange(machine, number, core)
    for core, program in enumerate(programs):
        program += everything_read(machine, core)
    machine.run_cores(programs, delays)


# Writes that are acknowledged before the other core sees them.


@pytest.fixture
def loaded(machine, tmp_path):
    """A build with two cores, programmed as the runner on a board does it."""
    from specbp.simulation.programmable import ProgrammableDevice

    make_simulated(tmp_path, BOTH)
    device = ProgrammableDevice(BOTH, memory_bytes=8 << 20)
    yield LoadedOverlay(open_build(tmp_path))
    device.close()
    machine.device.activate()


def test_the_order_of_the_cores_holds_where_bufferable_writes_arrive_late(loaded):
    """No write is bufferable: else one is acknowledged, and then signalled, before it arrives."""
    loaded.device.model.set_buffered_latency(500)
    found = run_selftest(loaded, loaded.vectors)
    assert found["steps"] == 3 and found["bytes"] > TILES * 512
    assert loaded.device.model.violations == 0
    # With AWCACHE 0011 all writes would be: the exchange between the cores shows it.
    loaded.device.model.set_buffered_latency(500, all_writes=True)
    with pytest.raises(SelfTestError, match=r"step 0, layer cores 0 and 1: .* of tile 0 differ"):
        run_selftest(loaded, loaded.vectors[1:])


# What one start, one end and one error mean.


def test_a_core_without_a_program_rests(machine):
    fill = Fill(3, Buffer.SCALAR, 0, 1)
    _, (first, second) = machine.run_cores([[], [Nop(500), fill]])
    assert first.cycles < 100 < 500 < second.cycles
    busy = machine.driver.dump()
    assert busy["CORE0_STATUS"] == busy["CORE1_STATUS"] == 2
    machine.driver.run([Nop(50), End()], [])
    assert machine.driver.dump()["CORE1_STATUS"] == 2
    assert machine.driver.dump()["CORE1_PROGRAM_LENGTH"] == 0


def test_the_memory_is_shared(machine):
    """Two copies at the same time take longer than one, but less than one after the other."""
    size = 32 << 10
    programs = [
        [Copy(machine.base + core * size, machine.results + core * size, size)] for core in range(2)
    ]
    _, (alone,) = machine.run_cores(programs[:1])
    _, together = machine.run_cores(programs)
    times = [run.cycles / alone.cycles for run in together]
    # A copy asks for 16 bytes a cycle, all that there is.
    assert all(1.9 < time < 2.1 for time in times)


@pytest.mark.parametrize("core", [0, 1])
def test_an_error_of_one_stops_both(machine, core):
    fine = [Nop(50_000), End()]
    bad = [Nop(100), Fill(0, Buffer.SCALAR, SMALL.scalar_words, 1), Nop(50_000), End()]
    programs = [fine, bad] if core else [bad, fine]
    before = machine.device.model.cycles
    with pytest.raises(OverlayError, match=f"core {core}, descriptor 1 .FILL.: a field") as found:
        machine.driver.run_cores(programs, [machine.memory])
    assert machine.device.model.cycles - before < 10_000
    assert found.value.core == core and found.value.code == Error.RANGE
    dump = found.value.registers
    assert dump[f"CORE{1 - core}_STATUS"] >> 4 & 15 == Error.NONE
    assert "CORE0_INDEX" in str(found.value) and "CORE1_INDEX" in str(found.value)
    machine.run_cores(ring(machine, 3, 1))


def test_a_bus_error_of_one_under_way_in_both(machine):
    machine.device.model.set_stalls(4, 0.3)
    size = 16 << 10
    programs = [
        [Copy(machine.base + core * size, machine.results + core * size, size), End()]
        for core in range(2)
    ]
    bad = machine.base + size + 9000
    machine.device.model.add_fault(bad, bad, Response.SLVERR)
    with pytest.raises(OverlayError, match=r"core 1, descriptor 0 .COPY.: .*SLVERR"):
        machine.driver.run_cores(programs, [machine.memory])
    machine.device.model.clear_faults()
    machine.run_cores(ring(machine, 3, 2))


def test_cores_that_wait_for_each_other(machine):
    waits = [
        [Fill(0, Buffer.SCALAR, 0, 1, order=Semaphores(shared_wait=core + 1)), End()]
        for core in range(2)
    ]
    with pytest.raises(OverlayError, match=r"core 0, descriptor 0 .FILL.: nothing went on"):
        machine.driver.run_cores(waits, [], watchdog=2000)
    with pytest.raises(DeadlineError, match="did not end"):
        machine.driver.run_cores(waits, [], deadline_s=0.3, watchdog=0)
    # Signals of the run before count no more.
    signal = Fill(0, Buffer.SCALAR, 0, 1, order=Semaphores(shared_signal=1))
    machine.driver.run([signal, End()], [])
    with pytest.raises(OverlayError, match=r"core 0, descriptor 0 .FILL.: nothing went on"):
        machine.driver.run_cores(waits, [], watchdog=2000)
    machine.run_cores(ring(machine, 3, 1))


def test_more_programs_than_cores(machine):
    with pytest.raises(UsageError, match="3 programs for 2 cores"):
        machine.driver.run_cores([[End()]] * 3, [])


BAD_WORDS = {
    "no descriptors to skip": (Skip(1, 0, 0), 1, 1),
    "more to skip than there can be": (Skip(1, 0, 0), 1, 1 << 16),
    "a semaphore of SKIP": (Skip(1, 0, 0), 0, 1 << 8),
    "entries beyond the table": (Load(0, Buffer.SCALAR, 0, 1, (Move(1, 0, 0, 1023),)), 4, 3 << 16),
    "an indexed stride of 2^24": (Load(0, Buffer.SCALAR, 0, 1, (Move(1, 0, 0, 0),)), 7, 1 << 24),
    "an index that is indexed": (LoadIndex(0, 0, 0, 1), 9, 1 << 31),
    "no words of a softmax": (Gate(0, 0, 0, 0, 1, False, 1), 3, 1),
    "129 words of a softmax": (Gate(0, 0, 0, 0, 128, False, 1), 3, 1),
    "no samples": (Gate(0, 0, 0, 0, 1, False, 1), 3, 1 << 16),
    "1024 samples": (Gate(0, 0, 0, 0, 1, False, 1), 3, 1 << 16 | 1 << 26),
}


@pytest.mark.parametrize(("descriptor", "word", "flip"), BAD_WORDS.values(), ids=BAD_WORDS)
def test_a_field_that_the_instructions_do_not_allow(machine, descriptor, word, flip):
    if isinstance(descriptor, Load):
        (indexed,) = descriptor.moves
        descriptor = replace(descriptor, moves=(Move(1, 0, 0), Move(1, 0, 0), indexed))
    if isinstance(descriptor, Load | LoadIndex):
        descriptor = replace(descriptor, address=machine.base)
    words = encode([slots(machine, [0] * 8), Nop(), descriptor, End()])
    words[2, word] ^= flip
    with pytest.raises(OverlayError, match=r"descriptor 2 .*: a field is out of range"):
        machine.driver.run(words, [machine.memory])


BEYOND = {
    "a slot beyond memory": lambda base: Load(
        base, Buffer.SCALAR, 0, 1, (Move(1, 0, 0), Move(1, 0, 0), Move(1, 0xFFFFF8, 0, 0))
    ),
    "a slot beyond 32 bits": lambda base: Store(
        base, 0, 1, (Move(1, 0, 0), Move(1, 0, 0), Move(1, 0x10008, 0, 1))
    ),
    "entries": lambda base: LoadIndex(base, 0, 1022, 2),  # one further: see below
    "a label that is none": lambda base: Gate(0, 0, 0, 0, 1, False, 1),
    "verdicts": lambda base: Gate(4, 4, 4, SMALL.output_words - 2, 1, False, 1),
    "records": lambda base: Gate(4, 4, SMALL.scalar_words, 0, 1, False, 1),
}


@pytest.mark.parametrize("descriptor", BEYOND.values(), ids=BEYOND)
def test_an_address_beyond(machine, descriptor):
    one = descriptor(machine.base)
    fills = [Fill(512, Buffer.SCALAR, 0, 4), Fill(511, Buffer.SCALAR, 4, 4)]
    # The second times 0x10008 is 2^32 and a little more, which would be inside again.
    table = slots(machine, [1, 65532])
    machine.memory.flush()
    words = encode([table, *fills, Nop(), one, End()])
    words[4, 2] += isinstance(one, LoadIndex)
    with pytest.raises(OverlayError, match=r"descriptor 4 .*: a field is out of range"):
        machine.driver.run(words, [machine.memory])
    machine.run(Fill(0, Buffer.SCALAR, 0, 1))


def one_of_each(machine):
    """A program in which every opcode works, most at the same time as others."""
    base, results = machine.base, machine.results
    after, loaded = (lambda *waits: Semaphores(waits)), Semaphores((), (1,))
    return [
        Fill(3, Buffer.SCALAR, 0, 1024),
        Load(base, Buffer.SCALAR, 0, 600, (Move(1, 0, 0),)),
        Fill(-9, Buffer.VECTOR, 0, 1024),
        LoadTransposed(base + 8192, 0, 4, 512, (Move(4, 32, 1),)),
        Load(base + 4096, Buffer.BIAS, 0, 512, order=loaded),
        Mac(0, 0, (Loop(20, 1, 2),), (Loop(9, 2, 1),), 0, Result.SUMS, 4, order=after(1)),
        Mac(5, 9, (Loop(2, 1, 1),), (Loop(9, 2, 1),), 0, Result.INT32, 4, 9, Addend.PARTIAL),
        Mac(5, 9, (Loop(31, 1, 1),), (Loop(9, 2),), 72, Result.INT16, 4, 14, Addend.BIAS, 3, 2),
        Maximum(3, (Loop(2, 1, 0, 1), Loop(2, 20, 0, 2)), (Loop(20, 2),), 108, index=128),
        Total(3, (Loop(2, 1), Loop(2, 20)), (Loop(20, 2),), 148, 2),
        Mask(10, 200, (Loop(30, 1, 1),), 168),
        Select(10, 700, (Loop(3, 1, 1, 1),), (Loop(20, 1, 1),), 198, 2),
        Softmax(20, 4 * 700, 218, 248, 10, 16, 10),
        Sgd(0, 100, 200, 278, 20, Factors(29000, 20000, 20, 300, 10), Semaphores((), (2,))),
        Store(results, 0, 100, order=after(2)),
        Store(results + 4096, 100, 10, (Move(27, 160, 10),)),
        Nop(20),
        Copy(results, results + 8192, 999),
        Fill(1, Buffer.SCALAR, 0, 8),
        LoadIndex(base + 64, 2, 30, 1),
        Nop(),
        Gate(0, 2, 4, 0, 1, False, 2, 9),
        Load(base, Buffer.SCALAR, 8, 2, (Move(1, 0, 0), Move(1, 0, 0), Move(1, 16, 0, 30))),
        Skip(1, 30, 4),
        Nop(100),
        Store(results + 16384, 0, 5),
    ]  # fmt: skip


def test_a_build_that_checks_takes_the_same_cycles(machine, open_board):
    """It clocks every unit always, as the hardware does, and checks every handshake.

    The last test here: a board that is opened takes the place of the one before.
    """
    took = []
    for kind in ("fast", "checked"):
        device, overlay = open_board(parameters=BOTH, memory_bytes=4 << 20, kind=kind)
        machine = Machine(device, overlay.specbp_0)
        machine.put(64, [0, 0, 3, 0])
        program, pair = one_of_each(machine), ring(machine, 9, 2)
        took.append([machine.run(*program)[1] for _ in range(2)])
        took[-1] += machine.run_cores(pair, (0, 33))[1]
        device.model.set_stalls(5, 0.4)
        machine.run(*program)
        machine.run_cores(pair)
    assert took[0] == took[1]
