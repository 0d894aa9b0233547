"""The laws over an account's whole history, asked now and then of what is settled together with the rest.

All else is judged piece by piece; what an order may do next depends on all that happened to it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import chain
from typing import TYPE_CHECKING

from shadow.diff.accounts import breaks_of, is_account, told_by_side, venue_run

if TYPE_CHECKING:
    from shadow.diff.expected import Owed
    from shadow.diff.lines import Delivered
    from shadow.diff.side import SideJudgement, Stream

__all__ = ["Accounts"]

Sides = Mapping[str, "SideJudgement"]


class Accounts:
    """Events of the settled pieces of private connections, by role."""

    def __init__(self) -> None:
        self._owed: dict[str, dict[Stream, list[Owed]]] = {}
        self._given: dict[str, list[Delivered]] = {}

    def keep(self, sides: Sides, reach: Mapping[str, tuple[int, int]]) -> None:
        """Take over what each private connection was sent and delivered behind one moment and up to another (ns)."""
        private = {name: bounds for name, bounds in reach.items() if not name.endswith(".public")}
        for role, side in sides.items():
            for stream, owed in side.streams.items():
                if (bounds := private.get(stream[0])) is not None:
                    mine = self._owed.setdefault(role, {}).setdefault(stream, [])
                    mine += [item for item in owed if bounds[0] < item.t_sent <= bounds[1]]
            given = self._given.setdefault(role, [])
            given += [event for event in side.given if is_within(event, private)]

    def drop(self, connections: Iterable[str]) -> None:
        """Forget connections that are compared from their begin again."""
        gone = set(connections)
        for streams in self._owed.values():
            for stream in [stream for stream in streams if stream[0] in gone]:
                del streams[stream]
        for role, given in self._given.items():
            self._given[role] = [event for event in given if event.connection not in gone]

    def kept(self) -> set[int]:
        """Identities of the delivered events that are held here."""
        return {id(event) for given in self._given.values() for event in given}

    def is_broken(self, sides: Sides, connection: str) -> bool:
        """Whether a law is broken on a connection by all that was kept and what `sides` add to it."""
        for role, side in sides.items():
            streams, given = self._whole(role, side, connection)
            if breaks_of([told_by_side(event) for event in given if is_account(event)], venue_run(streams)):
                return True
        return False

    def _whole(
        self, role: str, side: SideJudgement, connection: str
    ) -> tuple[dict[Stream, list[Owed]], list[Delivered]]:
        before = self._owed.get(role, {})
        streams = [stream for stream in dict.fromkeys((*before, *side.streams)) if stream[0] == connection]
        given = chain(self._given.get(role, ()), side.given)
        return (
            {stream: [*before.get(stream, ()), *side.streams.get(stream, ())] for stream in streams},
            [event for event in given if event.connection == connection],
        )


def is_within(event: Delivered, reach: Mapping[str, tuple[int, int]]) -> bool:
    bounds = reach.get(event.connection)
    return bounds is not None and bounds[0] < (event.t or 0) <= bounds[1]
