"""Single rules of the arbiters, each by its smallest case."""

from __future__ import annotations

import pytest

from infrastructure.networking.websocket.migration.arbiter import Arbiter
from infrastructure.networking.websocket.migration.event import Event, Limits, Side
from infrastructure.networking.websocket.migration.matching import MatchingArbiter

LEGACY, NEW = Side.LEGACY, Side.NEW
LIMITS = Limits(hole_wait_s=1.0, in_flight_s=2.0, ring_bytes=640, reset_after_s=5.0, window_s=2.0, spare_s=30.0)


def arbiter(*, is_contiguous: bool = True, serving: Side = LEGACY) -> Arbiter:
    one = Arbiter(serving, is_contiguous=is_contiguous, limits=LIMITS)
    for side in Side:
        one.set_connected(side, True)
    return one


def book(first: int, last: int | None = None, *, is_snapshot: bool = False) -> Event:
    return Event(first, first if last is None else last, f"{first}-{last or first}", is_snapshot=is_snapshot)


def handed_out(one: Arbiter | MatchingArbiter, now: float = 0.0) -> list[object]:
    """Everything the consumer can have now."""
    got = []
    while (event := one.take(one.epoch, now)) is not None:
        got.append(event.item)
        one.done(one.epoch)
    return got


def offer(one: Arbiter, side: Side, *events: Event, now: float = 0.0) -> list[object]:
    for event in events:
        one.offer(side, event, now)
    return handed_out(one, now)


def test_a_hole_waits_for_the_other_side_and_is_filled_by_it() -> None:
    one = arbiter()
    assert offer(one, LEGACY, book(1), book(2), book(5)) == ["1-1", "2-2"]
    assert one.wait_until == 1.0
    assert offer(one, NEW, book(1, 3)) == ["1-3"]
    assert offer(one, NEW, book(4)) == ["4-4", "5-5"]
    assert (one.counts.replayed, one.counts.straddles, one.counts.gaps) == (2, 1, 0)


def test_what_no_side_has_is_a_marked_gap() -> None:
    one = arbiter()
    assert offer(one, LEGACY, book(1), book(5)) == ["1-1"]
    assert handed_out(one, 0.9) == []
    assert handed_out(one, 1.0) == ["5-5"]
    assert one.counts.gaps == 1
    one.set_connected(NEW, False)
    assert offer(one, LEGACY, book(9), now=2.0) == ["9-9"]


def torn(serving: Side) -> Arbiter:
    """Both sides lack 2 to 4, and the consumer is at 5."""
    one = arbiter(serving=serving)
    for side in (serving.other, serving):
        offer(one, side, book(1), book(5))
    assert (one.delivered, one.counts.gaps) == (5, 1)
    return one


@pytest.mark.parametrize("rebuilt", [LEGACY, NEW])
@pytest.mark.parametrize("serving", [LEGACY, NEW])
def test_a_hole_of_both_is_healed_once_by_the_first_that_has_rebuilt_its_book(serving: Side, rebuilt: Side) -> None:
    one = torn(serving)
    assert offer(one, rebuilt, book(6), book(7), book(7, is_snapshot=True)) == (
        ["6-6", "7-7", "7-7"] if rebuilt is serving else []
    )
    if rebuilt is not serving:
        assert offer(one, serving, book(6)) == ["6-6"]
        assert offer(one, serving, book(7)) == ["7-7", "7-7"]
    assert offer(one, serving.other, book(8), book(8, is_snapshot=True)) == []
    assert offer(one, serving, book(8), book(9)) == ["8-8", "9-9"]
    assert one.counts.healed == (rebuilt is not serving)


def test_a_book_that_is_behind_the_consumer_heals_nothing_and_a_fitting_one_comes_at_once() -> None:
    one = torn(LEGACY)
    assert offer(one, LEGACY, book(6)) == ["6-6"]
    assert offer(one, NEW, book(5, is_snapshot=True)) == []
    assert offer(one, NEW, book(6), book(6, is_snapshot=True)) == ["6-6"]
    assert one.counts.healed == 1


def test_a_book_that_new_rebuilt_heals_the_hole_after_the_way_back() -> None:
    one = torn(NEW)
    one.fills = False
    one.roll_back(LEGACY, 0.0)
    assert offer(one, NEW, book(6), book(6, is_snapshot=True)) == []
    assert offer(one, LEGACY, book(6), book(7)) == ["6-6", "6-6", "7-7"]


