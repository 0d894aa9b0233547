"""LIFECYCLE of orders, fills, balances and positions: what a side delivered may break no law that the venue kept.

The venue's own run of a side is what it was sent, without what nobody can expect of it (in flight at an abnormal
close, before the ack, behind the stop, left out as a copy). A law that this run breaks as well is nobody's fault.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from shadow.diff.account_laws import Broken, Told, broken_laws, exact
from shadow.diff.codes import PRIVATE_TYPES, Finding
from shadow.diff.expected import Owed
from shadow.diff.lifecycle import Step, breaches
from shadow.diff.lines import Delivered

__all__ = ["breaks_of", "is_account", "told_by_side", "venue_run"]

TERMS = ("side", "price", "average_price")


def breaks_of(delivered: list[Told], sent: list[Told]) -> list[Finding]:
    """LIFECYCLE of each law that one side's account events break and the venue's do not."""
    if not delivered:
        return []
    excused: dict[tuple[str, ...], list[Broken]] = {}
    for broken in all_broken(sent):
        excused.setdefault(name_of(broken), []).append(broken)
    return [
        finding(broken)
        for broken in all_broken(delivered)
        if not any(overlap(broken, other) for other in excused.get(name_of(broken), ()))
    ]


def is_account(event: Delivered) -> bool:
    """Whether a delivered event counts: of an account, and none that came before the ack or behind the stop alone."""
    return event.type in PRIVATE_TYPES and (event.owed is not None or event.code != "EDGE")


def told_by_side(event: Delivered) -> Told:
    return Told(event.connection, event.type, event.symbol, event.body.get, event)


def venue_run(streams: dict[tuple[str, str, str], list[Owed]]) -> list[Told]:
    """The account events that a side was owed and could have, in order of sending within each stream."""
    return [
        Told(connection, event_type, symbol, partial(getattr, item.event), item)
        for (connection, event_type, symbol), owed in streams.items()
        if event_type in PRIVATE_TYPES
        for item in owed
        if item.delivered is not None or item.code == "MISSING"
    ]


def all_broken(told: list[Told]) -> list[Broken]:
    """Illegal lives of orders and broken laws of the account."""
    lives: dict[str, list[Step]] = {}
    for item in told:
        if item.type == "order":
            lives.setdefault(item.connection, []).append(step_of(item))
    illegal = [
        Broken(connection, "order", step.source.symbol, order, what, step.source.source)
        for connection, steps in lives.items()
        for (order, what), step in breaches(steps).items()
    ]
    return illegal + broken_laws(told)


def step_of(told: Told) -> Step:
    """An order event as the automaton takes it; terms by value, so that spellings do not matter."""
    read = told.read
    terms = tuple(value if (value := exact(read(name))) is not None else str(read(name)) for name in TERMS)
    return Step(str(read("id")), str(read("status")), exact(read("filled")), exact(read("quantity")), terms, told)


def name_of(broken: Broken) -> tuple[str, ...]:
    return broken.connection, broken.type, broken.key, broken.what


def overlap(one: Broken, other: Broken) -> bool:
    """Whether two breaks of one law fall into the same time."""
    return one.since < other.until and other.since < one.until


def finding(broken: Broken) -> Finding:
    """The incident, with the event that broke the law and the one that was expected in its place."""
    event: Any = broken.source
    owed: Owed | None = event.owed
    ref = ("LIFECYCLE", *name_of(broken), broken.until)
    frame_no, expected = (owed.frame_no, owed.event) if owed is not None else (-1, None)
    return Finding(
        "LIFECYCLE", broken.connection, broken.type, broken.symbol, broken.what, ref, frame_no, expected, event.body
    )
