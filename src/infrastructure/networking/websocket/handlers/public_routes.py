"""Where a public frame's payload goes, by type: each route is one call from the template to the consumer's callback."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from exchanges.structs.events import BookUpdate, TradeEvent
from infrastructure.networking.websocket.book_keeper import BookKeeper

__all__ = [
    "Decode",
    "Route",
    "book_route",
    "decoded",
    "each_route",
    "plain_route",
    "read_result",
    "result_route",
    "trades_route",
]

Route = Callable[[Any], None]
Decode = Callable[[Any], Any]


def decoded(payload: Any) -> Any:
    """The decoder of a route that is given its frames decoded."""
    return payload


def read_result(payload: Any) -> Any:
    """The event, which the decoder made. A route that is given this reader does without the call."""
    return payload.result


def book_route(
    parse: Callable[[Any], BookUpdate | None],
    books: BookKeeper,
    call_back: Callable[[BookUpdate], None],
    decode: Decode = decoded,
) -> Route:
    """Books: the update as it came, and behind it the whole book where the update completed one.

    With `read_result` as its parser, a `decode` makes it a route for frames as bytes.
    """
    synced, apply = books.synced, books.apply

    def take_otherwise(update: BookUpdate) -> None:
        rebuilt = apply(update)
        call_back(update)
        if rebuilt is not None:
            call_back(rebuilt)

    def take(payload: Any) -> None:
        update = parse(payload)
        if update is not None:
            take_otherwise(update)

    def take_result(payload: Any) -> None:
        update = decode(payload).result
        try:
            book = synced[update.symbol]
        except KeyError:
            take_otherwise(update)
            return
        if update.first != book.expected or update.is_snapshot:
            take_otherwise(update)
            return
        bids, asks, last = book.bid_sizes, book.ask_sizes, update.last
        for price, size in update.bids:
            bids[price] = size
        for price, size in update.asks:
            asks[price] = size
        book.expected = last + 1
        book.timestamp = update.timestamp
        if last >= book.tidy_at:
            book.tidy()
        call_back(update)

    return take_result if parse is read_result else take


def trades_route(
    parse: Callable[[Any], list[TradeEvent] | None],
    fresh: Callable[[list[TradeEvent]], list[TradeEvent]],
    call_back: Callable[[list[TradeEvent]], None],
) -> Route:
    """Trades: those that were not delivered before."""

    def take(payload: Any) -> None:
        parsed = parse(payload)
        if parsed and (trades := fresh(parsed)):
            call_back(trades)

    return take


def plain_route(parse: Callable[[Any], Any], call_back: Callable[[Any], None]) -> Route:
    """An event as it was parsed."""

    def take(payload: Any) -> None:
        event = parse(payload)
        if event is not None:
            call_back(event)

    def take_result(payload: Any) -> None:
        call_back(payload.result)

    return take_result if parse is read_result else take


def result_route(decode: Decode, call_back: Callable[[Any], None]) -> Route:
    """The event that the decoder made, from a frame as bytes."""

    def take(raw_message: Any) -> None:
        call_back(decode(raw_message).result)

    return take


def each_route(parse: Callable[[Any], list[Any]], call_back: Callable[[Any], None]) -> Route:
    """Every event of a frame that holds several."""

    def take(payload: Any) -> None:
        for event in parse(payload):
            call_back(event)

    return take