def test_once_legacy_goes_straight_again_nothing_is_put_between() -> None:
    one = torn(NEW)
    one.fills = False
    one.roll_back(LEGACY, 0.0)
    both = [book(version) for version in range(6, 110)]
    assert len(offer(one, LEGACY, *both)) == len(both)
    assert one.is_settled
    assert offer(one, NEW, book(109, is_snapshot=True)) == []


def test_in_stage_shadow_a_hole_is_passed_on() -> None:
    one = arbiter()
    one.fills = False
    assert offer(one, NEW, book(1), book(2), book(3)) == []
    assert offer(one, LEGACY, book(1), book(3)) == ["1-1", "3-3"]
    assert one.counts.gaps == one.counts.replayed == 0


def test_in_stage_shadow_a_hole_right_behind_a_cut_is_filled_all_the_same() -> None:
    one = arbiter(serving=NEW)
    assert offer(one, NEW, book(1), book(2)) == ["1-1", "2-2"]
    assert offer(one, LEGACY, book(1), book(2)) == []
    one.fills = False
    one.roll_back(LEGACY, 0.0)
    assert offer(one, NEW, book(3)) == []
    assert offer(one, LEGACY, book(4)) == ["3-3", "4-4"]
    assert len(offer(one, LEGACY, *(book(version) for version in range(5, 103)))) == 98
    assert one.audit().is_clean
    assert one.audit().is_complete
    assert offer(one, NEW, book(103)) == []
    assert offer(one, LEGACY, book(104)) == ["104-104"]


@pytest.mark.parametrize("is_contiguous", [True, False])
def test_a_stream_is_starved_while_only_the_other_side_has_something(is_contiguous: bool) -> None:
    one = arbiter(is_contiguous=is_contiguous, serving=NEW)
    assert offer(one, NEW, book(1)) == ["1-1"]
    assert offer(one, LEGACY, book(1)) == []
    assert not one.is_starved
    assert offer(one, LEGACY, book(2)) == []
    assert one.is_starved
    one.offer(NEW, book(2), 0.0)
    assert not one.is_starved
    assert one.take(one.epoch, 0.0) is not None
    one.offer(LEGACY, book(3), 0.0)
    assert not one.is_starved
    one.done(one.epoch)
    assert one.is_starved
    assert one.taken == 2


@pytest.mark.parametrize("is_unique", [True, False])
def test_a_side_that_owes_copies_of_what_the_other_delivered_is_not_settled(is_unique: bool) -> None:
    one = MatchingArbiter(NEW, is_unique=is_unique, limits=LIMITS)
    first, second = (Event(0, 0, key, parts=(key,)) for key in "ab")
    assert offer(one, NEW, first, second) == ["a", "b"]
    one.roll_back(LEGACY, 0.0)
    assert not one.is_settled
    assert offer(one, LEGACY, Event(0, 0, "a", parts=("a",))) == []
    assert not one.is_settled
    assert offer(one, LEGACY, Event(0, 0, "b", parts=("b",))) == []
    assert one.is_settled


def test_a_side_behind_the_consumer_is_not_settled() -> None:
    one = arbiter(serving=NEW)
    one.fills = False
    assert offer(one, NEW, book(1)) == ["1-1"]
    one.roll_back(LEGACY, 0.0)
    one._fills_to = None
    assert not one.is_settled
    assert offer(one, LEGACY, book(1)) == []
    assert one.is_settled


def test_items_without_a_copy_starve_a_stream_of_ids() -> None:
    one = MatchingArbiter(NEW, is_unique=True, limits=LIMITS)
    item = Event(0, 0, "fill", parts=("a",))
    one.offer(LEGACY, item, 0.0)
    assert one.is_starved
    assert offer(one, NEW, Event(0, 0, "fill", parts=("a",))) == ["fill"]
    assert not one.is_starved


def test_behind_a_cut_the_outgoing_side_goes_on_to_a_boundary_that_both_share() -> None:
    one = arbiter()
    assert offer(one, LEGACY, book(1, 2)) == ["1-2"]
    assert offer(one, NEW, book(1, 4)) == []
    assert one.flip(NEW, 0.0) is None
    assert handed_out(one) == []
    assert offer(one, LEGACY, book(3, 4)) == ["3-4"]
    assert offer(one, NEW, book(5)) == ["5-5"]
    assert one.counts.straddles == 0


