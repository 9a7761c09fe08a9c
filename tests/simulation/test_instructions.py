"""Every instruction on the Verilated overlay, against the interpreter, to the last byte.

The first tests read as examples, one for each opcode. Then random programs, also under random
stalls: what the memory holds afterwards must be the same.
"""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from specbp.overlay.instructions import (
    Addend,
    Buffer,
    Factors,
    Fill,
    Load,
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
    Softmax,
    Store,
    Total,
)
from tests.simulation.machine import (
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
    device, overlay = open_board(parameters=SMALL, memory_bytes=4 << 20)
    return Machine(device, overlay.specbp_0)


def scalars(machine, values, dtype=np.int16):
    """Return what loads `values`, in whole words, to the start of the scalar buffer."""
    machine.put(0, values, dtype)
    return Load(machine.base, Buffer.SCALAR, 0, np.asarray(values, dtype).nbytes // 8)


def test_load_and_mask(machine):
    load = scalars(machine, [5, -5, 0, 1, 10, 20, 30, 40])
    mask = Mask(0, 1, (), 3)
    found, _ = machine.run(load, Nop(), mask, Nop(), Store(machine.results, 3, 1))
    assert found[:4].tolist() == [10, 0, 0, 40]


def test_fill(machine):
    fill = Fill(-7, Buffer.SCALAR, 0, 2)
    # With A = B this is ReLU.
    relu = Mask(0, 0, (Loop(2, 1, 1),), 0)
    found, _ = machine.run(fill, Nop(), relu, Nop(), Store(machine.results, 0, 2))
    assert not found[:8].any()


def test_mac_with_bias_and_relu(machine):
    load = scalars(machine, [2, 3, -1, 0])
    # Rows 0 and 1 hold 100 and 10 in every lane.
    rows = [Fill(100, Buffer.VECTOR, 0, 4), Fill(10, Buffer.VECTOR, 4, 4)]
    machine.put(64, [1, -1, 7, -1000], np.int32)
    bias = Load(machine.base + 64, Buffer.BIAS, 0, 2)
    mac = Mac(
        0, 0, (Loop(2, 1, 1),), (Loop(2, 1, 0),), 0, Result.INT16, 1,
        shift=1, addend=Addend.BIAS, addend_base=0, left=2, relu=True,
    )  # fmt: skip
    store = Store(machine.results, 0, 2)
    found, _ = machine.run(load, *rows, bias, Nop(), mac, Nop(), store)
    sums = np.array([[2 * 100 + 3 * 10], [3 * 100 - 1 * 10]])
    expected = np.maximum(0, sums + np.array([4, -4, 28, -4000]) + 1 >> 1)
    assert found[:8].tolist() == expected.ravel().tolist()


def test_mac_in_parts(machine):
    """Two halves of a sum, the first kept in the partial buffer."""
    load = scalars(machine, np.arange(8))
    row = Fill(30000, Buffer.VECTOR, 0, 4)
    half = Mac(0, 0, (Loop(4, 1, 0),), (), 5, Result.SUMS, 4)
    rest = Mac(4, 0, (Loop(4, 1, 0),), (), 0, Result.INT32, 4, addend=Addend.PARTIAL, addend_base=5)
    store = Store(machine.results, 0, 8)
    found, run = machine.run(load, row, Nop(), half, rest, Nop(), store)
    # Eight iterations, and the results of the first on their way to where the second finds them.
    assert run.multiplying == 8 and run.computing < 60
    assert found[:32].view(np.int32).tolist() == [28 * 30000] * 16


def test_maximum(machine):
    load = scalars(machine, [[1, 2, 3, 4], [9, 2, -3, 5], [0, 7, 3, 4]])
    maximum = Maximum(0, (Loop(3, 1, 0, 10),), (), 0, index=1, t=-1)
    found, _ = machine.run(load, Nop(), maximum, Nop(), Store(machine.results, 0, 2))
    assert found[:8].tolist() == [9, 7, 3, 5, 9, 19, -1, 9]


def test_total(machine):
    load = scalars(machine, [[1, 2, 3, 32767], [1, 3, -8, 32767]])
    total = Total(0, (Loop(2, 1),), (), 0, shift=1)
    found, _ = machine.run(load, Nop(), total, Nop(), Store(machine.results, 0, 1))
    assert found[:4].tolist() == [1, 3, -2, 32767]


def test_select(machine):
    load = scalars(machine, [[5, 6, 7, 30000], [50, 60, 70, 30000], [0, 1, 0, 0], [0, 1, 1, 1]])
    select = Select(0, 2, (Loop(2, 1, 1, 1),), (), 0, t=0)
    found, _ = machine.run(load, Nop(), select, Nop(), Store(machine.results, 0, 1))
    assert found[:4].tolist() == [5, 60, 77, 32767]


def test_softmax(machine):
    # The example of ARITHMETIC.md, twice; the labels follow the logits.
    load = scalars(machine, [0, 1024, -2048, 0] * 2 + [1, 2, 0, 0])
    softmax = Softmax(0, 8, 0, 2, classes=3, shift=16, samples=2)
    found, _ = machine.run(load, Nop(), softmax, Nop(), Store(machine.results, 0, 4))
    assert found[:8].tolist() == [4254, 11554, 575, 0] * 2
    assert found[8:16].tolist() == [4254, 11554 - 16384, 575, 0, 4254, 11554, 575 - 16384, 0]


def test_sgd(machine):
    masters, momenta, gradients = [65536, -65536, 0, 8], [0, 100, 200, -1], [1000, 0, -7, 7]
    load = scalars(machine, [masters, momenta, gradients], np.int32)
    sgd = Sgd(0, 2, 4, 0, 1, Factors(momentum=16384, rate=20000, rate_shift=14))
    found, _ = machine.run(load, Nop(), sgd, Nop(), Store(machine.results, 0, 5))
    new_momenta = [1000, 50, 93, 7]
    new_masters = [65536 - 1221, -65536 - 61, -114, 8 - 9]
    assert found[:16].view(np.int32).tolist() == new_masters + new_momenta
    assert found[16:20].tolist() == [1, -1, 0, 0]


def test_load_transposed(machine):
    machine.put(0, np.arange(32))
    # Two words of each of four rows of 8 elements; row x of the vector buffer holds column x.
    load = LoadTransposed(machine.base, 1, 2, 16)
    one = Fill(1, Buffer.SCALAR, 0, 1)
    # With a scalar of 1 and no sum the rows come out as they are.
    mac = Mac(0, 0, (), (Loop(8, 0, 1),), 0, Result.INT16, 4)
    clear = Fill(0, Buffer.VECTOR, 0, 32)
    store = Store(machine.results, 0, 32)
    found, _ = machine.run(clear, load, one, Nop(), mac, Nop(), store)
    rows = found[: 8 * 16].reshape(8, 16)
    assert rows[:, 4:8].tolist() == np.arange(32).reshape(4, 8).T.tolist()
    assert not rows[:, :4].any() and not rows[:, 8:].any()


@pytest.mark.parametrize("runs", [(16, 1, 3), (1, 16, 16), (2, 2, 2)])
def test_transposed_loads_one_after_another(machine, runs):
    machine.fill(8)
    load = [
        LoadTransposed(machine.base + 2048 * number, 256 * number, run, 256, (Move(3, 8 * run, 1),))
        for number, run in enumerate(runs)
    ]
    rows = [Load(machine.base + 16384, Buffer.VECTOR, 768, 64)]
    one = Fill(1, Buffer.SCALAR, 0, 1)
    copy = Mac(0, 0, (), (Loop(64, 0, 1), Loop(2, 0, 64)), 0, Result.INT16, 3)
    clear = Fill(0, Buffer.VECTOR, 0, 1024)
    machine.run(clear, *load, *rows, *load, one, Nop(), copy, Nop(), Store(machine.results, 0, 384))


def test_store_with_strides(machine):
    load = scalars(machine, np.arange(1, 33))
    relu = Mask(0, 0, (Loop(8, 1, 1),), 0)
    store = Store(machine.results, 7, 2, (Move(4, 24, -2),))
    machine.memory[RESULTS : RESULTS + 96] = 0
    found, _ = machine.run(load, Nop(), relu, Nop(), Store(machine.results + 4096, 0, 8))
    assert found[2048 : 2048 + 32].tolist() == list(range(1, 33))
    store = Store(machine.results, 6, 2, (Move(4, 24, -2),))
    found, _ = machine.run(load, Nop(), relu, Nop(), store)
    assert found[:8].tolist() == list(range(25, 33))
    assert found[8:12].tolist() == [0] * 4 and found[12] == 17


@pytest.mark.parametrize("stall", [0.0, 0.3, 0.8])
def test_units_overlap_and_semaphores_order_them(machine, stall):
    """Tiles go through two halves of the buffers in turn, each while its neighbours do."""
    machine.device.model.set_stalls(3, stall)
    full, empty, done, stored = (1, 2), (3, 4), (5, 6), (7, 8)

    def tile(number, ordered):
        half = number % 2
        place, source = half * 128, machine.base + number * 1024
        again = number > 1
        orders = [Semaphores()] * 3
        if ordered:
            orders = [
                Semaphores((empty[half],) if again else (), (full[half],)),
                Semaphores((full[half], stored[half])[: 1 + again], (empty[half], done[half])),
                Semaphores((done[half],), (stored[half],)),
            ]
        return [
            Load(source, Buffer.SCALAR, place, 128, order=orders[0]),
            Mask(place, place, (Loop(128, 1, 1),), place, orders[1]),
            Store(source + RESULTS, place, 128, order=orders[2]),
        ]

    machine.fill(1)
    _, together = machine.run(*(each for number in range(12) for each in tile(number, True)))
    machine.fill(2)
    apart = [step for number in range(12) for each in tile(number, False) for step in (each, Nop())]
    _, alone = machine.run(*apart)
    assert together.cycles < 0.8 * alone.cycles
    assert together.computing < together.cycles < together.computing + together.loading
    if not stall:
        # The slowest is MASK, which reads two words in two cycles.
        assert 12 * 256 < together.cycles < 12 * 256 + 600
    machine.device.model.set_stalls(3, 0.0)


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data(), seed=st.integers(0, 2**32), stall=st.sampled_from([0.0, 0.1, 0.6]))
def test_random_programs(machine, data, seed, stall):
    machine.fill(seed)
    machine.device.model.set_stalls(seed, stall)
    program = []
    for _ in range(data.draw(st.integers(1, 6))):
        kind = data.draw(st.sampled_from([macs, element_wise, sgds, loads, stores]))
        program.append(data.draw(kind(machine.base) if kind in (loads, stores) else kind()))
        # A barrier, or nothing where the same unit orders them.
        same = len(program) > 1 and type(program[-1]) is type(program[-2])
        program += [] if same else [Nop()]
    machine.run(*everything_written(machine), *program, *everything_read(machine))


@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data(), seed=st.integers(0, 2**32))
def test_a_cycle_at_a_time_takes_as_many(machine, monkeypatch, data, seed):
    """Those in which lanes multiply and nothing else happens are simulated together."""
    machine.fill(seed)
    machine.device.model.set_stalls(seed, 0.0)
    program = [data.draw(macs()) for _ in range(2)]
    program = [*everything_written(machine), *program, *everything_read(machine)]
    _, together = machine.run(*program)
    model = machine.device.model
    run = model.run
    with monkeypatch.context() as patched:
        patched.setattr(model, "run", lambda cycles: sum(run(1) for _ in range(cycles)))
        _, one_by_one = machine.run(*program)
    assert one_by_one == together
