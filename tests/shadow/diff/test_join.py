"""Canonical forms make the join quick and change nothing of what it finds."""

from __future__ import annotations

import random
from copy import deepcopy
from typing import Any

import pytest

from shadow.diff.canonical import FIELDS
from shadow.diff.codes import Finding
from shadow.diff.expected import Owed
from shadow.diff.forms import form_of
from shadow.diff.join import join_stream
from shadow.diff.kinds import number_kind
from shadow.diff.lines import Delivered
from shadow.reference.events import Balance, Book, BookTicker, Event, Fill, Order, Position, Ticker, Trade

DAMAGES = ("drop", "twice", "late", "field", "null", "text", "true", "alien")


def event_of(event_type: str, chance: random.Random, n: int) -> Event:
    """Of few values, so that some are alike in part or as a whole."""
    price, size, ts = str(chance.randint(1, 3)), f"0.{chance.randint(1, 2)}", 1000 + n // 3
    seq = n if chance.random() < 0.9 else None
    side, order = chance.choice(("buy", "sell")), str(n // 3)
    made: dict[str, Event] = {
        "book": Book("S", n, n, False, [[price, size]], [], ts),
        "trade": Trade("S", None if seq is None else str(n), price, size, side, ts),
        "book_ticker": BookTicker("S", price, size, None, None, seq, ts),
        "ticker": Ticker("S", price, None, None, size, None, None, None, ts),
        "order": Order("S", order, None, "open", side, "limit", price, "1", size, None, ts),
        "fill": Fill("S", str(n // 2), order, side, price, size, None, None, "maker", ts),
        "balance": Balance("", "USDT", price, size, ts),
        "position": Position("S", price, size, "single", "0", None, None, ts),
    }
    return made[event_type]


def body_of(event: Event) -> dict[str, Any]:
    body: dict[str, Any] = {"type": event.type, "symbol": event.symbol}
    for name, kind in FIELDS[event.type]:
        value = getattr(event, name)
        body[name] = float(value) if kind is number_kind and value is not None else value
    if isinstance(event, Book):
        body["bids"], body["asks"] = deepcopy(event.numbers())
    return body


def damaged(chance: random.Random, body: dict[str, Any], damage: str) -> dict[str, Any]:
    name = chance.choice([name for name, _ in FIELDS[body["type"]]])
    if damage == "field":
        body[name] = chance.choice((1.0, 2, "1", "buy", 1001))
    elif damage == "null":
        body[name] = None
    elif damage == "text":
        body[name] = str(body[name])
    elif damage == "true":
        body[name] = True
    return body


def scene(event_type: str, seed: int, share: float) -> tuple[list[Owed], list[Delivered]]:
    chance = random.Random(f"{event_type} {seed}")
    events = [event_of(event_type, chance, n) for n in range(24)]
    owed = [
        Owed(event, n, 0, n, 1, n, chance.choice(("", "", "", "duplicate")), n < 2) for n, event in enumerate(events)
    ]
    bodies: list[dict[str, Any]] = []
    late: list[dict[str, Any]] = []
    for event in events:
        damage = chance.choice(DAMAGES) if chance.random() < share else ""
        if damage == "drop":
            continue
        said = damaged(chance, body_of(event), damage)
        (late if damage == "late" else bodies).append(said)
        if damage == "twice":
            bodies.append(deepcopy(said))
        if damage == "alien":
            bodies.append(body_of(event_of(event_type, chance, chance.randint(0, 40))))
        if late and chance.random() < 0.5:
            bodies.append(late.pop())
    return owed, [Delivered(n, 10**9, 10**6 + n, "c", event_type, "S", body) for n, body in enumerate([*bodies, *late])]


def joined(event_type: str, seed: int, share: float, *, with_forms: bool) -> tuple[Any, ...]:
    owed, given = scene(event_type, seed, share)
    for item in owed:
        item.form = form_of(item.event) if with_forms else None
    findings: list[Finding] = []
    rounded = join_stream(owed, given, {"ts"}, None, findings)
    pairs = [(one.code, one.owed.frame_no if one.owed is not None else None) for one in given]
    return (
        rounded,
        pairs,
        [item.code for item in owed],
        [(one.code, one.field, one.ref, one.delivered) for one in findings],
    )


@pytest.mark.parametrize("event_type", FIELDS)
def test_what_the_join_finds_does_not_depend_on_forms(event_type: str) -> None:
    codes = set()
    for seed in range(60):
        share = (0.0, 0.1, 0.5)[seed % 3]
        found = joined(event_type, seed, share, with_forms=True)
        assert found == joined(event_type, seed, share, with_forms=False), seed
        codes |= {code for code, _ in found[1]}
    assert codes >= {"MATCH", "FIELD", "PHANTOM", "EDGE"}
