"""Which streams the database settles: both sides delivered all that they were owed, equal and in order, and their whole
books are books of the exchange."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Final

import msgspec

from shadow.diff.frames import FrameStore
from shadow.diff.gaps import UNRECOVERED_NS
from shadow.diff.two_books import levels_of
from shadow.offline.digest import lacks
from shadow.offline.join import Counts
from shadow.offline.prepare import Frames, rows_in
from shadow.offline.streams import Hole, Role, Streams, Whole
from shadow.reference.book import OrderBook
from shadow.reference.events import Book

if TYPE_CHECKING:
    from shadow.capture.reader import RunData

__all__ = ["Settled", "merged", "settle"]

BASES: Final = 3
"""How many REST books, newest first, are tried as the base of a whole book."""


class Settled(msgspec.Struct):
    """Numbers of the streams that need no ordinary diff, and per role each one's counts over all buckets."""

    streams: list[int]
    counts: dict[str, dict[int, Counts]]


def merged(buckets: Iterable[Counts], opened: Iterable[Counts]) -> dict[int, Counts]:
    """A stream's counts over all buckets; what buckets left open counts as its second join says."""
    totals: dict[int, Counts] = {}
    for one in buckets:
        total = totals.setdefault(one.stream, blank(one.stream))
        add(total, one)
        total.missing = total.extra = total.edges = 0
    for one in opened:
        total = totals.setdefault(one.stream, blank(one.stream))
        given, owed = total.given, total.owed
        add(total, one)
        total.given, total.owed = given, owed
    return totals


def blank(stream: int) -> Counts:
    return Counts(stream, *(0,) * 12, None, None)


def add(total: Counts, one: Counts) -> None:
    for name in ("owed", "given", "equal", "changed", "missing", "extra", "repeated", "behind", "edges", "edge_pairs",
                 "early", "late"):  # fmt: skip
        setattr(total, name, getattr(total, name) + getattr(one, name))
    if one.low is not None and one.high is not None:
        total.low = one.low if total.low is None else min(total.low, one.low)
        total.high = one.high if total.high is None else max(total.high, one.high)


def settle(
    run: RunData, leg: str, streams: Streams, sides: Mapping[str, Role], frames: Frames,
    counts: dict[str, dict[int, Counts]],
) -> Settled:  # fmt: skip
    """Leave each stream that is not beyond doubt to the ordinary diff; the others are settled."""
    for role, side in sides.items():
        rebuilding = {streams.names[number][0] for number in side.wholes}
        for number, (connection, kind, _) in enumerate(streams.names):
            judge_counts(number, counts[role].get(number) or blank(number), streams)
            held = side.held.get((connection, kind), set())
            shapes = (streams.shapes[kind][n - 1] for n in side.shapes.get(number, ()) if n)
            if any(lacks(kind, shape, held) for shape in shapes):
                streams.leave(number, "a field that is not there")
            if connection in rebuilding and not all(
                is_recovered(hole, side, number) for hole in side.holes.get(number, ())
            ):
                streams.leave(number, "a hole without a whole book")
    judge_books(run, leg, streams, sides, frames)
    left = streams.left()
    return Settled([number for number in range(len(streams.names)) if number not in left], counts)


def judge_counts(number: int, total: Counts, streams: Streams) -> None:
    """Anything but equal pairs in order; a stream without any may be part of a connection's silence.

    What was on its way when a connection was cut off is judged by the last frame of any stream that came through, and
    what came late by whatever else came on the connection meanwhile.
    """
    connection = streams.names[number][0]
    if not total.equal:
        streams.leave_connection(connection, "a stream without events")
    if total.missing and connection in streams.cut:
        streams.leave_connection(connection, "an abnormal close")
    if total.late:
        streams.leave_connection(connection, "an event that came late")
    if total.changed or total.missing or total.extra or total.early or total.edge_pairs or total.low != total.high:
        streams.leave(number, "differences")


def is_recovered(hole: Hole, side: Role, number: int) -> bool:
    """Whether a side that rebuilds books did so in time, or had no time to."""
    in_time = (hole.t_sent <= whole.t <= hole.t_sent + UNRECOVERED_NS for whole in side.wholes.get(number, ()))
    return hole.until - hole.t_sent <= UNRECOVERED_NS or any(in_time)


def judge_books(run: RunData, leg: str, streams: Streams, sides: Mapping[str, Role], frames: Frames) -> None:
    """Leave each stream with a whole book that no REST book becomes at its version."""
    left = streams.left()
    wholes = {
        number: [whole for side in sides.values() for whole in side.wholes.get(number, ())]
        for number in {number for side in sides.values() for number in side.wholes} - left.keys()
    }
    bases = {number: rest_books(streams, number, frames) for number in wholes}
    updates = updates_for(run, leg, frames, wholes, bases)
    for number, books in wholes.items():
        if not all(is_a_book(whole, bases[number], updates.get(number, [])) for whole in books):
            streams.leave(number, "a whole book that is none of the exchange")


def rest_books(streams: Streams, number: int, frames: Frames) -> list[Book]:
    connection, _, symbol = streams.names[number]
    return sorted(frames.store.rest_books.get((connection, symbol), []), key=version_of)


def version_of(book: Book) -> int:
    return book.last or 0


def bases_of(whole: Whole, rests: list[Book]) -> list[Book]:
    """The newest REST books that are not ahead of a whole book."""
    return [rest for rest in rests if version_of(rest) <= whole.version][-BASES:]


def updates_for(
    run: RunData, leg: str, frames: Frames, wholes: Mapping[int, list[Whole]], rests: Mapping[int, list[Book]]
) -> dict[int, list[Book]]:
    """The updates between whole books and their bases, by stream, in order of version, each once."""
    wanted: dict[int, int] = {}
    for number, books in wholes.items():
        for whole in books:
            low = min((version_of(rest) for rest in bases_of(whole, rests[number])), default=whole.version)
            inside = (frames.stream == number) & (frames.last > low) & (frames.last <= whole.version)
            wanted |= dict.fromkeys(frames.number[inside].tolist(), number)
    found: dict[int, dict[int, Book]] = {number: {} for number in wholes}
    reader = FrameStore({})
    names = ["frame_no", "connection", "payload", "is_text"]
    for batch in run.batches("frames", leg, names) if wanted else ():
        for no, connection, payload, is_text in rows_in(batch):
            if no in wanted:
                for event in reader.decode(connection, payload, is_text)[0]:
                    if isinstance(event, Book):
                        found[wanted[no]].setdefault(version_of(event), event)
    return {number: [books[version] for version in sorted(books)] for number, books in found.items()}


def is_a_book(whole: Whole, rests: list[Book], updates: list[Book]) -> bool:
    """Whether one of the REST books, brought to the whole book's version, is that book."""
    wanted = levels_of(whole.body)
    for base in reversed(bases_of(whole, rests)):
        book: OrderBook[float] = OrderBook(float)
        book.seed(base.last, base.bids, base.asks)
        for update in updates:
            if version_of(base) < version_of(update) <= whole.version:
                book.change(book.bids, update.bids)
                book.change(book.asks, update.asks)
        if wanted == (book.bids, book.asks):
            return True
    return False
