"""How a leg ended for one side's accounts: which balances, positions and orders are what the venue's own are."""

from __future__ import annotations

from collections.abc import Iterable, Set
from functools import partial
from typing import Any, Final

from shadow.diff.canonical import differing
from shadow.diff.codes import AccountEnd
from shadow.diff.frames import FrameStore
from shadow.diff.lifecycle import TERMINAL
from shadow.diff.lines import Delivered
from shadow.reference.events import Event, Order

__all__ = ["account_ends"]

STATES: Final = frozenset({"order", "balance", "position"})
"""Types of which each event is a new state of something."""
Key = tuple[str, str, str]
"""Event type and what it is the newest state of: an asset, a contract with its mode, an order's id."""


def account_ends(store: FrameStore, given: Iterable[Delivered], reached: Set[int]) -> dict[str, AccountEnd]:
    """Each account's last states, as the venue told anybody, against the last ones that one side delivered.

    A balance or a position heals with the next update. An order may have had its last one in a hole, so it is held to
    the frames that `reached` the side.
    """
    told: dict[tuple[str, Key], dict[str, Any]] = {}
    for delivered in given:
        if delivered.type not in STATES:
            continue
        name = name_of(delivered.type, delivered.body.get, delivered.symbol)
        if name is not None:
            told[delivered.connection, name] = delivered.body
    found: dict[str, AccountEnd] = {}
    sent = truth_of(store, reached)
    for place, event in truth_of(store, store.frames.keys()).items():
        end = found.setdefault(place[0], AccountEnd([], 0))
        if place[1][0] == "order":
            if place not in sent:
                continue
            end.orders_behind += sent[place] != event
            event = sent[place]
        body = told.get(place)
        if body is None or differing(event, body) is not None:
            end.differing.append(" ".join(part for part in place[1] if part))
    return found


def truth_of(store: FrameStore, numbers: Set[int]) -> dict[tuple[str, Key], Event]:
    """The newest state of each name on each private connection, in order of the frames' numbers."""
    newest: dict[tuple[str, Key], Event] = {}
    for number in sorted(numbers):
        frame = store.frames[number]
        for event in frame.events:
            if event.type not in STATES:
                continue
            name = name_of(event.type, partial(getattr, event), event.symbol)
            if name is not None:
                place = frame.connection, name
                newest[place] = later(newest[place], event) if place in newest else event
    return newest


def later(one: Event, other: Event) -> Event:
    """The later one of two states: the second, but for an order that had come further before (a swap)."""
    if isinstance(one, Order) and isinstance(other, Order) and progress(one) > progress(other):
        return one
    return other


def progress(order: Order) -> tuple[bool, float]:
    """How far an order has come: whether it is done, and how much of it is filled."""
    return order.status in TERMINAL, float(order.filled or 0)


def name_of(event_type: str, read: Any, symbol: str) -> Key | None:
    """Whose state an account event is; None for what is no state."""
    if event_type == "order":
        return event_type, str(read("id")), ""
    if event_type == "balance":
        return event_type, str(read("asset")), ""
    return (event_type, symbol, str(read("mode") or "single")) if event_type == "position" else None
