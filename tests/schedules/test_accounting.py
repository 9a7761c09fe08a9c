"""Steps drawn by hand, 1 s being 1000 ms."""

from dataclasses import astuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from specbp.frames import SCHEMAS
from specbp.runtime.spans import Span
from specbp.schedules.accounting import SHARES, time_shares


def shares(spans, engines=2, started=0.0, ended=10.0):
    """The accounts that are not empty, in seconds."""
    found = time_shares(
        [Span(e, phase, "", a, b) for e, phase, a, b in spans], engines, started, ended
    )
    return {
        name.removeprefix("share_").removesuffix("_ms"): value / 1e3
        for name, value in vars(found).items()
        if value
    }


def test_two_engines_at_work_all_the_time_lose_nothing():
    spans = [(0, "forward", 0, 6), (1, "input gradient", 0, 10), (0, "weight gradient", 6, 10)]
    assert shares(spans) == {"passes": 10}


def test_an_engine_without_work_beside_a_pass_is_imbalance():
    spans = [(0, "forward", 0, 4), (0, "wait", 4, 10), (1, "input gradient", 0, 10)]
    assert shares(spans) == {"passes": 7, "imbalance": 3}


def test_what_nothing_runs_beside_costs_all_of_its_time_and_half_of_it_otherwise():
    spans = [(0, "forward", 0, 4), (1, "recall", 0, 2), (1, "input gradient", 2, 4)]
    spans += [(0, "gate", 4, 5), (0, "redo", 5, 7), (0, "weight gradient", 7, 9)]
    spans += [(1, "weight gradient", 7, 9), (0, "update", 9, 10), (1, "store", 9, 10)]
    assert shares(spans) == {"passes": 5, "cache": 1.5, "gate": 1, "redo": 2, "update": 0.5}


def test_both_engines_idle_is_synchronisation_and_so_is_what_engine_0_does_unseen():
    spans = [(0, "forward", 0, 4), (0, "wait", 4, 6), (0, "update", 6, 9)]
    assert shares(spans) == {"passes": 2, "imbalance": 2, "synchronisation": 3, "update": 3}


def test_one_engine_is_never_out_of_balance():
    spans = [(0, "forward", 0, 4), (1, "input gradient", 4, 8), (0, "wait", 8, 9)]
    assert shares(spans, engines=1) == {"passes": 8, "synchronisation": 2}


def test_what_lies_outside_the_step_does_not_count():
    """The cache is written after a step, beside its update or beside the next batch's loading."""
    spans = [(1, "store", 1, 3), (0, "load", 2, 4), (0, "forward", 4, 8)]
    assert shares(spans, started=2, ended=8) == {
        "cache": 0.5, "update": 1.5, "passes": 2, "imbalance": 2,
    }  # fmt: skip


phases = st.sampled_from(["forward", "input gradient", "gate", "redo", "recall", "load", "wait"])


@given(st.data(), st.integers(1, 2))
def test_the_accounts_add_up_to_the_wall_time(data, engines):
    spans = []
    for engine in range(engines):
        moments = sorted(data.draw(st.lists(st.floats(-1, 11), max_size=12)))
        for first, last in zip(moments[::2], moments[1::2], strict=False):
            spans.append((engine, data.draw(phases), first, last))
    assert sum(shares(spans, engines).values()) == pytest.approx(10)


def test_the_frame_has_a_column_for_every_account():
    assert set(SHARES) <= {column.name for column in SCHEMAS["steps"]}
    assert len(astuple(time_shares([], 2, 0, 1))) == len(SHARES)
