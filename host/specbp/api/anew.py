"""What is trained again although its results are there."""

from __future__ import annotations

from enum import Enum


class Anew(Enum):
    """What is trained again although it is there."""

    NOTHING = "nothing"
    INCOMPARABLE = "incomparable"
    EVERYTHING = "everything"


def anew_from(fresh: bool, again: bool = False) -> Anew:
    """Return what the switches `fresh` and `again` mean together."""
    if fresh:
        return Anew.EVERYTHING
    return Anew.INCOMPARABLE if again else Anew.NOTHING
