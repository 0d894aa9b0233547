"""A leg compared piece by piece: what the diff of one piece has to know of those before it, and what it leaves."""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import dataclass, field

from shadow.diff.lines import Held, Spoken, Tallies, held_of, tally_fields
from shadow.diff.side import SideJudgement

__all__ = ["Pieces"]


@dataclass
class Pieces:
    """Hands knowledge from piece to piece.

    `tallies` count by role the optional fields of all pieces so far. `begun` are connections of which the piece is not
    the begin, so that laws over an account's whole history cannot be asked of it. `sides` are those of the last piece.
    """

    tallies: dict[str, Tallies] = field(default_factory=dict)
    begun: Set[str] = frozenset()
    sides: Mapping[str, SideJudgement] = field(default_factory=dict)

    def held(self, spoken: Mapping[str, Spoken]) -> dict[str, Held]:
        """The optional fields that each role has, by all that it said so far."""
        for role, side in spoken.items():
            tally_fields(side.events, self.tallies.setdefault(role, {}))
        return {role: held_of(self.tallies[role]) for role in spoken}
