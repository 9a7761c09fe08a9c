"""One thing that was looked for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

State = Literal["ok", "missing", "wrong"]


@dataclass(frozen=True)
class Finding:
    """One thing that was looked for.

    Attributes:
        what: name of what was looked for.
        state: ``ok``; ``missing`` for what is only needed for some things; ``wrong``.
        found: what there is.
        needed_for: what does not work without it.
        cure: how to get it.
    """

    what: str
    state: State
    found: str
    needed_for: str = ""
    cure: str = ""
