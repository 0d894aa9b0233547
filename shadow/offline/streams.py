"""What the preparation learns of a leg's streams: their numbers, the shapes of their events, and who must look at them.

A stream is one (connection, event type, symbol). It is left to the ordinary diff, with a reason, as soon as anything
about it needs more than equal digests in the same order.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from shadow.offline.digest import Shape
from shadow.offline.join import SHAPES

__all__ = ["NO_STREAM", "Hole", "Role", "Streams", "Whole"]

NO_STREAM: Final = -1
"""The number of a line or a frame that is no event of a stream."""
Stream = tuple[str, str, str]


class Whole(msgspec.Struct):
    """A whole book that a side delivered: its line, version and time."""

    line: int
    version: int
    t: int
    body: dict[str, Any]


class Hole(msgspec.Struct):
    """Versions that the venue left out before an update of a side's book: when that was sent, and when the next hole
    or the stream's end is."""

    t_sent: int
    until: int


class Role(msgspec.Struct):
    """One side of the leg: the optional fields that it may not lack, and by stream its shapes, whole books and holes,
    and how many events and frames it was owed."""

    held: dict[tuple[str, str], set[str]] = {}
    shapes: dict[int, set[int]] = {}
    wholes: dict[int, list[Whole]] = {}
    holes: dict[int, list[Hole]] = {}
    owed: dict[int, int] = {}
    frames: dict[int, int] = {}


class Streams(msgspec.Struct):
    """Streams by number, why some or all of a connection are left to the ordinary diff, and the connections cut off."""

    names: list[Stream] = []
    numbers: dict[Stream, int] = {}
    shapes: dict[str, list[Shape]] = {}
    reasons: dict[int, str] = {}
    connections: dict[str, str] = {}
    cut: set[str] = set()

    def number(self, stream: Stream) -> int:
        """The stream's number; a private one is left to the ordinary diff, which knows the laws of accounts."""
        found = self.numbers.get(stream)
        if found is None:
            found = self.numbers[stream] = len(self.names)
            self.names.append(stream)
            if stream[0].endswith(".private"):
                self.leave(found, "an account")
        return found

    def shape(self, event_type: str, shape: Shape) -> int:
        """The shape's number among its type's, from 1; 0 when there are too many."""
        known = self.shapes.setdefault(event_type, [])
        if shape not in known:
            if len(known) == SHAPES:
                return 0
            known.append(shape)
        return known.index(shape) + 1

    def leave(self, stream: int, why: str) -> None:
        """Leave a stream to the ordinary diff."""
        self.reasons.setdefault(stream, why)

    def leave_connection(self, connection: str, why: str) -> None:
        """Leave all streams of a connection to the ordinary diff."""
        self.connections.setdefault(connection, why)

    def left(self) -> dict[int, str]:
        """Number to reason of every stream that is left to the ordinary diff."""
        whole = {n: self.connections[name[0]] for n, name in enumerate(self.names) if name[0] in self.connections}
        return self.reasons | whole
