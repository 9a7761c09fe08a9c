"""Cycles of a step, as predicted, simulated and measured, side by side."""

from types import SimpleNamespace

import pytest

from specbp.report.cycles import step_cycles
from specbp.report.pairing import Arm
from specbp.report.tables import cycles_table


def arm(backend, cycles, board=None, simulated=True, lanes=16):
    runs = [
        {
            "cycles": total,
            "steps": 10,
            "board": board,
            "simulated": simulated,
            "backend": backend,
        }
        for total in cycles
    ]
    name = f"sequential, {backend}, {lanes} lanes"
    return Arm(name, tuple(runs))


def test_one_row_for_each_method_and_board():
    cpu = Arm("sequential, 1 thread", ({"cycles": None, "backend": "cpu"},))
    arms = [
        cpu,
        arm("sim:model", [1010, 1010]),
        arm("sim:rtl", [1000, 1000]),
        arm("pynq://a", [990, 1010], "Pynq-Z2", simulated=False),
        arm("pynq://b", [2000], "Pynq-Z1", simulated=True),
        arm("sim:rtl", [500], lanes=32),
    ]
    first, second, third = step_cycles([SimpleNamespace(title="digits", arms=arms)])
    assert (first.predicted, first.simulated, first.measured) == (101, 100, 100)
    assert first.ratio == pytest.approx(1.01) and first.board == "pynq://a: Pynq-Z2"
    assert second.ratio == pytest.approx(0.505) and second.board.endswith("FPGA is simulated)")
    assert third.method == "sequential, 32 lanes" and third.ratio is None
    assert cycles_table([first]).rows[0][2:6] == ("101", "100", "100", "1.0100")


def test_without_a_board_the_ratio_is_to_the_rtl():
    arms = [arm("sim:model", [990]), arm("sim:rtl", [1000])]
    (row,) = step_cycles([SimpleNamespace(title="digits", arms=arms)])
    assert row.ratio == pytest.approx(0.99) and row.measured is None
