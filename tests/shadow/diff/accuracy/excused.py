"""Reasons at many places of a leg at once why events are no plain match, and what each has to be counted as.

Each reason is given at places drawn by chance on either side; which events it touches is worked out from the faultless
leg alone, so that one code too many is seen as well as one too few.
"""

from __future__ import annotations

import random
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import orjson

from shadow.diff.dual import WINDOW_NS
from shadow.diff.expected import Owed
from shadow.diff.frames import FrameStore, rows_of
from shadow.diff.side import SideJudgement
from shadow.reference.book import OrderBook

from .damage import Damage, Found
from .legs import APART, MS, ROLES, Leg, Line

Sides = Mapping[str, SideJudgement]
PAUSE_NS = WINDOW_NS + 500 * MS


class Excuse(NamedTuple):
    """A leg with reasons: how to judge it, and the events and the findings that have to come of it."""

    leg: Leg
    events: Found
    findings: Found
    how: Mapping[str, Any] = MappingProxyType({})


def late(plain: Sides, leg: Leg, chance: random.Random) -> Excuse:
    """The machine stands still for longer than the window, many times: what was on its way then is late."""
    pairs = [(role, item) for role in ROLES for item in matched(plain[role])]
    pauses = sorted(item.t_sent + 1 for _, item in chance.sample(pairs, len(pairs) // APART))
    events = Counter(
        (role, "LATE", item.ref)
        for role, item in pairs
        if bisect_left(pauses, item.t_sent) < bisect_left(pauses, item.delivered.t)
    )

    def later(t: int) -> int:
        return t + PAUSE_NS * bisect_left(pauses, t)

    lines = {role: [(later(t_read), said_at(raw, later)) for t_read, raw in leg.lines[role]] for role in ROLES}
    times = {"sends": "t_sent", "connections": "t", "marks": "t"}
    moved = {
        table: [row | {name: later(row[name])} for row in rows_of(leg.tables[table])] for table, name in times.items()
    }
    return Excuse(Leg(leg.connection, leg.tables | moved, lines), events, events, {"late_ns": WINDOW_NS})


def said_at(raw: bytes, moved: Callable[[int], int]) -> bytes:
    """A line with its time moved, if it is an event's."""
    body = orjson.loads(raw)
    return orjson.dumps(body | {"t": moved(body["t"])}) if body.get("k") == "event" else raw


def edge(plain: Sides, leg: Leg, chance: random.Random) -> Excuse:
    """Each channel's ack comes somewhere in the first third, each side's stop somewhere in the last."""
    rows, marks, events = rows_of(leg.tables["connections"]), rows_of(leg.tables["marks"]), Found()
    for role in ROLES:
        mine = matched(plain[role])
        times = sorted(item.t_sent for item in mine)
        third = len(times) // 3
        stop = chance.choice(times[-third:])
        acks = {kind: chance.choice(times[:third]) for kind in sorted({item.event.type for item in mine})}
        marks.append({"t": stop, "leg": "main", "role": role, "name": "subject-stop", "detail": "{}"})
        rows = [
            row | {"t": acks.get(row["channel"], row["t"])}
            if (row["subject"], row["event"]) == (role, "subscribed")
            else row
            for row in rows
        ]
        events.update(
            (role, "EDGE", item.ref) for item in mine if item.t_sent > stop or item.t_sent < acks[item.event.type]
        )
    return Excuse(Leg(leg.connection, leg.tables | {"connections": rows, "marks": marks}, leg.lines), events, Found())


def in_flight(plain: Sides, leg: Leg, chance: random.Random) -> Excuse:
    """Connections break again and again; the last frames before each break were sent and never arrived."""
    rows, events = rows_of(leg.tables["connections"]), Found()
    sends = [row for row in rows_of(leg.tables["sends"]) if row["subject"] not in ROLES]
    lines: dict[str, list[Line]] = {}
    for role in ROLES:
        mine = sorted(
            (row for row in rows_of(leg.tables["sends"]) if row["subject"] == role), key=lambda row: row["t_sent"]
        )
        lost: set[int] = set()
        conn_no = begin = 1
        for end in [*breaks(len(mine), chance), len(mine)]:
            sends += [row | {"conn_no": conn_no} for row in mine[begin - 1 : end]]
            begin = end + 1
            if end < len(mine):
                lost |= {row["frame_no"] for row in mine[end - chance.randint(1, 4) : end]}
                rows += broken_link(rows, role, conn_no, mine[end]["t_sent"] - 1)
                conn_no += 1
        gone = [item for item in matched(plain[role]) if item.frame_no in lost]
        events.update((role, "IN_FLIGHT", item.ref) for item in gone)
        lines[role] = without(leg.lines[role], {item.delivered.n for item in gone})
    return Excuse(Leg(leg.connection, leg.tables | {"connections": rows, "sends": sends}, lines), events, Found())


def breaks(count: int, chance: random.Random) -> Iterator[int]:
    at = 2 * APART
    while at < count - 2 * APART:
        yield at
        at += 2 * APART + chance.randrange(APART)


def broken_link(rows: list[dict[str, Any]], role: str, conn_no: int, t: int) -> list[dict[str, Any]]:
    """The ledger's rows of a link that broke at `t`, and of the next one's acks."""
    acks = [row for row in rows if (row["subject"], row["event"], row["conn_no"]) == (role, "subscribed", 1)]
    close = acks[0] | {"t": t, "event": "close", "code": 1006, "cause": "venue", "conn_no": conn_no}
    return [close, *(row | {"t": t, "conn_no": conn_no + 1} for row in acks)]


def copied(plain: Sides, leg: Leg, chance: random.Random) -> Excuse:
    """The venue sends frames twice, and a side hands each on once."""
    frames, sends = rows_of(leg.tables["frames"]), rows_of(leg.tables["sends"])
    numbers = sorted({item.frame_no for role in ROLES for item in matched(plain[role])})
    twice = set(chance.sample(numbers, len(numbers) // APART))
    copies = [row | {"t_sent": row["t_sent"] + 1} for row in sends if row["frame_no"] in twice]
    events = Counter(
        (role, "CONFLATED", item.ref) for role in ROLES for item in matched(plain[role]) if item.frame_no in twice
    )
    return Excuse(
        Leg(leg.connection, leg.tables | {"frames": frames, "sends": sends + copies}, leg.lines), events, Found()
    )


def merged(plain: Sides, leg: Leg, chance: random.Random) -> Excuse:
    """A stack hands on a whole book in the place of some updates; each but a side's first one is a gap it healed."""
    damage, frames = Damage(leg), rows_of(leg.tables["frames"])
    store = FrameStore(frames)
    events, findings = Found(), Found()
    for role in ROLES:
        rebuilds = any(event.owed is None for event in plain[role].given)
        for (connection, kind, symbol), stream in sorted(plain[role].streams.items()):
            if kind != "book":
                continue
            if not store.rest_books.get((connection, symbol)):
                frames.append(empty_rest(connection, symbol, frames))
                store = FrameStore(frames)
            whole = whole_books(store, connection, symbol)
            for n, gone in enumerate(runs(stream, chance)):
                last = gone[-1]
                body = last.delivered.body | {"snapshot": True, "first": None} | whole[version(last)]
                for item in gone:
                    damage.new[role][item.delivered.n] = []
                damage.new[role][last.delivered.n] = [(last.delivered.t_read, orjson.dumps(body))]
                events.update((role, "CONFLATED", item.ref) for item in gone)
                if n or rebuilds:
                    findings[role, "GAP", ("GAP", connection, symbol, version(gone[0]))] += 1
    whole_leg = damage.damaged()
    return Excuse(whole_leg._replace(tables=whole_leg.tables | {"frames": frames}), events, findings)


def empty_rest(connection: str, symbol: str, frames: list[dict[str, Any]]) -> dict[str, Any]:
    """A market that was asked for its book before anything stood in it."""
    name = "lastUpdateId" if connection.startswith("mexc") else "id"
    payload = orjson.dumps({name: 1, "bids": [], "asks": []})
    number = 1 + max(row["frame_no"] for row in frames)
    return frames[0] | {"frame_no": number, "kind": "rest", "symbol": symbol, "channel": "", "payload": payload}


def whole_books(store: FrameStore, connection: str, symbol: str) -> dict[int, dict[str, Any]]:
    """A symbol's book at each of its versions, as a side would say it."""
    rest = store.rest_books[connection, symbol][0]
    book: OrderBook[float] = OrderBook(float)
    book.seed(rest.last, rest.bids, rest.asks)
    found = {}
    for update in store.updates[connection, symbol]:
        if book.apply(None, update.last or 0, update.bids, update.asks):
            found[update.last or 0] = {
                "bids": [list(level) for level in book.bids.items()],
                "asks": [list(level) for level in book.asks.items()],
            }
    return found


def runs(stream: list[Owed], chance: random.Random, apart: int = APART) -> Iterator[list[Owed]]:
    """One to three neighbours of a stream at a time, apart from each other and from its ends."""
    mine = [item for item in stream if item.code == "MATCH"]
    at = APART
    while at < len(mine) - 2 * APART:
        size = chance.randint(1, 3)
        yield mine[at : at + size]
        at += size + apart + chance.randrange(apart)


def version(item: Owed) -> int:
    return getattr(item.event, "last", None) or 0


def unjudged(plain: Sides, leg: Leg, chance: random.Random) -> Excuse:
    """The memory's cap is reached somewhere, and one side said less until then than it was owed.

    What has only one half within the cap cannot be judged either: it is neither missing nor invented.
    """
    damage, events = Damage(leg), Found()
    short = chance.choice(ROLES)
    count = min(len(matched(plain[role])) for role in ROLES)
    early = [item for item in matched(plain[short])[: count // 4] if item.event.type != "book"]
    for item in chance.sample(early, len(early) // APART):
        damage.new[short][item.delivered.n] = []
        events[short, "MISSING", item.ref] += 1
    findings, damaged = Counter(events), damage.damaged()
    cap = chance.randrange(count // 4 + APART, count // 2)
    for role in ROLES:
        gone = set(damage.new[role])
        read = [event.n for event in plain[role].given if event.n not in gone][:cap]
        kept = kept_below(plain[role], cap)
        pairs = {item.delivered.n: item for item in matched(plain[role]) if item.delivered.n not in gone}
        shift = {n: n - bisect_left(sorted(gone), n) for n in read}
        events.update((role, "UNJUDGED", ("line", shift[n])) for n in read if n in pairs and pairs[n].send not in kept)
        events.update((role, "UNJUDGED", item.ref) for n, item in pairs.items() if item.send in kept and n not in shift)
    return Excuse(damaged, events, findings, {"cap": cap})


def kept_below(side: SideJudgement, cap: int) -> set[int]:
    """The sends whose events are within the cap; a frame is kept whole."""
    kept, count = set[int](), 0
    for number, send in enumerate(side.sends):
        if count < cap:
            kept.add(number)
            count += len(send.frame.events)
    return kept


def matched(side: SideJudgement) -> list[Owed]:
    """What a side was owed and delivered, in order of sending."""
    found = [item for stream in side.streams.values() for item in stream if item.code == "MATCH"]
    return sorted(found, key=lambda item: (item.send, item.place))


def without(lines: list[Line], gone: set[int]) -> list[Line]:
    return [line for n, line in enumerate(lines) if n not in gone]


REASONS: dict[str, tuple[Callable[[Sides, Leg, random.Random], Excuse], ...]] = {
    "LATE": (late,),
    "EDGE": (edge,),
    "IN_FLIGHT": (in_flight,),
    "CONFLATED": (copied, merged),
    "UNJUDGED": (unjudged,),
}
