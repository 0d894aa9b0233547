"""One pass over a leg's raw tables, batch by batch: keys and digests of what was expected and of what was delivered."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec
import numpy as np
import numpy.typing as npt
import orjson

from shadow.diff.allowance import WHOLE_ACCOUNT, Allowance, SideRows, allowance
from shadow.diff.canonical import FIELDS
from shadow.diff.codes import PRIVATE_TYPES
from shadow.diff.frames import FrameStore
from shadow.diff.lines import Delivered, event_of, held_fields
from shadow.offline.digest import delivered_digest, delivered_key, wanted_digest, wanted_key
from shadow.offline.join import SHAPES
from shadow.offline.streams import NO_STREAM, Hole, Role, Streams, Whole
from shadow.offline.tables import TableFile
from shadow.reference.events import Book, Event

if TYPE_CHECKING:
    import pyarrow as pa

    from shadow.capture.reader import RunData

__all__ = ["MINUTE_NS", "Frames", "prepare_frames", "prepare_given", "prepare_sends", "rows_in"]

MINUTE_NS: Final = 60_000_000_000
MOST_WHOLES: Final = 1000
"""Whole books of one stream and side that are kept in memory; a stack that sends more is left to the ordinary diff."""
Ints = npt.NDArray[np.int64]


class Frames(msgspec.Struct):
    """A leg's data frames: number, stream, events and versions of each; and its REST books."""

    number: Ints
    stream: Ints
    events: Ints
    first: Ints
    last: Ints
    store: FrameStore


def prepare_given(
    run: RunData, leg: str, role: str, streams: Streams, target: Path
) -> tuple[Role, npt.NDArray[np.int32]]:
    """Write a side's events with key, shape and digest; returns what is known of it, and each line's stream."""
    side, line_streams = Role(), array("i")
    with TableFile(target, "given") as table:
        events = _given(run, leg, role, streams, side, table, line_streams)
        side.held = held_fields(events)
    return side, np.array(line_streams, np.int32)


def _given(
    run: RunData, leg: str, role: str, streams: Streams, side: Role, table: TableFile, line_streams: array[int]
) -> Iterator[Delivered]:
    newest: dict[str, int] = {}
    ordinals: Counter[int] = Counter()
    last_n = -1
    for batch in run.batches(f"events/{role}", leg, ["n", "t_read", "body"]):
        for n, t_read, line in rows_in(batch):
            event = _event(len(line_streams), t_read, line)
            number = NO_STREAM if event is None else streams.number((event.connection, event.type, event.symbol))
            line_streams.append(number)
            if event is None:
                continue
            yield event
            _check_clock(event, newest, streams)
            if n <= last_n:
                streams.leave_connection(event.connection, "lines out of order")
            last_n = n
            if number not in streams.reasons:
                _take(event, number, streams, side, table, ordinals)


def rows_in(batch: pa.RecordBatch) -> Iterator[tuple[Any, ...]]:
    """A batch's rows in the order of its columns."""
    return zip(*batch.to_pydict().values(), strict=True)


def _event(place: int, t_read: int, line: bytes) -> Delivered | None:
    try:
        body = orjson.loads(line)
    except orjson.JSONDecodeError:
        return None
    return event_of(place, t_read, body) if isinstance(body, dict) and body.get("k") == "event" else None


def _check_clock(event: Delivered, newest: dict[str, int], streams: Streams) -> None:
    if event.t is None or event.t > event.t_read or event.t < newest.get(event.connection, 0):
        streams.leave_connection(event.connection, "a time out of bounds")
    else:
        newest[event.connection] = event.t


