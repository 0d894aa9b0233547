"""A body that is the canonical form differs in nothing; whatever differs is none."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shadow.diff.canonical import FIELDS, OPTIONAL, differing, is_rounded
from shadow.diff.forms import form_of, is_form
from shadow.diff.kinds import EXACT_DIGITS
from shadow.reference.events import Balance, Book, BookTicker, Event, Fill, Order, Position, Ticker, Trade

BOOK = Book("S", 7, 9, False, [["100.5", "1"], ["99", "0"]], [["101", "2.25"]], 1_700_000_000_000)
EVENTS: dict[str, Event] = {
    "book": BOOK,
    "trade": Trade("S", "77", "100.5", "1", "buy", 1_700_000_000_000),
    "book_ticker": BookTicker("S", "100.5", "1", None, None, 1, 1_700_000_000_000),
    "ticker": Ticker("S", "1", None, None, "2.5", "3", "4", "0.5", 1_700_000_000_000),
    "order": Order("S", "5", None, "open", "buy", "limit", "1", "2", "0", None, 1_700_000_000_000),
    "fill": Fill("S", "5", "6", "sell", "1", "2", "0.001", "USDT", "maker", 1_700_000_000_000),
    "balance": Balance("", "USDT", "1", "0", 1_700_000_000_000),
    "position": Position("S", "-1", "2", "single", "0", "1", "0.5", 1_700_000_000_000),
}
ODD: tuple[Any, ...] = (None, True, False, 0, 1, 1.0, -1, "", "1", "1.0", "buy", "77", 77, [], {}, 1e308, "usdt")


def body_of(event: Event) -> dict[str, Any]:
    """The event as our stacks say it."""
    body = dict(zip(("symbol",), (event.symbol,), strict=True))
    for name, kind in FIELDS[event.type]:
        value = getattr(event, name)
        body[name] = float(value) if kind.__name__ == "number_kind" and value is not None else value
    if isinstance(event, Book):
        body |= dict(zip(("bids", "asks"), ([list(level) for level in side] for side in event.numbers()), strict=True))
    return body


@pytest.mark.parametrize("event_type", FIELDS)
def test_what_our_stacks_say_is_the_form(event_type: str) -> None:
    event = EVENTS[event_type]
    assert is_form(form_of(event), event_type, body_of(event))
    assert differing(event, body_of(event)) is None


@pytest.mark.parametrize("event_type", FIELDS)
@given(data=st.data())
def test_the_form_never_hides_a_difference(event_type: str, data: st.DataObject) -> None:
    event, body = EVENTS[event_type], body_of(EVENTS[event_type])
    names = [name for name, _ in FIELDS[event_type]] + (["bids", "asks"] if event_type == "book" else [])
    for name in data.draw(st.lists(st.sampled_from(names), min_size=1, max_size=3)):
        body[name] = data.draw(st.sampled_from(ODD))
    if is_form(form_of(event), event_type, body):
        assert differing(event, body, OPTIONAL[event_type] - {"first", "snapshot"}) is None


@pytest.mark.parametrize("event_type", FIELDS)
def test_no_field_can_be_true_where_a_number_is_one(event_type: str) -> None:
    """Python calls 1 and True equal, and a mismatch of type would be lost."""
    event = EVENTS[event_type]
    ones = [name for name, value in body_of(event).items() if value == 1 and not isinstance(value, bool)]
    for name in ones:
        body = body_of(event) | {name: True}
        assert not is_form(form_of(event), event_type, body)
        assert differing(event, body) == f"{name}:type"
    assert ones or event_type == "book"


def test_a_book_without_first_version_and_kind_is_its_form_unless_it_is_whole() -> None:
    body = body_of(BOOK) | {"first": None, "snapshot": None}
    assert is_form(form_of(BOOK), "book", body)
    whole = Book("S", None, 9, True, BOOK.bids, BOOK.asks, BOOK.ts)
    assert is_form(form_of(whole), "book", body_of(whole))
    assert not is_form(form_of(whole), "book", body)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda body: body["bids"].reverse(),
        lambda body: body["asks"].pop(),
        lambda body: body.update(snapshot=True),
        lambda body: body.update(snapshot=0),
        lambda body: body.update(first=8),
        lambda body: body.update(last=None),
        lambda body: body.update(bids=[["100.5", "1"], ["99", "0"]]),
        lambda body: body.pop("asks"),
    ],
)
def test_a_book_is_its_form_with_all_levels_in_order(spoil: Callable[[dict[str, Any]], Any]) -> None:
    body = body_of(BOOK)
    spoil(body)
    assert not is_form(form_of(BOOK), "book", body)


@given(st.integers(1, 10**18), st.integers(0, 8))
def test_only_a_long_number_may_be_rounded(digits: int, places: int) -> None:
    text = f"{digits}" if not places else f"{digits // 10**places}.{digits % 10**places:0{places}d}"
    trade = Trade("S", "1", text, "1", "buy", 1)
    book = Book("S", 1, 1, False, [["1", text]], [], 1)
    for event in (trade, book):
        assert form_of(event).is_long == (len(text) > EXACT_DIGITS)
        if is_rounded(event, body_of(event)):
            assert form_of(event).is_long
