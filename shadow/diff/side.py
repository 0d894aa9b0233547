"""One side of a leg judged against the reference: what it was owed, what it delivered, and every code."""

from __future__ import annotations

from collections import Counter
from collections.abc import Set
from typing import Any

import msgspec
import numpy as np

from shadow.diff.account_history import judge_accounts
from shadow.diff.accounts import is_account, told_by_side, venue_run
from shadow.diff.allowance import MIN_SILENCE_NS, Allowance, SideRows, allowance
from shadow.diff.books import NOT_OWED, BookWalk
from shadow.diff.carry import AROUND_NS, Carried, Stretch, carry
from shadow.diff.codes import TYPES, Ends, Finding, Matches
from shadow.diff.ends import account_ends
from shadow.diff.expected import Owed, excuse, owed_events
from shadow.diff.frames import FrameStore, Send
from shadow.diff.incidents import exceptions, judge_clock, lifecycle, stale, untold
from shadow.diff.join import is_rebuilt, join_stream
from shadow.diff.lines import Delivered, Spoken

__all__ = ["SideJudgement", "judge_side", "matches_of"]

Stream = tuple[str, str, str]
TYPE_NO = {event_type: number for number, event_type in enumerate(TYPES)}


class SideJudgement(msgspec.Struct):
    """All that is known of one side: its sends and streams with codes set, findings, totals, how it ended.

    `carried` is what the next stretch of the leg needs of it.
    """

    role: str
    sends: list[Send]
    streams: dict[Stream, list[Owed]]
    given: list[Delivered]
    allowed: Allowance
    findings: list[Finding]
    totals: dict[str, Any]
    left_out: int
    ends: Ends
    carried: Carried


def judge_side(
    role: str,
    sends: list[Send],
    spoken: Spoken,
    store: FrameStore,
    rows: SideRows,
    *,
    held: dict[tuple[str, str], set[str]],
    late_ns: int | None,
    cap: int,
    begun: Set[str] = frozenset(),
    stretch: Stretch | None = None,
) -> SideJudgement:
    """Give every owed and every delivered event of one side its code, and find its incidents.

    `held` are optional fields that may not be null, per (connection, type). Of connections that had `begun` before, the
    laws over an account's history are left out. With a `stretch` the sends and lines are those of a part of the leg,
    and how the side ended is not told.
    """
    stretch = stretch or Stretch()
    before = stretch.before
    allowed = before.add_faults(allowance(role, rows, sends))
    streams, left_out = owed_events(sends, allowed, cap, before.sent)
    findings: list[Finding] = []
    by_stream = split(spoken.events)
    rounded = 0
    with_before = {stream: [*before.sent.owed.get(stream, ()), *owed] for stream, owed in streams.items()}
    with_before = {**before.sent.owed, **with_before}
    for stream, given in by_stream.items():
        held_here = held.get((stream[0], stream[1]), set())
        rounded += join_stream(with_before.get(stream, []), given, held_here, late_ns, findings)
    if left_out:
        doubt_strangers(spoken.events, first_left_out(sends, streams), findings)
    wholes = whole_books(spoken.events)
    excuse(with_before, allowed, wholes, stretch.decided)
    if spoken.unread:
        doubt_missing(streams, max(event.t or event.t_read for event in spoken.events))
    walks = walk_books(streams, by_stream, store, findings, before)
    strangers(spoken.events, allowed, findings)
    lost(streams, findings)
    newest = dict(before.newest)
    judge_clock(spoken.events, findings, newest)
    carried = carry(before, streams, sends, spoken, allowed, newest, walks, stretch)
    silences = stale(
        {stream: [*before.losing.get(stream, ()), *owed] for stream, owed in streams.items()}, before.heard, wholes
    )
    findings += [silence for silence in silences if silence.ref not in before.told]
    carried.told = before.told | {silence.ref for silence in silences}
    if stretch.is_last:
        findings += lifecycle(carried.states) + exceptions(role, carried.errors, rows, allowed)
        findings += untold(carried.errors, carried.states, allowed)
    if not left_out and not spoken.unread:
        whole = {stream: owed for stream, owed in streams.items() if stream[0] not in begun}
        told = [told_by_side(event) for event in spoken.events if is_account(event) and event.connection not in begun]
        old = None if stretch.is_last else stretch.upto - AROUND_NS
        found, carried.accounts = judge_accounts(before.accounts, told, venue_run(whole), old)
        findings += found
    judged = SideJudgement(role, sends, streams, spoken.events, allowed, findings, {}, left_out, Ends(), carried)
    if stretch.is_whole:
        books = {place: walk.ends_equal() for place, walk in walks.items()}
        reached = {item.frame_no for owed in streams.values() for item in owed if item.code not in NOT_OWED}
        judged.ends = Ends(books, account_ends(store, spoken.events, reached))
    seeded = sum(walk.seeded for walk in walks.values())
    judged.totals = totals(judged, spoken.unread) | {"rounded": rounded, "seeded": seeded}
    return judged


