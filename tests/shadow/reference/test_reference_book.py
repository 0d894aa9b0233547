"""The reference book keeps the exchange's rules."""

from __future__ import annotations

from decimal import Decimal

import pytest

from shadow.reference.book import OrderBook, VersionGap


def seeded() -> OrderBook[Decimal]:
    book = OrderBook(Decimal)
    book.seed(10, [["1.0", "5"], ["0.9", "6"]], [["1.1", "7"]])
    return book


def test_quantities_are_absolute_and_zero_removes_whatever_its_spelling() -> None:
    book = seeded()
    assert book.apply(11, 12, [["1.00", "0.00000000"], ["0.9", "2"]], [])
    assert book.top(5) == ([(Decimal("0.9"), Decimal(2))], [(Decimal("1.1"), Decimal(7))])
    assert book.version == 12


def test_an_older_update_changes_nothing() -> None:
    book = seeded()
    assert not book.apply(9, 10, [["1.0", "1"]], [])
    assert book.top(1)[0] == [(Decimal("1.0"), Decimal(5))]


def test_a_hole_is_an_error() -> None:
    with pytest.raises(VersionGap):
        seeded().apply(12, 13, [], [])


def test_the_checksum_is_of_numbers_not_of_texts_and_sees_each_level() -> None:
    book, same, other = seeded(), OrderBook(Decimal), seeded()
    same.seed(10, [["0.90", "6.0"], ["1", "5.000"]], [["1.10", "7"]])
    assert book.checksum() == same.checksum()
    other.apply(11, 11, [["0.9", "6.1"]], [])
    assert book.checksum() != other.checksum()


def test_crossed() -> None:
    book = seeded()
    assert not book.crossed()
    book.apply(11, 11, [["1.1", "1"]], [])
    assert book.crossed()
