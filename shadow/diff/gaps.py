"""Holes in the versions of one side's book: which the venue made, and which the side made itself."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import msgspec

from shadow.diff.expected import Owed

__all__ = ["UNRECOVERED_NS", "Versions", "gaps", "holes_before", "version_of"]

UNRECOVERED_NS: Final = 10_000_000_000
"""A stack that rebuilds books has to do so within this time of a hole that the venue made."""


class Versions(msgspec.Struct):
    """Where a side's run of versions stands: the last version owed, the last disruption (ns), the connection's number,
    whether updates are being lost, when whole books came (ns), and a hole of the venue that may yet be recovered."""

    last: int | None = None
    disrupted: int = 0
    conn_no: int = -1
    losing: bool = False
    resynced: list[int] = []
    hole: Owed | None = None


def version_of(item: Owed) -> int:
    """The last version of an expected update, 0 when it has none."""
    return getattr(item.event, "last", None) or 0


def holes_before(owed: list[Owed], last: int | None = None) -> list[bool]:
    """For each expected update whether the venue itself left versions out before it, from version `last` on."""
    found: list[bool] = []
    for item in owed:
        first, end = getattr(item.event, "first", None), getattr(item.event, "last", None)
        found.append(last is not None and first is not None and first > last + 1)
        if end is not None:
            last = end if last is None else max(last, end)
    return found


def gaps(
    owed: list[Owed], holes: list[bool], resynced: list[int], has_snapshots: bool, now: Versions | None = None
) -> Iterator[tuple[str, Owed]]:
    """(field, first update) of each GAP; field `recovered` where a whole book covered it.

    `resynced` are the times of the side's rebuilt books, `now` where its versions stand, kept up to date. A run of
    updates that were sent and not delivered is a GAP, unless a whole book covers it and none came since the last
    disruption (a new connection, a hole, a fault): then the side was between two syncs, which every stack may be. A
    hole of the venue is a GAP only when a side that rebuilds books did not within UNRECOVERED_NS.
    """
    now = now or Versions()
    for hole, item in zip(holes, owed, strict=True):
        if hole or item.fault or item.conn_no != now.conn_no or item.code in ("IN_FLIGHT", "EDGE"):
            now.disrupted, now.conn_no = item.t_sent, item.conn_no
        lost = item.delivered is None and item.code in ("MISSING", "CONFLATED")
        if lost and not now.losing:
            syncing = bool(item.fault) or not any(now.disrupted <= t < item.t_sent for t in resynced)
            if item.code == "MISSING":
                yield "", item
            elif not syncing:
                yield "recovered", item
        now.losing = lost
    if has_snapshots:
        yield from unrecovered(owed, holes, resynced, now)


def unrecovered(owed: list[Owed], holes: list[bool], resynced: list[int], now: Versions) -> Iterator[tuple[str, Owed]]:
    """Holes of the venue after which time went by without a rebuilt book; the last one may be left open in `now`."""
    starts = [now.hole] if now.hole is not None else []
    starts += [item for item, hole in zip(owed, holes, strict=True) if hole]
    now.hole = None
    ends = [item.t_sent for item in starts[1:]] + [owed[-1].t_sent if owed else 0]
    for item, end in zip(starts, ends, strict=False):
        start = item.t_sent
        if any(start <= t <= start + UNRECOVERED_NS for t in resynced):
            continue
        if end - start > UNRECOVERED_NS:
            yield "", item
        elif item is starts[-1]:
            now.hole = item
