"""Verdicts are withheld where the timing does not allow one, and given where it does."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from specbp.frames import Frames
from specbp.report.compare import summarise
from specbp.report.headline import cautions, headline
from specbp.report.summary import ArmComparison
from specbp.report.wording import WITHHELD, time_verdict

Make = Callable[..., Any]
STEADY = [10.0] * 40


def against(frames: Frames, arm: str, baseline: str) -> ArmComparison:
    (comparison,) = summarise(frames).comparisons
    (found,) = (one for one in comparison.arms if one.name == arm)
    held: Any = getattr(found, baseline)
    assert isinstance(held, ArmComparison)
    return held


def measured(cell: Make, gather: Make, one: Any, two: Any, arm: Any, **fields: Any) -> Frames:
    """Three starts of two baselines and an arm; each given by the times of its steps."""
    cells = []
    for seed in range(3):
        cells += [
            cell(one, steps_per_round=1, seed=seed),
            cell(two, steps_per_round=1, seed=seed, threads=2),
            cell(arm, steps_per_round=1, seed=seed, schedule="pipelined", **fields),
        ]
    frames: Frames = gather(*cells)
    return frames


def test_a_machine_that_is_well_gets_a_verdict(cell: Make, gather: Make) -> None:
    frames = measured(cell, gather, STEADY, [8.0] * 40, [7.0] * 40)
    for baseline in ("one_thread", "equal_resources"):
        found = against(frames, "pipelined", baseline)
        assert (found.withheld, time_verdict(found)) == ((), "faster")
    assert not cautions(summarise(frames).comparisons[0])


def test_two_threads_slower_than_one_give_no_verdict_to_what_is_held_against_them(
    cell: Make, gather: Make
) -> None:
    """Kind: a baseline that is ill; the issue's own case had median 3.8 and mean 27 ms."""
    frames = measured(cell, gather, STEADY, [12.0] * 40, [7.0] * 40)
    found = against(frames, "pipelined", "equal_resources")
    (reason,) = found.withheld
    assert '"sequential, 2 threads" is slower than "sequential, 1 thread"' in reason
    assert "1.200" in reason
    assert time_verdict(found) == WITHHELD
    assert against(frames, "pipelined", "one_thread").withheld == ()


def test_two_threads_that_are_slower_in_a_typical_step_alone_give_none_either(
    cell: Make, gather: Make
) -> None:
    """A single slow step of one thread hides it from total time."""
    frames = measured(cell, gather, [10.0] * 39 + [30.0], [10.2] * 40, [7.0] * 40)
    found = against(frames, "pipelined", "equal_resources")
    assert "typical step 1.020" in found.withheld[0]


def test_a_baseline_with_a_long_tail_gives_no_verdict(cell: Make, gather: Make) -> None:
    """Of 40 steps three took 2.1 medians: total time and typical step agree within 10%."""
    frames = measured(cell, gather, [10.0] * 37 + [21.0] * 3, [8.0] * 40, [7.0] * 40)
    found = against(frames, "pipelined", "one_thread")
    (reason,) = found.withheld
    assert 'one step in twenty of "sequential, 1 thread" took more than 2.1 times' in reason
    short = measured(cell, gather, [10.0] * 37 + [19.0] * 3, [8.0] * 40, [7.0] * 40)
    assert against(short, "pipelined", "one_thread").withheld == ()


@pytest.mark.parametrize(("slow", "withheld"), [(15.0, False), (61.0, True)])
def test_ratios_of_means_and_medians_that_differ_give_no_verdict(
    cell: Make, gather: Make, slow: float, withheld: bool
) -> None:
    """One step in 40 of the arm alone: 61 ms lift the mean by 19%, 15 ms by 3%."""
    frames = measured(cell, gather, STEADY, [8.0] * 40, [7.0] * 39 + [slow])
    found = against(frames, "pipelined", "one_thread")
    assert bool(found.withheld) == withheld
    if withheld:
        assert "total time (0.835) and typical step (0.700) differ by 19%" in found.withheld[0]


def test_both_ratios_are_there_by_hand(cell: Make, gather: Make) -> None:
    frames = measured(cell, gather, STEADY, [8.0] * 40, [7.0] * 36 + [9.0] * 4)
    found = against(frames, "pipelined", "one_thread")
    assert found.time.ratio == pytest.approx((36 * 7 + 4 * 9) / 400)
    assert found.typical.ratio == pytest.approx(0.7)


def test_steps_that_differ_by_what_the_gate_decides_are_no_illness(
    cell: Make, gather: Make
) -> None:
    """Kind: a sound arm that is called ill. A third of its steps redo what was rejected."""
    gated = [6.0, 6.0, 12.0] * 20
    frames = measured(cell, gather, [10.0] * 60, [8.0] * 60, gated)
    frames.steps["accepts"] = frames.steps["accepts"].astype("Int64")
    frames.steps["rejects"] = frames.steps["rejects"].astype("Int64")
    assert "differ" in against(frames, "pipelined", "one_thread").withheld[0]
    arm = frames.steps["cell"].isin(frames.runs.query("arm == 'pipelined'")["cell"])
    slow = frames.steps["step_ms"] == 12.0
    frames.steps.loc[arm, "rejects"] = slow[arm].astype(int) * 3
    frames.steps.loc[arm, "accepts"] = 32 - frames.steps.loc[arm, "rejects"]
    found = against(frames, "pipelined", "one_thread")
    assert found.withheld == ()
    assert found.typical.ratio == found.time.ratio == pytest.approx(0.8)


def test_the_report_says_why_a_verdict_is_withheld(cell: Make, gather: Make) -> None:
    (comparison,) = summarise(measured(cell, gather, STEADY, [12.0] * 40, [7.0] * 40)).comparisons
    assert "(no verdict; a typical step 0.58)" in headline(comparison)
    assert "faster than both" not in headline(comparison)
    assert any(
        words.startswith('No verdict on the time of "pipelined": ')
        for words in cautions(comparison)
    )


def test_cycles_of_a_simulated_overlay_met_no_noise(cell: Make, gather: Make) -> None:
    """Kind: a sound arm that is called ill. Steps with more cycles are slower, not disturbed."""
    fields: dict[str, Any] = {"backend": "sim:model", "arithmetic": "int16"}
    cycles = {"cycles": 3_000_000, "clock_mhz": 100.0, "simulated_s": 1.2, "steps": 40}

    def overlay(ms: list[float], **more: Any) -> Any:
        made = cell(ms, steps_per_round=1, columns=cycles, **fields, **more)
        for row, time in zip(made.steps, ms, strict=True):
            row |= {"cycles": int(time * 1e5), "clock_mhz": 100.0}
        return made

    times = [10.0] * 30 + [40.0] * 10
    frames = gather(overlay(times), overlay([9.0] * 40, schedule="pipelined"))
    assert against(frames, "pipelined, sim:model, 2 x 16 lanes", "one_thread").withheld == ()