def test_a_range_across_the_cut_is_delivered_and_counted_when_no_boundary_comes() -> None:
    one = arbiter()
    assert offer(one, LEGACY, book(1, 2)) == ["1-2"]
    one.offer(NEW, book(1, 4), 0.0)
    assert one.flip(NEW, 0.0) is None
    assert handed_out(one, 0.5) == []
    assert handed_out(one, 1.5) == ["1-4"]
    assert one.counts.straddles == 1
    assert one.audit().duplicated == ()


def test_a_rebuilt_book_is_handed_on_behind_its_version_and_never_by_the_standby() -> None:
    one = arbiter(serving=NEW)
    assert offer(one, NEW, book(1), book(1, is_snapshot=True)) == ["1-1", "1-1"]
    assert offer(one, LEGACY, book(2), book(3), book(4, is_snapshot=True)) == []
    assert offer(one, NEW, book(3, is_snapshot=True)) == ["2-2", "3-3", "3-3"]
    assert offer(one, NEW, book(2, is_snapshot=True)) == []
    assert one.counts.snapshots_skipped == 1


def test_versions_that_began_anew_are_believed_after_a_while() -> None:
    one = arbiter()
    assert offer(one, LEGACY, book(1000)) == ["1000-1000"]
    for second in range(5):
        assert offer(one, LEGACY, book(second + 1), now=float(second)) == []
    assert offer(one, LEGACY, book(6), now=5.0) == ["6-6"]
    assert one.counts.resets == 1
    assert offer(one, LEGACY, book(7), now=5.0) == ["7-7"]


def test_the_standbys_ring_keeps_its_newest_bytes() -> None:
    one = arbiter()
    assert offer(one, LEGACY, book(1)) == ["1-1"]
    assert offer(one, NEW, *(book(version) for version in range(1, 31))) == []
    assert one.counts.ring_dropped == 19
    one.roll_back(NEW, 0.0)
    one.set_connected(LEGACY, False)
    assert handed_out(one) == [f"{version}-{version}" for version in range(21, 31)]
    assert one.counts.gaps == 1


def test_the_preflight_says_what_stands_against_a_flip() -> None:
    one = arbiter()
    one.set_connected(NEW, False)
    assert offer(one, LEGACY, book(1), book(2)) == ["1-1", "2-2"]
    assert one.unready(NEW) == "new is not connected"
    one.set_connected(NEW, True)
    assert one.flip(NEW, 0.0) == "new is at version None, the consumer at 2"
    one.offer(NEW, book(1), 0.0)
    assert one.flip(NEW, 0.0) == "new is at version 1, the consumer at 2"
    one.offer(NEW, book(2), 0.0)
    one.offer(LEGACY, book(3), 0.0)
    one.offer(NEW, book(3), 0.0)
    assert one.take(one.epoch, 0.0) is not None
    assert one.flip(NEW, 0.0) is None
    assert one.unready(LEGACY) == "a flip to new is under way"
    assert one.serving is LEGACY
    one.done(one.epoch)
    assert (one.serving, one.epoch, one.moves.flips) == (NEW, 2, 1)


def test_a_flip_is_cancelled_and_a_rollback_goes_on_when_the_callback_does_not_return() -> None:
    one = arbiter(serving=NEW)
    for version in (1, 2):
        one.offer(LEGACY, book(version), 0.0)
        one.offer(NEW, book(version), 0.0)
    epoch = one.epoch
    assert one.take(epoch, 0.0) is not None
    assert one.flip(LEGACY, 0.0) is None
    one.tick(2.0)
    assert (one.serving, one.moves.cancelled) == (NEW, 1)
    one.roll_back(LEGACY, 2.0)
    one.tick(3.9)
    assert one.serving is NEW
    one.tick(4.0)
    assert (one.serving, one.moves.suspended, one.moves.rollbacks) == (LEGACY, 1, 1)
    assert handed_out(one, 4.0) == ["2-2"]
    one.done(epoch)
    assert one.take(epoch, 4.0) is None
    assert one.moves.fenced == 2


