"""What a side was owed, and what the fault table lets a correct stack leave out.

Owed are the reference's events of the frames sent to the side, in order of sending. Frames that a fault dropped or
destroyed are owed nothing, so their hole stands in the sequence itself. The fault table allows besides:

    duplicate, twin-fill   the second copy of a book or last-value event may be delivered or not; a trade, an order, a
                           fill, a balance or a position only once
    swap                   frames may be delivered in sent order or healed; an older one may be dropped, if it is no
                           trade and no fill
    corrupt                one decode error per destroyed frame
    abnormal close         what was sent behind the last frame that evidence proves received is IN_FLIGHT, but not what
                           was sent T before the close, or longer: a stack that was alive had it by then
    refuse-auth, late-auth, expire-key, refuse-subscribe
                           a side without a subscription; refusals behind the fault are none of the side's

A fill is known by its id and its order's, so one that is sent again counts as a copy without a fault too, and so does a
frame that two connections of one side got while one took over from the other. An order update may be left out where
it says the same as an earlier one.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from shadow.diff.allowance import MIN_SILENCE_NS, Allowance, silence_ns
from shadow.diff.canonical import FIELDS
from shadow.diff.codes import PRIVATE_TYPES
from shadow.diff.forms import Form
from shadow.diff.frames import Columns, FrameStore, Send, columns_of
from shadow.reference.events import Book, Event

__all__ = ["COPIED", "SEND_COLUMNS", "Before", "Owed", "excuse", "owed_events", "side_sends", "swapped", "twin_key"]

RECOVERY_NS: Final = 5_000_000_000
"""A whole book recovers updates that were sent up to this long before it."""
SEND_COLUMNS: Final = ("subject", "frame_no", "conn_no", "t_sent", "first_written", "queued", "burst")
COPIED: Final = frozenset({"duplicate", "twin-fill"})


Stream = tuple[str, str, str]
"""Connection, event type, symbol."""
Swap = tuple[int, Stream]
"""When (ns) two frames changed places, and of which stream."""


class Owed(msgspec.Struct, gc=False):
    """One event expected of a side; `send` indexes the side's sends, `place` the event within its frame.

    `form` is the event's canonical form where it is known.
    """

    event: Event
    send: int
    place: int
    frame_no: int
    conn_no: int
    t_sent: int
    fault: str
    edge: bool
    code: str = ""
    delivered: Any = None
    form: Form | None = None

    @property
    def ref(self) -> tuple[int, int]:
        """The event's name for both sides."""
        return self.frame_no, self.place


class Before(msgspec.Struct):
    """What a side was sent and got in an earlier stretch: by stream the events delivered lately, whose `send` is -1,
    when (ns) each frame, and each fill by connection and key, was sent, and the frames of each swap."""

    owed: dict[Stream, list[Owed]] = {}
    gone: dict[int, int] = {}
    fills: dict[tuple[str, Any], int] = {}
    swapped: dict[Swap, list[int]] = {}


def side_sends(role: str, sends: Any, store: FrameStore) -> list[Send]:
    """The data frames sent to one side in order of `t_sent`."""
    columns: Columns = columns_of(sends)
    columns_there = (columns.get(name, ()) for name in SEND_COLUMNS)
    frames = store.frames
    found = [
        Send(frames[no], conn_no, t_sent, first, queued, burst)
        for subject, no, conn_no, t_sent, first, queued, burst in zip(*columns_there, strict=True)
        if subject == role and no in frames
    ]
    found.sort(key=lambda send: send.t_sent)
    return found


def owed_events(
    sends: list[Send], allowed: Allowance, cap: int, before: Before | None = None
) -> tuple[dict[tuple[str, str, str], list[Owed]], int]:
    """Expected events per (connection, type, symbol) in order of sending, and how many beyond `cap` were left out."""
    streams: dict[tuple[str, str, str], list[Owed]] = {}
    kept = left_out = 0
    before = before or Before()
    gone, fills = set(before.gone), set(before.fills)
    for i, send in enumerate(sends):
        frame = send.frame
        fault = "duplicate" if frame.frame_no in gone else frame.fault
        gone.add(frame.frame_no)
        if kept >= cap:
            left_out += len(frame.events)
            continue
        for place, (event, form) in enumerate(zip(frame.events, frame.forms(), strict=True)):
            edge = allowed.is_edge(frame.connection, send.conn_no, event.type, event.symbol, send.t_sent)
            owed = Owed(event, i, place, frame.frame_no, send.conn_no, send.t_sent, fault, edge, form=form)
            if event.type == "fill":
                mark_twin(owed, frame.connection, fills)
            streams.setdefault((frame.connection, event.type, event.symbol), []).append(owed)
            kept += 1
    for (_, stream), frames in swapped(streams, allowed, before).items():
        for item in streams.get(stream, ()):
            if item.frame_no in frames:
                item.fault = "swap"
    return streams, left_out


def mark_twin(owed: Owed, connection: str, fills: set[tuple[str, Any]]) -> None:
    """A fill that the side was sent before is a copy, whoever made it."""
    key = connection, twin_key(owed.event)
    if key in fills:
        owed.fault = "twin-fill"
    fills.add(key)


