"""What an application got during flips, against what the venue's ledger says was sent."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec

from bench.flip_drive import Sent
from infrastructure.networking.websocket.migration.lane import FlipRecord
from shadow.capture.reader import RunData
from shadow.diff.allowance import side_rows
from shadow.diff.arrow import columns_of_table
from shadow.diff.expected import side_sends
from shadow.diff.frames import FrameStore
from shadow.diff.lines import read_lines
from shadow.diff.side import SideJudgement, judge_side

__all__ = ["Audited", "Ended", "Times", "audit", "once_each", "p99", "times_of"]

ROLE = "client"
CAP = 4_000_000
LAST_VALUE = ("ticker",)
FLIP_S = 0.1
"""Gaps that begin so long behind a turn of the flag count as its own."""


class Ended(msgspec.Struct):
    """How events ended. `altered`: with other content than the exchange's."""

    matched: int
    lost: int
    doubled: int
    reordered: int
    invented: int
    altered: int

    @property
    def is_clean(self) -> bool:
        """Whether nothing is wrong."""
        return not (self.lost or self.doubled or self.reordered or self.invented or self.altered)


class Audited(msgspec.Struct):
    """Events owed and got. `unversioned`: tickers, where equal content may be taken for each other at a flip."""

    owed: int
    got: int
    exact: Ended
    unversioned: Ended


class Times(msgspec.Struct):
    """Milliseconds. `first`: of each connection, from a turn of the flag to its first event by the other stack.

    `reached`: the same from what the exchange sent next there, as its market is quiet for a tenth of each second.
    `switch`: from a stream's decision to its first event behind it, without the time in which the exchange had nothing
    to send. `pause`: gaps between two events of a connection across a flip; `above`: how much the longest of them is
    above the connection's longest gap apart from flips.
    """

    first: dict[str, list[float]]
    reached: dict[str, list[float]]
    switch: list[float]
    pause: list[float]
    above: list[float]

    def of_all(self, name: str) -> list[float]:
        """Of all connections, one behind the other."""
        kept: list[float] | dict[str, list[float]] = getattr(self, name)
        return [each for one in kept.values() for each in one] if isinstance(kept, dict) else kept


def audit(
    ledger: Path, lines: Sequence[tuple[int, bytes]], began_ns: int, stopped_ns: int
) -> tuple[Audited, SideJudgement]:
    """Each event that the venue sent meanwhile has to be got once, in order, on whichever link it came first."""
    run = RunData(ledger)
    tables = {name: columns_of_table(run.table(name)) for name in ("frames", "sends", "connections")}
    end = [{"t": stopped_ns, "leg": "alone", "role": "", "name": "leg-end", "detail": "{}"}]
    store = FrameStore(tables["frames"])
    firsts = {send.frame.frame_no: send for send in reversed(side_sends(ROLE, tables["sends"], store))}
    sends = sorted(firsts.values(), key=lambda send: send.t_sent)
    rows = side_rows(tables["connections"], end)
    judged = judge_side(ROLE, sends, read_lines(lines, CAP), store, rows, held={}, late_ns=None, cap=CAP)
    return count(judged, began_ns), judged


def count(judged: SideJudgement, began_ns: int) -> Audited:
    """How what was sent from `began_ns` on ended; where there is neither version nor id, beside the rest."""
    owed = Counter(
        (one.event.type in LAST_VALUE, one.code)
        for stream in judged.streams.values()
        for one in stream
        if one.t_sent >= began_ns and one.code != "EDGE"
    )
    got = Counter(
        (one.type in LAST_VALUE, one.code)
        for one in judged.given
        if (one.t_read if one.owed is None else one.owed.t_sent) >= began_ns and one.code != "EDGE"
    )
    return Audited(
        owed=sum(n for _, n in owed.items()),
        got=sum(n for _, n in got.items()),
        exact=ended(owed, got, False),
        unversioned=ended(owed, got, True),
    )


def ended(owed: Counter[tuple[bool, str]], got: Counter[tuple[bool, str]], is_last_value: bool) -> Ended:
    """The counts of one kind of streams."""
    return Ended(
        matched=owed[is_last_value, "MATCH"],
        lost=sum(owed[is_last_value, code] for code in ("MISSING", "CONFLATED", "IN_FLIGHT")),
        doubled=got[is_last_value, "DUP"],
        reordered=got[is_last_value, "REORDER"],
        invented=got[is_last_value, "PHANTOM"],
        altered=got[is_last_value, "FIELD"],
    )


