"""A part of a leg for the diff: what both sides bring into it from the parts before, and what they hand on."""

from __future__ import annotations

from collections.abc import Mapping, Set
from typing import TYPE_CHECKING, Final

import msgspec

from shadow.diff.carry import AROUND_NS, Carried, Stretch
from shadow.diff.expected import Owed
from shadow.diff.frames import Frames, FrameStore, in_version_order
from shadow.diff.lines import Held, Spoken, Tallies, held_of, tallies
from shadow.reference.events import Book

if TYPE_CHECKING:
    from shadow.diff.side import SideJudgement

__all__ = ["Part", "Streams"]

RESTS: Final = 16
"""REST books of one symbol that are kept, the newest ones: one of them is the base of a book rebuilt later."""
SEEN: Final = 20
Streams = dict[tuple[str, str, str], list[Owed]]
Books = dict[tuple[str, str], list[Book]]


class Part(msgspec.Struct):
    """One part, by default the whole leg; it goes up to `upto` (ns), and `is_last` says that the leg ends with it.

    `seen` holds the begin and the end of each stream that a side was sent so far; `judged` the sides, when they are.
    `tallies` count by role the optional fields of all that it said so far. `begun` are connections of which the part is
    not the begin and knows no history, so that laws over an account's whole history cannot be asked of it. `frames` are
    those that were read for an earlier judgement, and when this one is done, its own.
    """

    upto: int = 0
    is_last: bool = True
    is_whole: bool = True
    sides: dict[str, Carried] = {}
    rests: Books = {}
    updates: dict[tuple[str, str], list[tuple[int, Book]]] = {}
    seen: dict[str, Streams] = {}
    judged: dict[str, SideJudgement] = {}
    decided: dict[str, dict[tuple[int, tuple[int, int]], str]] = {}
    tallies: dict[str, Tallies] = {}
    begun: Set[str] = frozenset()
    frames: Frames = {}

    def held(self, spoken: Mapping[str, Spoken]) -> dict[str, Held]:
        """The optional fields that each role has, by what it said here and before; a copy of the part keeps its own."""
        self.tallies = {role: tallies(side.events, self.tallies.get(role, {})) for role, side in spoken.items()}
        return {role: held_of(counts) for role, counts in self.tallies.items()}

    def look_ahead(self, further: Part) -> None:
        """Take from a judgement that went further what only later lines tell: what became of events that were not
        delivered, and which sides rebuild their books, so that these are compared from the first whole one on; and the
        frames that it read."""
        self.frames = further.frames
        for role, side in further.judged.items():
            known = self.sides.setdefault(role, Carried())
            known.rebuilding = known.rebuilding | side.carried.rebuilding
            self.decided[role] = {
                (item.t_sent, item.ref): item.code
                for owed in side.streams.values()
                for item in owed
                if item.delivered is None
            }

    def stretch(self, role: str) -> Stretch:
        """One side's."""
        before, decided = self.sides.get(role, Carried()), self.decided.get(role, {})
        return Stretch(before, self.upto, self.is_last, self.is_whole, decided)

    def extend(self, stores: Mapping[str, FrameStore]) -> None:
        """Add the books of earlier parts to those of this one."""
        if self.is_whole:
            return
        for store in {id(store): store for store in stores.values()}.values():
            for place, rests in self.rests.items():
                store.rest_books[place] = [*rests, *store.rest_books.get(place, ())]
            for place, updates in self.updates.items():
                before = [book for _, book in updates]
                store.updates[place] = in_version_order([*before, *store.updates.get(place, ())])

    def take(self, sides: Mapping[str, SideJudgement], stores: Mapping[str, FrameStore]) -> None:
        """Keep what was judged, and what streams there were."""
        self.judged = dict(sides)
        if self.is_whole:
            self.seen = {role: side.streams for role, side in sides.items()}
            return
        self.seen = {
            role: {
                stream: _ends([*self.seen.get(role, {}).get(stream, ()), *side.streams.get(stream, ())])
                for stream in self.seen.get(role, {}).keys() | side.streams.keys()
            }
            for role, side in sides.items()
        }
        store = next(iter(stores.values()))
        self.frames = store.frames
        self.rests = {place: books[-RESTS:] for place, books in store.rest_books.items()}
        self.updates = _updates(self.updates, sides, self.upto - AROUND_NS)

    def release(self) -> None:
        """Let go of what was judged: an event and its delivery name each other, and no collector looks at them."""
        for side in self.judged.values():
            for owed in side.streams.values():
                for item in owed:
                    item.delivered = None

    def next(self, upto: int = 0, *, is_last: bool = False) -> Part:
        """The part behind this one, which has been judged."""
        carried = {role: side.carried for role, side in self.judged.items()}
        return Part(upto, is_last, False, carried, self.rests, self.updates, self.seen, tallies=self.tallies)


def _ends(owed: list[Owed]) -> list[Owed]:
    return owed if len(owed) <= SEEN else [*owed[: SEEN // 2], *owed[-SEEN // 2 :]]


def _updates(
    before: Mapping[tuple[str, str], list[tuple[int, Book]]], sides: Mapping[str, SideJudgement], old: int
) -> dict[tuple[str, str], list[tuple[int, Book]]]:
    """Book updates sent to either side since `old`, with when."""
    found = {place: {id(book): (t, book) for t, book in updates if t >= old} for place, updates in before.items()}
    for side in sides.values():
        for send in side.sends:
            if send.t_sent < old:
                continue
            for event in send.frame.events:
                if isinstance(event, Book) and event.last is not None:
                    place = send.frame.connection, event.symbol
                    found.setdefault(place, {}).setdefault(id(event), (send.t_sent, event))
    return {place: list(updates.values()) for place, updates in found.items()}
