from __future__ import annotations

from shadow.venue.relay.dialect import Data
from shadow.venue.relay.oddities import REMEMBERED, Oddities


def book(first: int, last: int) -> tuple[Data, bytes]:
    return Data(("c", "s"), 1, first, last), b"%d-%d" % (first, last)


def test_a_copy_and_an_older_update_are_told_and_what_follows_is_in_order() -> None:
    seen = Oddities()
    stream = [book(1, 3), book(4, 5), book(4, 5), book(8, 9), book(6, 7), book(10, 12), book(10, 12)]
    assert [seen.of(*one) for one in stream] == ["", "", "duplicate", "", "swap", "", "duplicate"]


def test_without_versions_only_copies_are_told_and_only_of_late() -> None:
    seen = Oddities()
    plain = Data(("c", "s"))
    assert [seen.of(plain, b"%d" % n) for n in range(REMEMBERED)] == [""] * REMEMBERED
    assert (seen.of(plain, b"0"), seen.of(plain, b"x"), seen.of(plain, b"1")) == ("duplicate", "", "")
