"""Whether the engines of an arm had their cores to themselves, in sentences."""

from __future__ import annotations

from collections.abc import Sequence

from specbp.counting import count
from specbp.report.pairing import Arm

LEAST_RECEIVED = 0.75
"""Share of its cores that an arm must have been given in the trial before its first step."""


def core_sentences(arms: Sequence[Arm]) -> list[str]:
    """Return a sentence for each arm whose engines did not have their cores to themselves.

    Arms of a matrix whose times do not count may share cores.
    """
    found = []
    for arm in arms:
        if all(run["session"] is None for run in arm.runs):
            continue
        received = _received(arm)
        if arm.shares_cores:
            found.append(f'"{arm.name}": its engines shared a core, so its times do not count.')
        elif received is not None and received < LEAST_RECEIVED * arm.threads:
            cores = count(arm.threads, "core")
            found.append(
                f'"{arm.name}": other work on the machine left it {received:.2f} of {cores} when '
                "its training began: its times may be too long, train it again when idle."
            )
    return found


def _received(arm: Arm) -> float | None:
    """Return the fewest cores that any training of an arm was given; None where that is unknown."""
    known = [run["cores_received"] for run in arm.runs if run["cores_received"] is not None]
    return min(known, default=None)
