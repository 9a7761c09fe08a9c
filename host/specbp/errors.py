"""The errors a user can cause, each carrying the exit code of the command that meets it.

Exit codes: 0 fine, 1 the run failed, 2 usage, 3 a gate fell, 4 nothing was measured, 130
stopped.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class SpecbpError(Exception):
    """A failure with a cause and a cure that fit on one line."""

    exit_code = 1


class UsageError(SpecbpError):
    """What was asked for cannot be: an unknown key, a value out of range, a missing file."""

    exit_code = 2


class GateFellError(SpecbpError):
    """A measured value broke the limit it was held against."""

    exit_code = 3


class NothingMeasuredError(SpecbpError):
    """A command that should measure or compare found nothing to do it on."""

    exit_code = 4


class StoppedError(SpecbpError):
    """The user, or the system, asked to stop; the message says what is kept and how to go on."""

    exit_code = 130


def nearest(word: object, candidates: Iterable[str]) -> str:
    """Return `` (did you mean "x"?)`` for the candidate most like `word`, or an empty string."""
    by_lower_case = {one.lower(): one for one in candidates if one != word}
    matches = difflib.get_close_matches(str(word).lower(), by_lower_case, n=1, cutoff=0.5)
    return f' (did you mean "{by_lower_case[matches[0]]}"?)' if matches else ""
