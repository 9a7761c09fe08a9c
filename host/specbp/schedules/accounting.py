"""Where the wall time of a step went: every moment of it is put on one or two accounts.

A moment in which both engines work belongs half to what each of them does. A moment in which one
engine idles is lost to the reason: beside a pass it is imbalance; beside anything else it is what
that other thing costs; beside nothing it is synchronisation. So the accounts of a step add up to
its wall time, and what runs beside useful work costs half of what the same costs alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Literal, get_args

from specbp.runtime.spans import Span

Account = Literal["passes", "imbalance", "gate", "redo", "cache", "synchronisation", "update"]
ACCOUNTS: tuple[Account, ...] = get_args(Account)

_ACCOUNT_OF: dict[str, Account | None] = {
    "forward": "passes",
    "input gradient": "passes",
    "weight gradient": "passes",
    "gate": "gate",
    "redo": "redo",
    "recall": "cache",
    "store": "cache",
    "load": "update",
    "update": "update",
    "wait": None,
}


@dataclass(frozen=True)
class TimeShares:
    """The wall time of a step, split; in ms.

    The field names are columns of the frame `steps`, which says what each means.
    """

    share_passes_ms: float
    share_imbalance_ms: float
    share_gate_ms: float
    share_redo_ms: float
    share_cache_ms: float
    share_synchronisation_ms: float
    share_update_ms: float


SHARES = tuple(field.name for field in fields(TimeShares))


def time_shares(spans: Sequence[Span], engines: int, started: float, ended: float) -> TimeShares:
    """Split the wall time from `started` to `ended`, s, over the accounts.

    On engine 0, which is the caller's, time between spans is synchronisation: handing work over
    and keeping books. On engine 1 it is idle time, as waiting is on both.

    Args:
        spans: of the step; what of them lies outside it is left out. Those of one engine do not
            overlap.
        engines: how many work at the same time; spans of one engine may carry either number.
        started: when the step began, s.
        ended: when it ended, s.
    """
    changes: list[tuple[float, int, int, Account | None]] = []
    for span in spans:
        first, last = max(span.started, started), min(span.ended, ended)
        if first < last:
            engine = span.engine if engines == 2 else 0
            changes.append((first, 1, engine, _ACCOUNT_OF[span.phase]))
            changes.append((last, 0, engine, "synchronisation" if engine == 0 else None))
    changes.sort(key=lambda change: change[:2])  # of equal moments, ends come first
    totals = dict.fromkeys(ACCOUNTS, 0.0)
    now: list[Account | None] = ["synchronisation", None]
    moment = started
    for time, _, engine, account in [*changes, (ended, 0, 0, None)]:
        for one in _accounts(now, engines):
            totals[one] += (time - moment) * 500  # ms, and half of it
        moment = time
        now[engine] = account
    return TimeShares(*(totals[account] for account in ACCOUNTS))


def _accounts(now: Sequence[Account | None], engines: int) -> tuple[Account, Account]:
    """Return the accounts of both halves of a moment in which the engines do `now`."""
    zero, one = now
    if engines == 1:
        alone = zero or "synchronisation"
        return alone, alone
    if zero and one:
        return zero, one
    busy = zero or one or "synchronisation"
    return busy, "imbalance" if busy == "passes" else busy