def once_each(ledger: Path, sent: Iterable[Sent]) -> dict[str, int]:
    """How often what the application sent reached the exchange, over all its connections."""
    requests = columns_of_table(RunData(ledger).table("requests"))
    reached: Counter[tuple[str, int]] = Counter()
    for connection, payload in zip(requests["connection"], requests["payload"], strict=True):
        if payload.startswith(b"{"):
            body = msgspec.json.decode(payload)
            reached[connection, body.get("id") or body.get("time") or 0] += 1
    found: Counter[str] = Counter()
    for one in sent:
        times = reached[one.connection, one.number]
        if one.is_taken:
            found["once" if times == 1 else "never" if not times else "more often"] += 1
        else:
            found["refused" if times < 2 else "more often"] += 1
    return dict(found)


def times_of(judged: SideJudgement, records: Mapping[str, list[FlipRecord]], turned: Sequence[float]) -> Times:
    """The times of all flips; `turned` are the moments at which the flag was turned, in seconds."""
    streams: dict[tuple[str, str, str], list[tuple[int, int]]] = defaultdict(list)
    for (connection, kind, symbol), owed in judged.streams.items():
        for one in owed:
            if one.delivered is not None and one.delivered.t is not None:
                streams[connection, kind, plain(symbol)].append((one.delivered.t, one.t_sent))
    times = Times({}, {}, [], [], [])
    for connection, flips in records.items():
        firsts = [one.first_at for one in flips if one.first_at is not None]
        sent = sorted(one.t_sent / 1e9 for key, owed in judged.streams.items() if key[0] == connection for one in owed)
        times.first[connection], times.reached[connection] = firsts_of(firsts, turned), firsts_of(firsts, turned, sent)
        mine = {key: sorted(events) for key, events in streams.items() if key[0] == connection}
        for flip in flips:
            note_switch(times, mine.get((connection, flip.unit.channel, flip.unit.symbol), []), flip.decided_at)
        note_pauses(times, sorted(t for events in mine.values() for t, _ in events), turned)
    return times


def plain(symbol: str) -> str:
    """A symbol in the spelling of units."""
    return symbol if "_" in symbol else symbol.removesuffix("USDT") + "_USDT"


def firsts_of(firsts: Sequence[float], turned: Sequence[float], sent: Sequence[float] = ()) -> list[float]:
    """How long behind each turn of the flag, or what was `sent` next behind it (ascending), the first moment came."""
    found = []
    for moment, until_s in zip(turned, [*turned[1:], math.inf], strict=True):
        after = [at for at in firsts if moment <= at < until_s]
        if after:
            place = bisect_left(sent, moment)
            begin = sent[place] if place < len(sent) else moment
            # What was on its way at the turn may be the first.
            found.append(1e3 * max(0.0, min(after) - begin))
    return found


def note_switch(times: Times, events: Sequence[tuple[int, int]], decided_at: float) -> None:
    """Of one stream at one flip; `events` as (got, sent)."""
    decided_ns = int(1e9 * decided_at)
    place = bisect_left(events, (decided_ns, 0))
    if place < len(events):
        got, sent = events[place]
        times.switch.append((got - max(decided_ns, sent)) / 1e6)


def note_pauses(times: Times, got: Sequence[int], turned: Sequence[float]) -> None:
    """Of one connection: the gaps in which, or next to which, the flag was turned, against all others."""
    gaps = [(later - earlier) / 1e6 for earlier, later in pairwise(got)]
    across = {
        place
        for moment in turned
        for place in range(bisect_left(got, int(1e9 * moment)) - 1, bisect_left(got, int(1e9 * (moment + FLIP_S))))
        if 0 <= place < len(gaps)
    }
    normal = [gap for place, gap in enumerate(gaps) if place not in across]
    if across and normal:
        times.pause += [gaps[place] for place in across]
        times.above.append(max(gaps[place] for place in across) - max(normal))


def p99(values: Sequence[float]) -> float:
    """The 99th percentile, one of the values."""
    return sorted(values)[math.ceil(0.99 * len(values)) - 1] if values else math.nan


def figures(values: Sequence[float]) -> dict[str, Any]:
    """Of one kind of time."""
    ordered = sorted(values)
    return {
        "n": len(ordered),
        "p50": round(ordered[len(ordered) // 2], 2) if ordered else None,
        "p99": round(p99(ordered), 2) if ordered else None,
        "max": round(ordered[-1], 2) if ordered else None,
    }