def first_left_out(sends: list[Send], streams: dict[Stream, list[Owed]]) -> int:
    """When the first send was written that the memory cap left out."""
    last = max((item.send for owed in streams.values() for item in owed), default=-1)
    return next(send.t_sent for send in sends[last + 1 :] if send.frame.events)


def doubt_strangers(events: list[Delivered], cut: int, findings: list[Finding]) -> None:
    """UNJUDGED are delivered events that what the cap left out may have been sent for.

    One that was taken for something else with another value, for want of its own, is parted from it again.
    """
    parted = set()
    for event in events:
        if event.code in ("PHANTOM", "FIELD") and (event.t or event.t_read) >= cut:
            if event.owed is not None:
                parted.add((event.connection, event.type, event.symbol, event.owed.ref))
                event.owed.code, event.owed.delivered, event.owed = "", None, None
            event.code = "UNJUDGED"
    if parted:
        places = ((one, (one.connection, one.type, one.symbol, one.ref)) for one in findings)
        findings[:] = [one for one, place in places if one.code != "FIELD" or place not in parted]


def doubt_missing(streams: dict[Stream, list[Owed]], end: int) -> None:
    """UNJUDGED are expected events that may stand behind the last line read.

    A stream that had been silent for MIN_SILENCE_NS by then is missing all the same.
    """
    for owed in streams.values():
        for item in reversed(owed):
            if item.delivered is not None or item.t_sent < end - MIN_SILENCE_NS:
                break
            if item.code == "MISSING":
                item.code = "UNJUDGED"


def split(events: list[Delivered]) -> dict[Stream, list[Delivered]]:
    """Delivered events by stream, in line order."""
    found: dict[Stream, list[Delivered]] = {}
    for event in events:
        found.setdefault((event.connection, event.type, event.symbol), []).append(event)
    return found


def whole_books(events: list[Delivered]) -> dict[tuple[str, str], list[tuple[int, int]]]:
    """(version, t) of the whole books that a side delivered, by (connection, symbol)."""
    found: dict[tuple[str, str], list[tuple[int, int]]] = {}
    for event in events:
        version = event.body.get("last") if event.type == "book" else None
        if isinstance(version, int) and event.body.get("snapshot") is True:
            found.setdefault((event.connection, event.symbol), []).append((version, event.t or event.t_read))
    return found


def walk_books(
    streams: dict[Stream, list[Owed]],
    by_stream: dict[Stream, list[Delivered]],
    store: FrameStore,
    findings: list[Finding],
    before: Carried,
) -> dict[tuple[str, str], BookWalk]:
    """Compare every book with the reference; the walks by (connection, symbol)."""
    rebuilding = before.rebuilding | {
        stream[0] for stream, given in by_stream.items() if any(is_rebuilt(event) for event in given)
    }
    walks: dict[tuple[str, str], BookWalk] = {}
    for stream in sorted(streams.keys() | by_stream.keys()):
        if stream[1] != "book":
            continue
        place = stream[0], stream[2]
        updates, rests = store.updates.get(place, []), store.rest_books.get(place, [])
        is_rebuilding = stream[0] in rebuilding
        walk = BookWalk(
            place, streams.get(stream, []), updates, rests, is_rebuilding, findings, before.books.get(place)
        )
        walk.walk(by_stream.get(stream, []))
        walks[place] = walk
    return walks


