"""Whatever JSON a stack puts into its lines, the judge names what is wrong with it and never falls over it."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import orjson
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from shadow.connections import CONNECTIONS
from shadow.diff.canonical import FIELDS
from shadow.diff.leg import diff_streams
from shadow.diff.part import Part
from shadow.offline.digest import delivered_digest, delivered_key

from .excused import empty_rest
from .legs import Body, Leg, Line, made_leg

ODD = ("NaN", "sNaN", "-Infinity", "1e999999", "", "buy", True, 10**300, -(2**63), 2**64, 1e308, [1], [["1", [2]]], {})
"""What readers of numbers, keys and sets stumble over most easily."""
VALUES = st.recursive(
    st.none() | st.sampled_from(ODD) | st.booleans() | st.integers() | st.text(max_size=5)
    | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=5,
)  # fmt: skip
NAMES = st.sampled_from(sorted({"t", "c", "type", "symbol", "bids", "asks"} | {
    name for fields in FIELDS.values() for name, _ in fields
}))  # fmt: skip
CHANGES = st.lists(
    st.tuples(st.integers(0, 10**6), st.dictionaries(NAMES, VALUES, min_size=1, max_size=4)), min_size=1, max_size=6
)
Changes = list[tuple[int, Body]]


@cache
def small_leg(connection: str) -> Leg:
    """A short leg; on a public connection with a REST book, so that a line may claim to be a whole book."""
    leg = made_leg(connection, 40)
    frames = leg.tables["frames"]
    symbol = next(row["symbol"] for row in frames)
    rests = [empty_rest(connection, symbol, frames)] if connection.endswith(".public") else []
    return leg._replace(tables=leg.tables | {"frames": [*frames, *rests]})


def changed(raw: bytes, changes: Body) -> bytes:
    return json.dumps(orjson.loads(raw) | changes).encode()


def judged(leg: Leg, changes: Changes) -> Any:
    lines = list(leg.lines["new"])
    for place, fields in changes:
        t_read, raw = lines[place % len(lines)]
        lines[place % len(lines)] = t_read, changed(raw, fields)
    return judged_with(leg, lines)


def judged_with(leg: Leg, lines: list[Line]) -> Any:
    part = Part(frames=leg.read)
    return diff_streams(**leg.tables, lines=leg.lines | {"new": lines}, session={"schema": 1}, part=part)


@pytest.mark.parametrize("connection", CONNECTIONS)
@settings(max_examples=60, deadline=None)
@given(changes=CHANGES)
@example(changes=[(place, {"id": None, "ts": [1], "price": "1"}) for place in range(8)])
@example(changes=[(place, {"id": None, "ts": None, "side": {}, "price": 10**300}) for place in range(8)])
@example(changes=[(place, {"snapshot": True, "last": 10**9, "bids": [["NaN", "1"]]}) for place in range(8)])
def test_no_event_line_makes_the_diff_fall_over(connection: str, changes: Changes) -> None:
    diff = judged(small_leg(connection), changes)
    assert diff.conserved
    orjson.dumps(diff.samples)


@pytest.mark.parametrize("event_type", ["book", "trade", "book_ticker", "ticker"])
@settings(max_examples=200, deadline=None)
@given(body=st.dictionaries(NAMES, VALUES, max_size=8))
def test_no_body_makes_the_digest_fall_over(event_type: str, body: Body) -> None:
    read = orjson.loads(json.dumps(body))
    delivered_digest(event_type, read)
    delivered_key(event_type, read)


@pytest.mark.parametrize("kind", ["error", "state"])
@settings(max_examples=100, deadline=None)
@given(lines=st.lists(st.dictionaries(st.sampled_from(("c", "t", "kind", "message", "state")), VALUES), max_size=4))
@example(lines=[{"kind": ["auth"], "c": {}, "state": []}])
def test_no_error_and_no_state_line_makes_the_diff_fall_over(kind: str, lines: list[Body]) -> None:
    leg = small_leg("gateio.spot.private")
    said = [(1, json.dumps({**line, "k": kind}).encode()) for line in lines]
    diff = judged_with(leg, [*leg.lines["new"], *said])
    assert diff.conserved
    orjson.dumps(diff.samples)