def _take(
    event: Delivered, number: int, streams: Streams, side: Role, table: TableFile, ordinals: Counter[int]
) -> None:
    body, kind = event.body, event.type
    if kind not in FIELDS or event.t is None:
        streams.leave(number, "no event of the protocol")
        return
    if kind == "book" and body.get("snapshot") is True:
        version = body.get("last")
        wholes = side.wholes.setdefault(number, [])
        if type(version) is not int or len(wholes) == MOST_WHOLES:
            streams.leave(number, "whole books")
        else:
            wholes.append(Whole(event.n, version, event.t, body))
        return
    found = delivered_digest(kind, body)
    shape, digest = (streams.shape(kind, found[0]), found[1]) if found is not None else (0, 0)
    side.shapes.setdefault(number, set()).add(shape)
    ordinals[number] += 1
    key = delivered_key(kind, body)
    table.add((number, event.t // MINUTE_NS, key, ordinals[number], shape, digest, event.t))


def prepare_frames(run: RunData, leg: str, streams: Streams, target: Path) -> Frames:
    """Write the reference's events of each public frame with key and one digest a shape."""
    store = FrameStore({})
    rows = array("q")
    names = ["frame_no", "connection", "kind", "symbol", "payload", "is_text", "fault"]
    with TableFile(target, "expected") as table:
        for batch in run.batches("frames", leg, names):
            for no, connection, kind, symbol, payload, is_text, fault in rows_in(batch):
                if kind == "rest":
                    store.add_rest(connection, symbol, payload)
                elif kind == "ws" and not connection.endswith(".private"):
                    events, readable = store.decode(connection, payload, is_text)
                    if not readable and not fault:
                        store.unreadable += 1
                    rows.extend(_frame(no, connection, events, fault, streams, table))
    found = np.array(rows, np.int64).reshape(-1, 5)
    number, stream, events, first, last = found[np.argsort(found[:, 0], kind="stable")].T
    return Frames(number, stream, events, first, last, store)


def _frame(
    no: int, connection: str, events: list[Event], fault: str, streams: Streams, table: TableFile
) -> tuple[int, int, int, int, int]:
    numbers = [streams.number((connection, event.type, event.symbol)) for event in events]
    first = last = -1
    for place, (number, event) in enumerate(zip(numbers, events, strict=True)):
        if fault or number != numbers[0]:
            streams.leave(number, f"fault {fault}" if fault else "frames of several streams")
        if isinstance(event, Book):
            first, last = (-1 if version is None else version for version in (event.first, event.last))
            if event.snapshot or event.last is None or len(events) > 1:
                streams.leave(number, "whole books of the exchange")
        if number not in streams.reasons:
            table.add((no, place, number, wanted_key(event), *_digests(event, streams)))
    return no, numbers[0] if numbers else NO_STREAM, len(events), first, last


def _digests(event: Event, streams: Streams) -> list[int | None]:
    shapes = streams.shapes.get(event.type, [])
    return [wanted_digest(event, shapes[n]) if n < len(shapes) else None for n in range(SHAPES)]


def prepare_sends(
    run: RunData, leg: str, role: str, rows: SideRows, frames: Frames, streams: Streams, side: Role, target: Path
) -> None:
    """Write what one side was sent, each frame with the place of its first event in the stream."""
    names = ["subject", "frame_no", "conn_no", "t_sent", "first_written", "queued", "burst"]
    parts: dict[str, list[Any]] = {name: [] for name in names[1:]}
    for batch in run.batches("sends", leg, names):
        columns = batch.to_pydict()
        mine = np.array([subject == role for subject in columns["subject"]], np.bool_)
        for name, kept in parts.items():
            kept.append(np.array(columns[name], np.int64)[mine])
    sends = {name: np.concatenate(kept) if kept else np.empty(0, np.int64) for name, kept in parts.items()}
    order = np.argsort(sends["t_sent"], kind="stable")
    sends = {name: values[order] for name, values in sends.items()}
    place = np.searchsorted(frames.number, sends["frame_no"])
    known = place < len(frames.number)
    known[known] = frames.number[place[known]] == sends["frame_no"][known]
    sends, place = {name: values[known] for name, values in sends.items()}, place[known]
    counted = frames.events[place] > 0
    sends, place = {name: values[counted] for name, values in sends.items()}, place[counted]
    _write_sends(sends, place, frames, streams, side, allowance(role, rows, []), target)


def _write_sends(
    sends: Mapping[str, Ints], place: Ints, frames: Frames, streams: Streams, side: Role, allowed: Allowance,
    target: Path,
) -> None:  # fmt: skip
    stream = frames.stream[place]
    at = np.zeros(len(place), np.int64)
    edge = np.zeros(len(place), np.bool_)
    numbers, counts = np.unique(sends["frame_no"], return_counts=True)
    twice = np.isin(sends["frame_no"], numbers[counts > 1])
    streams.cut |= {connection for connection, _ in allowed.abnormal}
    for _, swapped in allowed.swaps:
        streams.leave(streams.number(swapped), "frames that changed places")
    for number in np.unique(stream).tolist():
        mine = np.flatnonzero(stream == number)
        events = frames.events[place[mine]]
        at[mine] = np.cumsum(events) - events
        edge[mine] = _edges(streams.names[number], sends["conn_no"][mine], sends["t_sent"][mine], allowed)
        if twice[mine].any():
            streams.leave(number, "a frame sent twice")
        side.owed[number], side.frames[number] = int(events.sum()), len(mine)
        if streams.names[number][1] == "book":
            side.holes[number] = _holes(frames.first[place[mine]], frames.last[place[mine]], sends["t_sent"][mine])
    minute = sends["t_sent"] // MINUTE_NS
    with TableFile(target, "sends") as table:
        table.add_columns(
            [sends["frame_no"], stream, at, sends["t_sent"], minute, edge, sends["first_written"].astype(bool),
             sends["queued"].astype(bool), sends["burst"]]
        )  # fmt: skip


def _edges(stream: tuple[str, str, str], conn_no: Ints, t_sent: Ints, allowed: Allowance) -> npt.NDArray[np.bool_]:
    """Which sends lie before the ack of their connection, or behind the side's stop."""
    connection, kind, symbol = stream
    assert kind not in PRIVATE_TYPES
    edge = t_sent > (allowed.stop if allowed.stop is not None else np.iinfo(np.int64).max)
    for number in np.unique(conn_no).tolist():
        ack = allowed.acks.get((connection, number, kind, symbol))
        if ack is None:
            ack = allowed.acks.get((connection, number, kind, WHOLE_ACCOUNT))
        if ack is not None:
            edge |= (conn_no == number) & (t_sent < ack)
    return edge


def _holes(first: Ints, last: Ints, t_sent: Ints) -> list[Hole]:
    """Where the venue left versions out, as in `shadow.diff.gaps.holes_before`."""
    before = np.maximum.accumulate(last)[:-1]
    starts = np.flatnonzero((first[1:] >= 0) & (first[1:] > before + 1)) + 1
    ends = [*t_sent[starts[1:]].tolist(), int(t_sent[-1])]
    return [Hole(int(t_sent[i]), int(end)) for i, end in zip(starts, ends, strict=False)]