def strangers(events: list[Delivered], allowed: Allowance, findings: list[Finding]) -> None:
    """Delivered events that nothing was expected for: EDGE before the ack or behind the stop, else PHANTOM.

    Both times have to lie there, the side's own and the one at which its line was read: the side's is its word alone.
    Where a fault refused the subscription nothing may come before the ack.
    """
    for event in events:
        if event.code not in ("", "PHANTOM"):
            continue
        event.code = "PHANTOM"
        ack = allowed.first_ack(event.connection, event.type, event.symbol)
        t = event.t if event.t is not None else event.t_read
        is_early = ack is not None and max(t, event.t_read) < ack and not allowed.is_refusing(event.connection)
        if is_early or (allowed.stop is not None and min(t, event.t_read) > allowed.stop):
            event.code = "EDGE"
            continue
        content = tuple((key, str(value)) for key, value in sorted(event.body.items()) if key not in STAMPS)
        findings.append(
            Finding("PHANTOM", event.connection, event.type, event.symbol, "", content, delivered=event.body)
        )


STAMPS = frozenset({"t", "recv", "dequeued", "decoded", "routed"})


def lost(streams: dict[Stream, list[Owed]], findings: list[Finding]) -> None:
    """MISSING as findings."""
    for (connection, event_type, symbol), owed in streams.items():
        for item in owed:
            if item.code == "MISSING":
                findings.append(
                    Finding("MISSING", connection, event_type, symbol, "", item.ref, item.frame_no, item.event)
                )


def totals(judged: SideJudgement, unread: int) -> dict[str, Any]:
    """Counts of codes: of delivered events, of expected events, and of both with a pair counted once."""
    delivered = Counter(event.code for event in judged.given)
    expected = Counter(item.code for owed in judged.streams.values() for item in owed)
    pairs = Counter(event.code for event in judged.given if event.owed is not None)
    if unread:
        delivered["UNJUDGED"] += unread
    if judged.left_out:
        expected["UNJUDGED"] += judged.left_out
    codes = delivered + expected - pairs
    return {
        "input": len(judged.given) + unread,
        "expected": sum(len(owed) for owed in judged.streams.values()) + judged.left_out,
        "codes": dict(sorted(codes.items())),
        "pairs": sum(pairs.values()),
        "delivered_codes": dict(sorted(delivered.items())),
        "expected_codes": dict(sorted(expected.items())),
    }


def matches_of(judged: SideJudgement, connections: list[str], symbols: list[str]) -> Matches:
    """One row per send whose events all matched."""
    n = len(judged.sends)
    wanted = [len(send.frame.events) for send in judged.sends]
    matched = [0] * n
    last_t = [0] * n
    for owed in judged.streams.values():
        for item in owed:
            if item.code == "MATCH" and item.delivered is not None:
                matched[item.send] += 1
                last_t[item.send] = max(last_t[item.send], item.delivered.t or 0)
    keep = [i for i in range(n) if wanted[i] and matched[i] == wanted[i]]
    sends = [judged.sends[i] for i in keep]
    connection_no = {name: i for i, name in enumerate(connections)}
    symbol_no = {name: i for i, name in enumerate(symbols)}
    firsts = [send.frame.events[0] for send in sends]
    return Matches(
        frame_no=np.array([send.frame.frame_no for send in sends], np.int64),
        connection=np.array([connection_no[send.frame.connection] for send in sends], np.int16),
        type=np.array([TYPE_NO[event.type] for event in firsts], np.int8),
        symbol=np.array([symbol_no[event.symbol] for event in firsts], np.int16),
        t_sent=np.array([send.t_sent for send in sends], np.int64),
        t_callback=np.array([last_t[i] for i in keep], np.int64),
        first_written=np.array([bool(send.first_written) for send in sends], np.bool_),
        queued=np.array([bool(send.queued) for send in sends], np.bool_),
        burst=np.array([send.burst for send in sends], np.int32),
    )
