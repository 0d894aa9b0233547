"""How a leg ended for one side's accounts: which balances, positions and orders are what the venue's own are."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import Any

from shadow.diff.canonical import differing
from shadow.diff.codes import AccountEnd
from shadow.diff.frames import FrameStore
from shadow.diff.lifecycle import TERMINAL
from shadow.diff.lines import Delivered
from shadow.reference.events import Event, Order

__all__ = ["account_ends"]

Key = tuple[str, str, str]
"""Event type and what it is the newest state of: an asset, a contract with its mode, an order's id."""


def account_ends(store: FrameStore, given: Iterable[Delivered]) -> dict[str, AccountEnd]:
    """Each account's last states, as the venue told anybody, against the last ones that one side delivered."""
    told: dict[tuple[str, Key], dict[str, Any]] = {}
    for delivered in given:
        name = name_of(delivered.type, delivered.body.get, delivered.symbol)
        if name is not None:
            told[delivered.connection, name] = delivered.body
    found: dict[str, AccountEnd] = {}
    for (connection, name), event in truth_of(store).items():
        end = found.setdefault(connection, AccountEnd([], 0))
        body = told.get((connection, name))
        if name[0] == "order":
            end.orders_behind += body is not None and differing(event, body) is not None
        elif body is None or differing(event, body) is not None:
            end.differing.append(" ".join(part for part in name if part))
    return found


def truth_of(store: FrameStore) -> dict[tuple[str, Key], Event]:
    """The newest state of each name on each private connection, in order of the frames' numbers."""
    newest: dict[tuple[str, Key], Event] = {}
    for number in sorted(store.frames):
        frame = store.frames[number]
        for event in frame.events:
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