def swapped(streams: Mapping[Stream, list[Owed]], allowed: Allowance, before: Before) -> dict[Swap, list[int]]:
    """The frames of each swap: the first two of the stream behind its mark are the two that changed places."""
    found = {}
    for swap in allowed.swaps:
        t, stream = swap
        frames = before.swapped.get(swap, [])
        if len(frames) < 2:
            later = [item.frame_no for item in streams.get(stream, ()) if item.t_sent >= t]
            frames = list(dict.fromkeys([*frames, *later]))[:2]
        found[swap] = frames
    return found


def last_received(streams: dict[tuple[str, str, str], list[Owed]]) -> dict[tuple[str, int], int]:
    """Per (connection, conn_no) the last send that a delivered event proves received."""
    found: dict[tuple[str, int], int] = {}
    for (connection, _, _), stream in streams.items():
        for owed in stream:
            if owed.delivered is not None:
                key = connection, owed.conn_no
                found[key] = max(found.get(key, -1), owed.send)
    return found


def first_in_flight(streams: dict[tuple[str, str, str], list[Owed]], allowed: Allowance) -> dict[tuple[str, int], int]:
    """Per connection that ended abnormally, when (ns) the first frame was sent that may have been on its way then."""
    times: dict[tuple[str, int], list[int]] = {link: [] for link in allowed.abnormal}
    for (connection, _, _), stream in streams.items():
        for owed in stream:
            if (connection, owed.conn_no) in times:
                times[connection, owed.conn_no].append(owed.t_sent)
    return {
        link: 0 if closed is None else closed - int(silence_ns(sorted(times[link])) or MIN_SILENCE_NS)
        for link, closed in allowed.abnormal.items()
    }


def excuse(
    streams: dict[tuple[str, str, str], list[Owed]],
    allowed: Allowance,
    snapshots: dict[tuple[str, str], list[tuple[int, int]]],
    decided: Mapping[tuple[int, tuple[int, int]], str],
) -> None:
    """Give each expected event that was not delivered its code; `snapshots` are (version, t) of whole books.

    `decided` are the codes of those that are known by what came later, by time of sending and place.
    """
    received = last_received(streams)
    flights = first_in_flight(streams, allowed)
    for (connection, event_type, symbol), stream in streams.items():
        if all(owed.code for owed in stream):
            continue
        whole = sorted(snapshots.get((connection, symbol), ())) if event_type == "book" else []
        healed_by = next_deliveries(stream) if whole else [0] * len(stream)
        seen: set[Any] = set()
        for owed, limit in zip(stream, healed_by, strict=True):
            key = twin_key(owed.event)
            twin = (owed.fault in COPIED or event_type == "order") and key in seen
            seen.add(key)
            if not owed.code:
                known = decided.get((owed.t_sent, owed.ref))
                owed.code = known or excuse_of(owed, flights, received, connection, whole, twin, limit)


def next_deliveries(stream: list[Owed]) -> list[int]:
    """For each expected event when the next one behind it was delivered, at most RECOVERY_NS after its sending.

    A whole book can stand for an update only until then: the consumer that got a later update first has seen the hole.
    """
    limits, later = [], None
    for owed in reversed(stream):
        end = owed.t_sent + RECOVERY_NS
        limits.append(end if later is None else min(end, later))
        if owed.delivered is not None:
            later = owed.delivered.t
    return limits[::-1]


def excuse_of(
    owed: Owed,
    flights: dict[tuple[str, int], int],
    received: dict[tuple[str, int], int],
    connection: str,
    whole: list[tuple[int, int]],
    twin: bool,
    limit: int,
) -> str:
    """EDGE, IN_FLIGHT, CONFLATED (a copy, a healed swap, a version within a snapshot) or MISSING."""
    link = connection, owed.conn_no
    if owed.edge:
        return "EDGE"
    if link in flights and owed.send > received.get(link, -1) and owed.t_sent >= flights[link]:
        return "IN_FLIGHT"
    if twin or (owed.fault == "swap" and owed.event.type not in ("trade", "fill")):
        return "CONFLATED"
    return "CONFLATED" if is_covered(owed, whole, limit) else "MISSING"


def is_covered(owed: Owed, whole: list[tuple[int, int]], limit: int) -> bool:
    """Whether a whole book of the update's version or a later one was delivered by `limit`."""
    if not whole or not isinstance(owed.event, Book) or owed.event.last is None:
        return False
    later = whole[bisect_left(whole, (owed.event.last, 0)) :]
    return any(t <= limit for _, t in later)


def twin_key(event: Event) -> Any:
    """What makes two events of one stream copies of each other."""
    if event.type == "fill":
        return tuple(getattr(event, name) for name in ("id", "order_id"))
    if event.type in PRIVATE_TYPES:
        return tuple(getattr(event, name) for name, _ in FIELDS[event.type])
    return getattr(event, "id", None) or getattr(event, "seq", None) or getattr(event, "last", None), event.ts
