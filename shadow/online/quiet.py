"""Moments at which nothing is under way on a connection: there a leg can be cut without tearing anything apart."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from shadow.diff.expected import Owed
    from shadow.diff.side import SideJudgement, Stream

__all__ = ["Stretches", "quiet_moments", "under_way"]

Ints = npt.NDArray[np.int64]
Stretches = tuple[Ints, Ints]
"""Begins and ends (ns) of what was under way."""
Place = tuple[str, str]
"""Connection and symbol."""


def under_way(sides: Iterable[SideJudgement]) -> dict[str, Stretches]:
    """By connection the stretches in which something was under way to either side.

    That is each event from its sending to its callback, and a book from its subscription, or from the first update
    that it stands for, until the side delivered it rebuilt.
    """
    found: dict[str, tuple[list[int], list[int]]] = {}
    for side in sides:
        rebuilt = rebuilt_books(side)
        for stream, owed in side.streams.items():
            begins, ends = found.setdefault(stream[0], ([], []))
            books = rebuilt.get((stream[0], stream[2]), []) if stream[1] == "book" else []
            begins += [item.t_sent for item in owed]
            ends += [done(item, books) for item in owed]
            begins += [subscribed(side, stream, t) for t in books]
            ends += books
    return {name: (np.array(begins, np.int64), np.array(ends, np.int64)) for name, (begins, ends) in found.items()}


def rebuilt_books(side: SideJudgement) -> Mapping[Place, list[int]]:
    """When a side delivered whole books of its own making, in order."""
    found: dict[Place, list[int]] = {}
    for event in side.given:
        if event.type == "book" and event.owed is None and event.body.get("snapshot") is True:
            found.setdefault((event.connection, event.symbol), []).append(event.t or event.t_read)
    return found


def done(item: Owed, books: list[int]) -> int:
    """When nothing more of an event could come: its callback, or that of the last book that may stand for it."""
    if item.delivered is not None:
        return int(item.delivered.t or item.delivered.t_read)
    return max(item.t_sent, *books) if item.code == "CONFLATED" and books else item.t_sent


def subscribed(side: SideJudgement, stream: Stream, t: int) -> int:
    """The last ack of a stream before `t`; `t` itself where there was none."""
    acks = (
        ack
        for (connection, _, channel, symbol), ack in side.allowed.acks.items()
        if (connection, channel, symbol) == stream and ack <= t
    )
    return max(acks, default=t)


def quiet_moments(stretches: Stretches) -> Ints:
    """Each moment (ns) at which something ended and nothing was under way until the next one began."""
    begins, ends = stretches
    order = np.argsort(begins, kind="stable")
    begins, ends = begins[order], np.maximum.accumulate(ends[order])
    return np.asarray(ends[np.append(ends[:-1] < begins[1:], True)]) if len(ends) else ends
