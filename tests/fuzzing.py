"""Damages content at random, and watches that reading it runs nothing."""

import contextlib
import sys
import time

_watched = []
_DANGEROUS = ("os.system", "subprocess.", "os.exec", "os.posix_spawn", "exec", "import", "socket.")


def _hook(event, arguments):
    if _watched and event.startswith(_DANGEROUS):
        _watched[-1].append((event, str(arguments)[:200]))


@contextlib.contextmanager
def nothing_runs():
    """No code is run, imported or started while in here."""
    _watched.append([])
    try:
        yield
    finally:
        happened = _watched.pop()
    assert happened == []


sys.addaudithook(_hook)


def mutated(random, content, interesting=()):
    """Return `content` with one to four kinds of damage: bits, bytes, cuts, copies, insertions.

    Args:
        random: a `random.Random`.
        content: bytes.
        interesting: bytes that are inserted more often than others.
    """
    damaged = bytearray(content)
    for _ in range(random.randint(1, 4)):
        # Headers are small: half of the damage is done there.
        limit = len(damaged) if random.random() < 0.5 else min(len(damaged), 64)
        place = random.randrange(limit + 1)
        kind = random.randrange(6)
        if kind == 0 and place < len(damaged):
            damaged[place] ^= 1 << random.randrange(8)
        elif kind == 1:
            damaged[place : place + 4] = random.randbytes(4)
        elif kind == 2:
            del damaged[place:]
        elif kind == 3:
            del damaged[place : place + random.randint(1, 16)]
        elif kind == 4:
            damaged[place:place] = damaged[: random.randint(0, 64)]
        else:
            pieces = [*interesting, random.randbytes(random.randint(1, 8)), b"\xff\xff\xff\x7f"]
            damaged[place:place] = random.choice(pieces)
    return bytes(damaged)


def within(seconds, work):
    """Return what `work()` returns, which must not take longer."""
    began = time.monotonic()
    found = work()
    assert time.monotonic() - began < seconds
    return found
