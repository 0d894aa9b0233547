"""The REST books that a replay serves: as recorded, brought forward to where the list of frames begins.

A list that begins in the middle of a run would never fit the book that was asked for at the connection's start; the
reference's own book of that moment stands for the one that the exchange would have given then.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal

from shadow.diff.frames import FrameStore
from shadow.reference.book import OrderBook, VersionGap
from shadow.reference.events import Book, Event
from shadow.reproducer.case import RestBook

__all__ = ["brought_forward", "read_books"]

Levels = list[tuple[str, str]]


def read_books(connection: str, payloads: Sequence[tuple[str, bytes]]) -> list[RestBook]:
    """(symbol, REST answer) pairs as the reference reads them; what is no book is left out."""
    store = FrameStore({})
    for symbol, payload in payloads:
        store.add_rest(connection, symbol, payload)
    return [
        RestBook(symbol, book.last or 0, _pairs(book.bids), _pairs(book.asks))
        for (_, symbol), (book, *_) in store.rest_books.items()
    ]


def brought_forward(books: Iterable[RestBook], recorded: Sequence[Event], kept: Sequence[Event]) -> list[RestBook]:
    """Each book at the version before the first of `kept`'s updates of its symbol, by what was recorded up to there.

    A book stays as it is where `kept` has no update of its symbol, or where recorded versions are missing on the way.
    """
    return [_forward(book, _updates(recorded, book.symbol), _updates(kept, book.symbol)) for book in books]


def _forward(base: RestBook, recorded: list[Book], kept: list[Book]) -> RestBook:
    first = kept[0].first or kept[0].last if kept else None
    if first is None:
        return base
    book: OrderBook[Decimal] = OrderBook(Decimal)
    book.seed(base.version, base.bids, base.asks)
    for update in recorded:
        if update.last is None or update.last >= first or update.snapshot:
            continue
        try:
            book.apply(update.first, update.last, update.bids, update.asks)
        except VersionGap:
            return base
    return RestBook(base.symbol, book.version or base.version, _side(book.bids, best_first=True), _side(book.asks))


def _updates(events: Iterable[Event], symbol: str) -> list[Book]:
    return [event for event in events if isinstance(event, Book) and event.symbol == symbol]


def _side(levels: dict[Decimal, Decimal], *, best_first: bool = False) -> Levels:
    return [(f"{price:f}", f"{quantity:f}") for price, quantity in sorted(levels.items(), reverse=best_first)]


def _pairs(levels: Iterable[Sequence[str]]) -> Levels:
    return [(price, quantity) for price, quantity in levels]
