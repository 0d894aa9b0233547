"""What of one side crosses the cut between two stretches of a leg, so that both together are judged as one.

A cut lies where nothing is under way to either side. What was sent before it and came is kept for AROUND_NS, since a
copy of it may come later; books, orders, positions and clocks go on from where they stood.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from shadow.diff.account_history import AccountHistory
from shadow.diff.allowance import Allowance
from shadow.diff.books import BookState, BookWalk
from shadow.diff.expected import Before, Owed, swapped, twin_key
from shadow.diff.frames import Send
from shadow.diff.join import is_rebuilt
from shadow.diff.lines import Spoken

__all__ = ["AROUND_NS", "Carried", "Stretch", "carry"]

AROUND_NS: Final = 20_000_000_000
FILLS_NS: Final = 600_000_000_000
"""How long a fill is known, so that the same one sent again is a copy."""
Streams = dict[tuple[str, str, str], list[Owed]]
Place = tuple[str, str]


class Carried(msgspec.Struct):
    """One side between two stretches.

    `losing` are the events missing at the end of each stream, `heard` the connections that delivered anything, `told`
    the silences that were told, `states` and `errors` all lines of these kinds so far.
    """

    sent: Before = msgspec.field(default_factory=Before)
    books: dict[Place, BookState] = {}
    rebuilding: set[str] = set()
    newest: dict[str, int] = {}
    faults: dict[str, Counter[str]] = {}
    corrupt: dict[str, int] = {}
    losing: Streams = {}
    heard: set[str] = set()
    told: set[tuple[Any, ...]] = set()
    states: list[dict[str, Any]] = []
    errors: list[dict[str, Any]] = []
    accounts: AccountHistory = msgspec.field(default_factory=AccountHistory)

    def add_faults(self, allowed: Allowance) -> Allowance:
        """The same with the altered frames of earlier stretches."""
        for connection, kinds in self.faults.items():
            allowed.faults.setdefault(connection, Counter()).update(kinds)
        for connection, n in self.corrupt.items():
            allowed.corrupt[connection] = allowed.corrupt.get(connection, 0) + n
        return allowed


class Stretch(msgspec.Struct):
    """A part of a leg: what came before it, up to when (ns) it goes, and whether the leg ends with it.

    `decided` are the codes of events not delivered, by time of sending and place, where later lines tell them.
    """

    before: Carried = msgspec.field(default_factory=Carried)
    upto: int = 0
    is_last: bool = True
    is_whole: bool = True
    decided: dict[tuple[int, tuple[int, int]], str] = {}


def carry(
    before: Carried,
    streams: Streams,
    sends: list[Send],
    spoken: Spoken,
    allowed: Allowance,
    newest: dict[str, int],
    walks: Mapping[Place, BookWalk],
    stretch: Stretch,
) -> Carried:
    """What the next stretch needs of a side; accounts and what was told are added where they are judged."""
    if stretch.is_whole:
        return Carried(states=spoken.states, errors=spoken.errors)
    faults: dict[str, Counter[str]] = {name: Counter(kinds) for name, kinds in before.faults.items()}
    corrupt = dict(before.corrupt)
    for send in sends:
        if send.frame.fault:
            faults.setdefault(send.frame.connection, Counter())[send.frame.fault] += 1
            if not send.frame.readable:
                corrupt[send.frame.connection] = corrupt.get(send.frame.connection, 0) + 1
    events = spoken.events
    return Carried(
        sent=_sent(before.sent, streams, sends, allowed, stretch.upto),
        books=before.books | {place: walk.state() for place, walk in walks.items()},
        rebuilding=before.rebuilding | {event.connection for event in events if is_rebuilt(event)},
        newest=newest,
        faults=faults,
        corrupt=corrupt,
        losing=before.losing
        | {stream: _lost_at_end(before.losing.get(stream, []), owed) for stream, owed in streams.items()},
        heard=before.heard | {event.connection for event in events if event.owed is not None},
        states=before.states + spoken.states,
        errors=before.errors + spoken.errors,
    )


def _sent(before: Before, streams: Streams, sends: list[Send], allowed: Allowance, upto: int) -> Before:
    """The events delivered and the frames sent lately, fills of some minutes, and the frames of swaps."""
    old = upto - AROUND_NS
    owed: Streams = {}
    fills = {key: t for key, t in before.fills.items() if t >= upto - FILLS_NS}
    gone = {no: t for no, t in before.gone.items() if t >= old}
    for stream in before.owed.keys() | streams.keys():
        new = streams.get(stream, [])
        since = upto - FILLS_NS if stream[1] == "fill" else old
        kept = [item for item in (*before.owed.get(stream, ()), *new) if item.t_sent >= since and item.delivered]
        owed[stream] = [msgspec.structs.replace(item, send=-1) for item in kept]
        if stream[1] == "fill":
            fills |= {(stream[0], twin_key(item.event)): item.t_sent for item in new}
    gone |= {send.frame.frame_no: send.t_sent for send in sends if send.t_sent >= old}
    return Before(owed, gone, fills, swapped(streams, allowed, before))


def _lost_at_end(before: list[Owed], owed: list[Owed]) -> list[Owed]:
    """The run of missing events with which a stream ends; of a long one its begin and its end."""
    for place in range(len(owed) - 1, -1, -1):
        if owed[place].code != "MISSING":
            return owed[place + 1 :]
    run = [*before, *owed]
    return run if len(run) < 100 else [*run[:50], *run[-50:]]
