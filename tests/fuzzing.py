"""Damages content at random, and watches that reading it runs nothing."""

import contextlib
import sys
import time

import torch

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


def leaves(value, path=()):
    """Yield the path of every value in nested dictionaries, lists and tuples."""
    if isinstance(value, dict):
        items = value.items()
    elif isinstance(value, list | tuple):
        items = enumerate(value)
    else:
        yield path
        return
    for key, part in items:
        yield from leaves(part, (*path, key))


def altered(value, path, new):
    """Return nested containers with another value at a path; `value` stays as it is."""
    if not path:
        return new
    key, *rest = path
    changed = altered(value[key], rest, new)
    if isinstance(value, dict):
        return {**value, key: changed}
    return type(value)([*value[:key], changed, *value[key + 1 :]])


def wrong_values(state, path, ranges=True):
    """Yield what the value at a path of a training's state cannot be.

    Args:
        state: nested containers.
        path: of a value in them.
        ranges: also values of the right type that are out of range.
    """
    value = state
    for key in path:
        value = value[key]
    yield [value]
    if isinstance(value, torch.Tensor):
        yield value[None]
        yield value.to(torch.int32 if value.dtype != torch.int32 else torch.int64)
        yield value.tolist()
        yield value.expand(2, *value.shape)[1:].squeeze(0).to_sparse() if value.dim() else None
        if ranges and path[0] == "schedule" and value.numel():
            floats = value.is_floating_point()
            beyond = [float("inf"), float("-inf"), float("nan")] if floats else [2**62, -(2**62)]
            for number in beyond:
                changed = value.contiguous().clone()
                changed.view(-1)[-1] = number
                yield changed
            if value.dim() > 1:
                yield value.flatten()[:1].expand(value.shape)
    else:
        yield "x"
        yield -1
        yield float("nan")
