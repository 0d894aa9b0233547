"""One book stands for both as long as they are equal, and that changes nothing of what is found."""

from __future__ import annotations

import random
from typing import Any

import pytest

from shadow.diff.books import BookWalk
from shadow.diff.codes import Finding
from shadow.diff.expected import Owed
from shadow.diff.lines import Delivered
from shadow.reference.events import Book

PLACE = "gateio.spot.public", "S"
DAMAGES = ("price", "quantity", "lost level", "texts", "drop", "late", "phantom", "whole", "wrong whole", "hole")


class Apart(BookWalk):
    """Always two books."""

    def is_same_step(self, body: dict[str, Any], version: int) -> bool:
        return False


def updates_of(chance: random.Random, count: int) -> list[Book]:
    found = []
    for version in range(1, count + 1):
        sides = [
            [[str(base + chance.randint(0, 6)), str(chance.choice((0, 0, 1, 2)))] for _ in range(chance.randint(0, 3))]
            for base in (90, 100)
        ]
        found.append(Book("S", version, version, False, sides[0], sides[1], version))
    return found


def whole_of(rest: Book, updates: list[Book], version: int) -> dict[str, Any]:
    """A REST book brought to a version, as a stack would deliver it."""
    sides: tuple[dict[float, float], dict[float, float]] = {}, {}
    for book in (rest, *(one for one in updates if (rest.last or 0) < (one.last or 0) <= version)):
        for side, levels in zip(sides, book.numbers(), strict=True):
            side.update((price, quantity) for price, quantity in levels)
    bids, asks = ([[price, size] for price, size in side.items() if size] for side in sides)
    return {"snapshot": True, "first": None, "last": version, "bids": bids, "asks": asks}


def body_of(book: Book) -> dict[str, Any]:
    bids, asks = book.numbers()
    return {
        "snapshot": False, "first": book.first, "last": book.last,
        "bids": [list(level) for level in bids], "asks": [list(level) for level in asks],
    }  # fmt: skip


def damaged(chance: random.Random, body: dict[str, Any], damage: str) -> dict[str, Any]:
    side = body[chance.choice(("bids", "asks"))]
    if damage == "texts":
        for level in side:
            level[:] = [str(number) for number in level]
    elif side and damage == "price":
        side[0][0] += 1
    elif side and damage == "quantity":
        side[0][1] += 1
    elif side and damage == "lost level":
        side.pop()
    return body


def scene(seed: int, damages: tuple[str, ...]) -> tuple[list[Owed], list[Delivered], list[Book], list[Book]]:
    """Forty updates, and what a side made of them; a quarter of them damaged."""
    chance = random.Random(seed)
    updates, rest = updates_of(chance, 40), Book("S", None, 0, True, [["90", "1"]], [["100", "2"]], 0)
    owed = [Owed(book, i, 0, i, 1, 1000 * i, "", False) for i, book in enumerate(updates)]
    given: list[Delivered] = []
    late: list[Delivered] = []

    def say(body: dict[str, Any], item: Owed | None, code: str = "MATCH") -> Delivered:
        one = Delivered(len(given), 10**9, 1000 * len(given), PLACE[0], "book", "S", body, code, item)
        if item is not None:
            item.delivered, item.code = one, code
        return one

    for item, book in zip(owed, updates, strict=True):
        damage = chance.choice(damages) if damages and chance.random() < 0.25 else ""
        if damage in ("whole", "wrong whole"):
            body = whole_of(rest, updates, (book.last or 0) - 1)
            given.append(say(body | ({"bids": [[1.0, 1.0]]} if damage == "wrong whole" else {}), None, ""))
        if damage == "phantom":
            given.append(say(body_of(chance.choice(updates)), None, "PHANTOM"))
        if damage in ("drop", "hole"):
            item.code = "MISSING" if damage == "drop" else "IN_FLIGHT"
            continue
        (late if damage == "late" else given).append(say(damaged(chance, body_of(book), damage), item))
        if late and chance.random() < 0.5:
            given.append(late.pop())
    return owed, given + late, updates, [rest]


def walked(kind: type[BookWalk], seed: int, damages: tuple[str, ...], has_snapshots: bool) -> tuple[Any, ...]:
    owed, given, updates, rests = scene(seed, damages)
    findings: list[Finding] = []
    walk = kind(PLACE, owed, updates, rests, has_snapshots, findings)
    walk.walk(given)
    ends = walk.ends_equal()
    said = [(one.code, one.field, one.ref, one.frame_no, repr(one.delivered)) for one in findings]
    books = walk.truth.bids, walk.truth.asks, walk.side.bids, walk.side.asks
    return said, [one.code for one in given], ends, walk.seeded, walk.compared, books


@pytest.mark.parametrize("has_snapshots", [True, False])
def test_one_book_for_both_finds_what_two_books_find(has_snapshots: bool) -> None:
    found = set()
    for seed in range(150):
        together = walked(BookWalk, seed, DAMAGES, has_snapshots)
        assert together == walked(Apart, seed, DAMAGES, has_snapshots), seed
        found |= {code for code, *_ in together[0]} | {together[2]}
    assert found == {"STATE", "GAP", "FIELD", True, False}


def test_a_faultless_side_has_no_book_of_its_own() -> None:
    owed, given, updates, rests = scene(1, ())
    walk = BookWalk(PLACE, owed, updates, rests, False, [])
    walk.walk(given)
    assert walk.side.bids is walk.truth.bids
    assert walk.side.asks is walk.truth.asks
    assert walk.findings == []
    assert (walk.seeded, walk.compared) == (1, 39)
    assert walk.ends_equal()
