"""Each process's CPU counts once, whether it was seen or not, and whoever waited for it."""

from __future__ import annotations

from shadow.capture.resources import Identity
from shadow.capture.spent import Reading, Spent

HARNESS = 1
STACK, CHILD, GRANDCHILD = Identity(10, 100), Identity(11, 110), Identity(12, 110)


def test_a_child_that_nobody_saw_counts_by_its_parents_sum() -> None:
    spent = Spent()
    assert spent.total_ns({STACK: Reading(HARNESS, 50, 0)}) == 50
    assert spent.total_ns({STACK: Reading(HARNESS, 60, 400)}) == 460


def test_a_child_that_was_seen_does_not_count_again_when_it_is_waited_for() -> None:
    spent = Spent()
    assert spent.total_ns({STACK: Reading(HARNESS, 50, 0), CHILD: Reading(10, 30, 0)}) == 80
    assert spent.total_ns({STACK: Reading(HARNESS, 50, 35)}) == 85
    assert spent.total_ns({STACK: Reading(HARNESS, 50, 35)}) == 85


def test_a_child_that_ends_while_the_others_are_read_counts_once() -> None:
    """The parent's sum was read before the child was waited for."""
    spent = Spent()
    spent.total_ns({STACK: Reading(HARNESS, 50, 900), CHILD: Reading(10, 300, 0)})
    assert spent.total_ns({STACK: Reading(HARNESS, 50, 900)}) == 1250
    assert spent.total_ns({STACK: Reading(HARNESS, 50, 1210)}) == 1260


def test_a_child_that_the_kernel_discards_counts_by_its_last_reading() -> None:
    spent = Spent()
    spent.total_ns({STACK: Reading(HARNESS, 50, 0), CHILD: Reading(10, 30, 0)})
    assert spent.total_ns({STACK: Reading(HARNESS, 55, 0)}) == 85


def test_what_ends_at_the_same_time_is_handed_on_from_child_to_parent() -> None:
    spent = Spent()
    all_of = {
        STACK: Reading(HARNESS, 50, 0),
        CHILD: Reading(10, 30, 0),
        GRANDCHILD: Reading(11, 20, 0),
    }
    assert spent.total_ns(all_of) == 100
    assert spent.total_ns({STACK: Reading(HARNESS, 50, 0)}) == 100
    assert spent.total_ns({STACK: Reading(HARNESS, 50, 50)}) == 100


def test_an_orphan_counts_on_when_the_started_process_is_gone() -> None:
    spent = Spent()
    spent.total_ns({STACK: Reading(HARNESS, 50, 5), CHILD: Reading(10, 30, 0)})
    assert spent.total_ns({CHILD: Reading(HARNESS, 40, 0)}) == 95
    assert spent.total_ns({}) == 95
