"""Leases on a board whose server knows nothing of them: a file is all there is."""

import threading
import time
from dataclasses import replace
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from specbp.remote.lease import (
    FREE,
    LEASE_FILE,
    BoardInUseError,
    Holder,
    Lease,
    LeaseLostError,
    Times,
    encode_holder,
    read_holder,
)
from tests.remote.conftest import soon

QUICK = Times(renew_s=0.1, settle_s=0.05, stale_s=0.6)


class Board:
    """Files; a write empties the file before it fills it, as on a board."""

    def __init__(self):
        self.files, self.broken, self.writes = {}, False, 0

    def exists_file(self, path):
        return SimpleNamespace(exists=path in self.files)

    def read_file(self, path):
        if self.broken:
            raise OSError("no answer")
        return self.files[path]

    def write_file(self, path, content):
        if self.broken:
            raise OSError("no answer")
        self.files[path] = b""
        # The first to write takes least.
        self.writes += 1
        time.sleep(min(0.03, 0.004 * self.writes))
        self.files[path] = content


@pytest.fixture
def board():
    return Board()


@pytest.fixture
def lease(board):
    opened = []

    def make(name="anne@desk", times=QUICK, **arguments):
        opened.append(Lease(board, times, name=name, **arguments))
        return opened[-1]

    yield make
    board.broken = False
    for one in opened:
        one.release()


def test_the_second_is_refused_with_the_name_of_the_first(board, lease):
    lease("anne@desk, process 7").take()
    with pytest.raises(BoardInUseError, match="in use by anne@desk, process 7"):
        lease("bob").take()


def test_whoever_releases_makes_room_at_once(board, lease):
    first = lease("anne")
    first.take()
    first.release()
    assert board.files[LEASE_FILE] == FREE
    began = time.monotonic()
    lease("bob").take()
    assert time.monotonic() - began < QUICK.stale_s


def test_a_client_that_died_makes_room_when_it_is_stale(board, lease):
    board.files[LEASE_FILE] = encode_holder(Holder("anne", "dead", 12))
    began = time.monotonic()
    lease("bob").take()
    assert time.monotonic() - began > QUICK.stale_s


def test_a_client_that_renews_never_becomes_stale(board, lease):
    lease("anne").take()
    time.sleep(2 * QUICK.stale_s)
    with pytest.raises(BoardInUseError, match="anne"):
        lease("bob").take()


@pytest.mark.parametrize("number", [2, 5])
def test_of_those_that_come_at_the_same_moment_one_has_it(board, lease, number):
    leases = [lease(f"client {place}") for place in range(number)]
    outcomes, looked = [], threading.Barrier(number)
    exists_file = board.exists_file
    first = threading.local()

    def all_look_before_one_writes(path):
        answer = exists_file(path)
        if vars(first).pop("look", False):
            looked.wait()
        return answer

    board.exists_file = all_look_before_one_writes

    def take(one):
        first.look = True
        try:
            one.take()
            outcomes.append("taken")
        except BoardInUseError:
            outcomes.append("refused")

    threads = [threading.Thread(target=take, args=(one,)) for one in leases]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["refused"] * (number - 1) + ["taken"]


LOSSES = {
    "another takes it": lambda board: board.files.update(
        {LEASE_FILE: encode_holder(Holder("bob", "other"))}
    ),
    "somebody declares it free": lambda board: board.files.update({LEASE_FILE: FREE}),
    "the file is deleted": lambda board: board.files.clear(),
    "the board does not answer": lambda board: setattr(board, "broken", True),
}


@pytest.mark.parametrize("lose", LOSSES.values(), ids=LOSSES)
def test_a_lost_lease_is_noticed_and_said(board, lease, lose):
    told = []
    held = lease("anne", lost=lambda: told.append(True))
    held.take()
    held.check()
    lose(board)
    assert soon(lambda: told)
    with pytest.raises(LeaseLostError, match="not held by this process any more"):
        held.check()
    board.broken = False
    before = dict(board.files)
    held.release()
    assert board.files == before


def test_a_board_that_fails_for_a_moment_is_kept(board, lease):
    held = lease("anne")
    held.take()
    board.broken = True
    time.sleep(QUICK.stale_s / 3)
    board.broken = False
    time.sleep(QUICK.stale_s)
    held.check()


@given(st.binary(max_size=200) | st.text().map(str.encode))
def test_a_file_of_anything_is_nobody(content):
    assert read_holder(content) is None


@given(st.text(), st.text(), st.integers(), st.booleans())
def test_names_are_one_short_printable_line(name, token, beat, connected):
    holder = read_holder(encode_holder(Holder(name, token, beat, connected)))
    assert holder.name.isprintable() and 0 < len(holder.name) <= 120
    assert replace(holder, name=name) == Holder(name, token, beat, connected)


def test_deeply_nested_content_is_nobody():
    assert read_holder(b"[" * 100_000) is None
