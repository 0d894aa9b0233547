"""The local book against the plainest possible one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchanges.structs.book import LocalBook
from exchanges.structs.errors import SequenceGap
from exchanges.structs.events import BookUpdate, Level

LEVEL = st.tuples(st.sampled_from([1.0, 1.5, 2.0, 99.5, 100.0]), st.sampled_from([0.0, 0.25, 3.0]))
SIDE = st.lists(LEVEL, max_size=4)
DELTAS = st.lists(st.tuples(SIDE, SIDE, st.integers(1, 3)), min_size=1, max_size=12)
Book = tuple[dict[float, float], dict[float, float]]


def updates_of(deltas: list[tuple[list[Level], list[Level], int]], start: int = 0) -> list[BookUpdate]:
    """Contiguous updates behind version `start`."""
    updates, version = [], start
    for bids, asks, width in deltas:
        updates.append(BookUpdate(version, "X", version + 1, version + width, bids, asks))
        version += width
    return updates


def plain(updates: list[BookUpdate]) -> Book:
    """What the updates leave behind, written as simply as can be."""
    sides: Book = ({}, {})
    for update in updates:
        for side, levels in zip(sides, (update.bids, update.asks), strict=True):
            for price, size in levels:
                side[price] = size
    return {p: s for p, s in sides[0].items() if s}, {p: s for p, s in sides[1].items() if s}


def synced(version: int = 0) -> LocalBook:
    book = LocalBook("X")
    book.replace(BookUpdate(0, "X", None, version, [], []))
    return book


@pytest.mark.no_cover
@given(DELTAS)
def test_applied_in_order_it_equals_the_plain_book(deltas: list[tuple[list[Level], list[Level], int]]) -> None:
    updates = updates_of(deltas)
    book = synced()
    for update in updates:
        book.apply(update)
    assert (book.bids, book.asks) == plain(updates)
    assert book.version == updates[-1].last
    whole = book.snapshot()
    assert whole.is_snapshot
    assert whole.last == book.version
    assert whole.bids == sorted(whole.bids, reverse=True)
    assert whole.asks == sorted(whole.asks)


def test_removed_levels_are_forgotten_before_they_fill_the_memory() -> None:
    book = synced()
    for version in range(1, 4 * LocalBook.TIDY_EVERY):
        book.apply(BookUpdate(0, "X", version, version, [(float(version), float(version % 4 == 0))], []))
    there = LocalBook.TIDY_EVERY - 1
    assert len(book.bids) == there
    assert len(book.bid_sizes) <= there + LocalBook.TIDY_EVERY


@pytest.mark.no_cover
@given(DELTAS, st.data())
def test_a_snapshot_anywhere_is_bridged(
    deltas: list[tuple[list[Level], list[Level], int]], data: st.DataObject
) -> None:
    updates = updates_of(deltas)
    at = data.draw(st.integers(0, len(updates) - 1))
    inside = data.draw(st.booleans()) and updates[at].last != updates[at].first
    base = plain(updates[:at])
    version = (updates[at - 1].last if at else 0) or 0
    book = LocalBook("X")
    seen = data.draw(st.integers(0, len(updates)))
    states = [book.hold(update) for update in updates[:seen]]
    states.append(book.load(version + inside, base[0].items(), base[1].items()))
    for update in updates[seen:]:
        if book.is_synced:
            book.apply(update)
        else:
            states.append(book.hold(update))
    assert states.count(True) == 1
    assert (book.bids, book.asks) == plain(updates)
    assert book.version == updates[-1].last


@pytest.mark.no_cover
@given(DELTAS, st.data())
def test_a_hole_is_found_where_it_is(deltas: list[tuple[list[Level], list[Level], int]], data: st.DataObject) -> None:
    updates = updates_of([*deltas, ([], [], 1)])
    lost = data.draw(st.integers(0, len(updates) - 2))
    book = synced()
    for update in updates[:lost]:
        book.apply(update)
    with pytest.raises(SequenceGap) as caught:
        book.apply(updates[lost + 1])
    assert caught.value.expected == updates[lost].first
    assert caught.value.found == updates[lost + 1].first


def test_what_is_contained_already_is_ignored_and_an_overlap_is_applied() -> None:
    book = synced(10)
    book.apply(BookUpdate(1, "X", 8, 10, [(1.0, 5.0)], []))
    assert book.bids == {}
    book.apply(BookUpdate(1, "X", 9, 12, [(1.0, 5.0)], []))
    assert book.bids == {1.0: 5.0}
    assert book.version == 12


def test_an_update_without_versions_moves_the_id() -> None:
    book = synced(10)
    book.apply(BookUpdate(1, "X", 11, 11, [], []))
    assert book.version == 11
    with pytest.raises(SequenceGap):
        book.apply(BookUpdate(1, "X", None, 13, [], []))


def test_a_stale_snapshot_is_refused_and_the_updates_kept() -> None:
    book = LocalBook("X")
    updates = updates_of([([(1.0, 1.0)], [], 1), ([(2.0, 1.0)], [], 1)], start=20)
    for update in updates:
        assert not book.hold(update)
    with pytest.raises(SequenceGap):
        book.load(15, [], [])
    assert not book.is_synced
    assert book.base is None
    assert book.load(20, [(9.0, 1.0)], [])
    assert book.bids == {9.0: 1.0, 1.0: 1.0, 2.0: 1.0}


def test_only_what_is_behind_the_last_hole_is_kept() -> None:
    book = LocalBook("X")
    before, after = updates_of([([(1.0, 1.0)], [], 1)], start=20), updates_of([([(2.0, 1.0)], [], 1)], start=30)
    for update in before + after:
        book.hold(update)
    with pytest.raises(SequenceGap):
        book.load(20, [], [])
    assert book.load(30, [], [])
    assert book.bids == {2.0: 1.0}


def test_what_is_held_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(LocalBook, "HELD_LIMIT", 3)
    book = LocalBook("X")
    for update in updates_of([([], [], 1)] * 10):
        book.hold(update)
    assert len(book._held) == 3
    assert book._held[-1].last == 10
