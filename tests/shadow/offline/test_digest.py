"""Equal digests mean that the ordinary diff finds nothing; what a stack plainly delivers has them."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from shadow.diff.canonical import FIELDS, differing
from shadow.offline.digest import delivered_digest, delivered_key, lacks, wanted_digest, wanted_key
from shadow.reference.events import Book, BookTicker, Event, Ticker, Trade

wire = st.sampled_from(["0", "1", "1.0", "1.50", "1.5", "0.1", "12345678901234567.25", "1e3", "-2"])
levels = st.lists(st.tuples(wire, wire).map(list), max_size=3)
version = st.none() | st.integers(0, 3)
sides = st.sampled_from(["buy", "sell"])
events: st.SearchStrategy[Event] = st.one_of(
    st.builds(Book, st.just("S"), version, version, st.booleans(), levels, levels, version),
    st.builds(Trade, st.just("S"), st.none() | st.sampled_from("12"), wire, wire, sides, version),
    st.builds(BookTicker, st.just("S"), wire, wire, st.none() | wire, wire, version, version),
    st.builds(Ticker, st.just("S"), wire, *[st.none() | wire] * 6, version),
)
strange = st.sampled_from([None, True, 1, 1.0, "1", "1.5", 1.5, [], "buy", 2**60, 10**30, [["1", "1.5"]], [[1, 1.5]]])


def delivered(event: Event, *, as_text: bool) -> dict[str, Any]:
    """What a stack without a fault delivers."""
    body: dict[str, Any] = {}
    for name, kind in FIELDS[event.type]:
        value = getattr(event, name)
        is_number = kind.__name__ == "number_kind" and value is not None
        body[name] = float(value) if is_number and not as_text else value
    if isinstance(event, Book):
        body |= (
            {"bids": event.bids, "asks": event.asks}
            if as_text
            else dict(zip(("bids", "asks"), event.numbers(), strict=True))
        )
    return body


def same(event: Event, body: dict[str, Any]) -> bool:
    found = delivered_digest(event.type, body)
    return found is not None and not lacks(event.type, found[0], set()) and wanted_digest(event, found[0]) == found[1]


@given(event=events, as_text=st.booleans())
def test_what_is_plainly_delivered_has_the_digest(event: Event, as_text: bool) -> None:
    body = delivered(event, as_text=as_text)
    found = delivered_digest(event.type, body)
    assert found is not None
    assert wanted_digest(event, found[0]) == found[1]
    assert delivered_key(event.type, body) == wanted_key(event)


@given(
    event=events,
    as_text=st.booleans(),
    edits=st.lists(st.tuples(st.integers(0, 20), strange), max_size=2),
    swap=st.booleans(),
)
def test_equal_digests_are_equal_for_the_ordinary_diff(
    event: Event, as_text: bool, edits: list[tuple[int, Any]], swap: bool
) -> None:
    body = delivered(event, as_text=as_text)
    names = sorted(body)
    for place, value in edits:
        body[names[place % len(names)]] = value
    if swap and isinstance(body.get("bids"), list):
        body["bids"] = body["bids"][::-1]
    assert not same(event, body) or differing(event, body) is None


def test_a_changed_digit_and_a_null_are_seen() -> None:
    event = Trade("S", "1", "1.50", "2", "buy", 7)
    body = delivered(event, as_text=False)
    assert same(event, body)
    assert not same(event, body | {"price": 1.51})
    assert not same(event, body | {"side": "sell"})
    assert not same(event, body | {"price": None})
    assert not same(Trade("S", "1", "1", "2", "buy", 7), body | {"price": True})
    assert same(event, body | {"ts": None})
    assert lacks("trade", delivered_digest("trade", body | {"ts": None})[0], {"ts"})  # type: ignore[index]  # never None here
