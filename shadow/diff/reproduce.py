"""Which differences of a run to show again, and the frames that the venue sent to the side on that connection."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec
import orjson

from shadow.diff.leg import lines_of
from shadow.diff.lines import held_fields, read_lines

if TYPE_CHECKING:
    from shadow.capture.reader import RunData

__all__ = ["SHOWABLE", "Recording", "SentFrame", "Wanted", "held_here", "recording_of", "wanted_of", "windows"]

SIDE: Final = "new"
LEG: Final = "main"
SHOWABLE: Final = ("MISSING", "PHANTOM", "FIELD", "STATE", "REORDER", "DUP", "GAP", "LIFECYCLE", "CLOCK", "EXC")
"""Codes that frames alone may bring about; silence and what a stack sends take more than that."""
GRAVITY: Final = ("critical", "major", "minor")
BEHIND: Final = 63
"""Frames behind the difference that count among those which may show it: what overtakes comes later."""
MOST: Final = 20_000
"""Frames before the difference that are looked at."""
STEPS: Final = ((0, 0), (7, 0), (63, BEHIND), (511, BEHIND))
CAP: Final = 4_000_000


class Wanted(msgspec.Struct, frozen=True):
    """One difference to show again; `frame_no` -1 where the evidence names none, then `t` (ns) says when."""

    code: str
    side: str
    severity: str
    connection: str
    type: str
    symbol: str
    field: str
    count: int
    frame_no: int
    t: int | None


class SentFrame(msgspec.Struct, frozen=True):
    """One data frame as it went to the side; `t_sent` in ns."""

    t_sent: int
    channel: str
    symbol: str
    payload: bytes
    is_text: bool
    fault: str


class Recording(msgspec.Struct):
    """What went to the side on one connection number around a difference, which stands at `focus`.

    `cut` frames before them are left out. `books` holds one (symbol, REST payload) per symbol.
    """

    frames: list[SentFrame]
    focus: int
    cut: int
    books: list[tuple[str, bytes]]


def wanted_of(run: RunData) -> list[Wanted]:
    """The grave differences of new, or of both sides, in the main leg: one per (code, connection, type, field).

    The gravest first, of them the most frequent. Needs differences.parquet.
    """
    import pyarrow.parquet as pq

    found: dict[tuple[str, ...], Wanted] = {}
    for row in pq.read_table(Path(run) / "differences.parquet").to_pylist():
        if row["leg"] != LEG or row["side"] not in (SIDE, "both") or row["severity"] not in GRAVITY:
            continue
        one = wanted(row)
        key = one.code, one.connection, one.type, one.field
        before = found.get(key, one)
        shown = one if before.frame_no < 0 and before.t is None else before
        count = one.count if before is one else before.count + one.count
        found[key] = msgspec.structs.replace(shown, count=count)
    return sorted(found.values(), key=lambda one: (GRAVITY.index(one.severity), -one.count))


def wanted(row: dict[str, Any]) -> Wanted:
    sample = orjson.loads(row["sample"]) if row["sample"] else {}
    delivered = sample.get("delivered")
    t = delivered.get("t") if isinstance(delivered, dict) else None
    names = ("code", "side", "severity", "connection", "type", "symbol", "field", "count")
    return Wanted(
        **{name: row[name] for name in names},
        frame_no=sample.get("frame_no", -1),
        t=t if type(t) is int else None,
    )


def recording_of(run: RunData, one: Wanted) -> Recording:
    """The frames of the connection number on which the difference came up; none where nothing was sent there."""
    frames = sent_frames(run, one.connection)
    focus = place_of(frames, one)
    if focus is None:
        return Recording([], 0, 0, [])
    conn_no = frames[focus]["conn_no"]
    mine = [i for i, row in enumerate(frames) if row["conn_no"] == conn_no]
    at = mine.index(focus)
    begin = max(0, at - MOST)
    kept = [sent_frame(frames[i]) for i in mine[begin : at + BEHIND + 1]]
    opened = opened_at(run, one.connection, conn_no) or frames[mine[0]]["t_sent"]
    return Recording(kept, at - begin, begin, rest_books(run, one.connection, opened))


def sent_frames(run: RunData, connection: str, kind: str = "ws") -> list[dict[str, Any]]:
    """Frames of one kind that went to the side, in order of sending."""
    import pyarrow.compute as pc

    frames, sends = run.table("frames"), run.table("sends")
    for name, value in (("leg", LEG), ("connection", connection)):
        frames, sends = frames.filter(pc.equal(frames[name], value)), sends.filter(pc.equal(sends[name], value))
    by_number = {row["frame_no"]: row for row in frames.filter(pc.equal(frames["kind"], kind)).to_pylist()}
    sends = sends.filter(pc.equal(sends["subject"], SIDE)).select(["frame_no", "conn_no", "t_sent"])
    found = [by_number[row["frame_no"]] | row for row in sends.to_pylist() if row["frame_no"] in by_number]
    found.sort(key=lambda row: row["t_sent"])
    return mark_copies(found)


def mark_copies(frames: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """A frame that the venue sent to the side once more is a copy, as in the session."""
    seen: set[int] = set()
    for row in frames:
        if row["frame_no"] in seen:
            row["fault"] = "duplicate"
        seen.add(row["frame_no"])
    return frames


def place_of(frames: list[dict[str, Any]], one: Wanted) -> int | None:
    """Where the difference stands: at its frame, else at the last one sent before its time, else at the end."""
    if not frames:
        return None
    for place, row in enumerate(frames):
        if row["frame_no"] == one.frame_no:
            return place
    before = [place for place, row in enumerate(frames) if one.t is not None and row["t_sent"] <= one.t]
    return before[-1] if before else len(frames) - 1


def sent_frame(row: dict[str, Any]) -> SentFrame:
    return SentFrame(**{name: row[name] for name in SentFrame.__struct_fields__})


def opened_at(run: RunData, connection: str, conn_no: int) -> int | None:
    """When the side opened that connection, in ns."""
    for row in run.table("connections").to_pylist():
        place = row["leg"], row["subject"], row["connection"], row["conn_no"], row["event"]
        if place == (LEG, SIDE, connection, conn_no, "open"):
            return int(row["t"])
    return None


def rest_books(run: RunData, connection: str, opened: int) -> list[tuple[str, bytes]]:
    """Per symbol the first REST book that the side got from `opened` (ns) on, else the last one before."""
    found: dict[str, tuple[int, bytes]] = {}
    for row in sent_frames(run, connection, "rest"):
        before = found.get(row["symbol"])
        if row["channel"] == "book" and (before is None or before[0] < opened):
            found[row["symbol"]] = row["t_sent"], row["payload"]
    return [(symbol, payload) for symbol, (_, payload) in found.items()]


def held_here(run: RunData, connection: str) -> dict[str, list[str]]:
    """By event type the optional fields that either side was seen to have there: new may not leave them null."""
    found: dict[str, set[str]] = {}
    for role in ("legacy", SIDE):
        if role in run.roles():
            events = read_lines(lines_of(run, LEG, role), CAP).events
            for (place, event_type), names in held_fields(events).items():
                if place == connection:
                    found.setdefault(event_type, set()).update(names)
    return {event_type: sorted(names) for event_type, names in sorted(found.items())}


def windows(count: int, focus: int) -> Iterator[tuple[int, int]]:
    """Growing stretches [begin, end) around the focus, at last the whole list; never the same twice."""
    before = (0, 0)
    for back, ahead in STEPS:
        here = max(0, focus - back), min(count, focus + ahead + 1)
        if here != before:
            yield here
        before = here
    if before != (0, count):
        yield 0, count