def test_a_rollback_cancels_a_flip_that_waits() -> None:
    one = arbiter()
    one.offer(LEGACY, book(1), 0.0)
    one.offer(NEW, book(1), 0.0)
    assert one.take(one.epoch, 0.0) is not None
    assert one.flip(NEW, 0.0) is None
    one.roll_back(LEGACY, 0.0)
    one.done(one.epoch)
    assert (one.serving, one.moves.cancelled, one.moves.flips) == (LEGACY, 1, 0)


def items(*keys: str, ranks: tuple[tuple[str, int], ...] = ()) -> Event:
    return Event(0, 0, keys, parts=keys, ranks=ranks, pick=lambda item, at: tuple(item[one] for one in at))


def matching(*, is_unique: bool) -> MatchingArbiter:
    one = MatchingArbiter(LEGACY, is_unique=is_unique, limits=LIMITS)
    for side in Side:
        one.set_connected(side, True)
    return one


def test_a_rollback_that_is_asked_for_again_keeps_its_deadline() -> None:
    one = arbiter()
    one.offer(LEGACY, book(1), 0.0)
    assert one.take(one.epoch, 0.0) is not None
    for now in (0.0, 1.0):
        one.roll_back(NEW, now)
        assert one.deadline == LIMITS.in_flight_s
    one.tick(LIMITS.in_flight_s)
    assert one.serving is NEW
    assert (one.moves.rollbacks, one.moves.cancelled, one.moves.suspended) == (1, 0, 1)


def test_a_stream_without_versions_has_neither_gaps_nor_an_audit() -> None:
    one = matching(is_unique=True)
    one.offer(LEGACY, items("a"), 0.0)
    assert handed_out(one) == [("a",)]
    assert one.flip(NEW, 0.0) is None
    assert (one.delivered, one.gaps, one.audit()) == (None, 0, None)


@pytest.mark.parametrize("is_unique", [True, False])
def test_what_both_deliver_comes_once_and_what_one_lacks_comes_at_the_flip(is_unique: bool) -> None:
    one = matching(is_unique=is_unique)
    one.offer(LEGACY, items("a", "b"), 0.0)
    assert handed_out(one) == [("a", "b")]
    one.offer(NEW, items("b", "c"), 0.1)
    one.offer(NEW, items("d"), 0.1)
    assert one.flip(NEW, 0.2) is None
    assert handed_out(one, 0.2) == [("c",), ("d",)]
    one.offer(LEGACY, items("c", "d"), 0.3)
    one.offer(NEW, items("a"), 0.3)
    assert handed_out(one, 0.3) == []


def test_equal_content_is_told_apart_by_number_and_counted_as_a_risk() -> None:
    one = matching(is_unique=False)
    for _ in range(3):
        one.offer(LEGACY, items("same"), 0.0)
    assert handed_out(one) == [("same",)] * 3
    one.offer(NEW, items("same"), 0.0)
    assert one.flip(NEW, 0.0) is None
    assert one.counts.at_risk == 2
    for _ in range(3):
        one.offer(NEW, items("same"), 0.1)
    assert handed_out(one, 0.1) == [("same",)]
    assert one.counts.suppressed == 2


def test_a_copy_that_never_came_is_not_awaited_beyond_its_window() -> None:
    one = matching(is_unique=False)
    one.offer(LEGACY, items("a"), 0.0)
    assert handed_out(one) == [("a",)]
    assert one.flip(NEW, 1.0) is None
    one.offer(NEW, items("a"), 2.5)
    assert handed_out(one, 2.5) == [("a",)]
    assert one.counts.unmatched == 1


def test_what_the_serving_side_lost_is_dropped_once_it_has_gone_on() -> None:
    one = matching(is_unique=False)
    one.offer(NEW, items("lost"), 0.0)
    one.offer(LEGACY, items("later"), 3.0)
    assert handed_out(one, 3.0) == [("later",)]
    one.offer(NEW, items("later"), 3.0)
    assert one.counts.only_standby == 1
    assert one.flip(NEW, 3.0) is None
    assert handed_out(one, 3.0) == []


def test_an_older_state_of_a_thing_is_not_delivered_behind_a_newer_one() -> None:
    one = matching(is_unique=True)
    one.offer(NEW, items("order 1 open", ranks=(("1", 1),)), 0.0)
    one.offer(LEGACY, items("order 1 filled", ranks=(("1", 2),)), 0.0)
    assert handed_out(one) == [("order 1 filled",)]
    assert one.flip(NEW, 0.0) is None
    assert handed_out(one) == []
    assert one.counts.outdated == 1
