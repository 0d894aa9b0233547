"""Holes in the versions of one side's book: which the venue made, and which the side made itself."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from typing import Any, Final

import msgspec

from shadow.diff.expected import Owed

__all__ = ["UNRECOVERED_NS", "Versions", "Whole", "gaps", "holes_before", "version_of", "whole_of"]

UNRECOVERED_NS: Final = 10_000_000_000
"""A stack that rebuilds books has to do so within this time of a hole that the venue made."""


Whole = tuple[int, int]
"""When (ns) a side's rebuilt book came, and its version."""


class Versions(msgspec.Struct):
    """Where a side's run of versions stands: the last version owed, the last disruption (ns), the connection's number,
    whether updates are being lost and that was told, when whole books came (ns) and of which version, and a hole of the
    venue that may yet be recovered."""

    last: int | None = None
    disrupted: int = 0
    conn_no: int = -1
    losing: bool = False
    told: bool = False
    resynced: list[Whole] = []
    hole: Owed | None = None


def version_of(item: Owed) -> int:
    """The last version of an expected update, 0 when it has none."""
    return getattr(item.event, "last", None) or 0


def whole_of(t: int, body: Mapping[str, Any]) -> Whole:
    """A rebuilt book that came at `t` (ns); one that tells no version stands for any."""
    version = body.get("last")
    return t, version if isinstance(version, int) else sys.maxsize


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
    owed: list[Owed], holes: list[bool], resynced: list[Whole], has_snapshots: bool, now: Versions | None = None
) -> Iterator[tuple[str, Owed]]:
    """(field, first update) of each GAP; field `recovered` where a whole book covered it.

    `resynced` are the side's rebuilt books, `now` where its versions stand, kept up to date. A run of updates that were
    sent and not delivered is a GAP, unless a whole book covers it and none came since the last disruption (a new
    connection, a hole, a fault): then the side was between two syncs, which every stack may be. Once it is in sync that
    is over: what is sent behind the whole book, and newer than it, may not be left out in its turn. A hole of the venue
    is a GAP only when a side that rebuilds books did not within UNRECOVERED_NS.
    """
    now = now or Versions()
    for hole, item in zip(holes, owed, strict=True):
        if hole or item.fault or item.conn_no != now.conn_no or item.code in ("IN_FLIGHT", "EDGE"):
            now.disrupted, now.conn_no = item.t_sent, item.conn_no
        lost = item.delivered is None and item.code in ("MISSING", "CONFLATED")
        if lost and not now.told:
            in_sync = not item.fault and is_in_sync(item, resynced, now)
            if item.code == "MISSING" and not now.losing:
                now.told = True
                yield "", item
            elif item.code == "CONFLATED" and in_sync:
                now.told = True
                yield "recovered", item
        now.losing, now.told = lost, lost and now.told
    if has_snapshots:
        yield from unrecovered(owed, holes, resynced, now)


def is_in_sync(item: Owed, resynced: list[Whole], now: Versions) -> bool:
    """Whether a whole book came between the last disruption and the sending of an update that is lost.

    Within a run of lost ones it has to be older than the update: one that is ahead of the stream stands for it.
    """
    known = version_of(item) if now.losing else None
    return any(now.disrupted <= t < item.t_sent and (known is None or version < known) for t, version in resynced)


def unrecovered(
    owed: list[Owed], holes: list[bool], resynced: list[Whole], now: Versions
) -> Iterator[tuple[str, Owed]]:
    """Holes of the venue after which time went by without a rebuilt book; the last one may be left open in `now`."""
    starts = [now.hole] if now.hole is not None else []
    starts += [item for item, hole in zip(owed, holes, strict=True) if hole]
    now.hole = None
    ends = [item.t_sent for item in starts[1:]] + [owed[-1].t_sent if owed else 0]
    for item, end in zip(starts, ends, strict=False):
        start = item.t_sent
        if any(start <= t <= start + UNRECOVERED_NS for t, _ in resynced):
            continue
        if end - start > UNRECOVERED_NS:
            yield "", item
        elif item is starts[-1]:
            now.hole = item
