"""One leg compared in two halves of its connections, so that two workers are done with an odd number of legs at once.

Connections have nothing to do with each other where nothing differs. Where something does, samples are chosen among all
and incidents may concern the whole side: then the halves say nothing, and the leg has to be compared as one.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from shadow.capture.reader import RunData
from shadow.diff.codes import Ends, LegDiff
from shadow.diff.leg import EVENT_CAP
from shadow.diff.matches import in_order
from shadow.verdict.union import as_one

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["Half", "joined"]


class Half(RunData):
    """A run with the rows of some connections only, or with all rows but those; marks belong to both."""

    def __init__(self, path: str | os.PathLike[str], connections: Collection[str], *, is_rest: bool) -> None:
        super().__init__(path)
        self._connections = list(connections)
        self._is_rest = is_rest

    def part(self, name: str, columns: Sequence[str], leg: str | None = None) -> pa.Table:
        """As of the run, these rows alone."""
        import pyarrow as pa
        import pyarrow.compute as pc

        if name == "marks":
            return super().part(name, columns, leg)
        place = "c" if name.startswith("events/") else "connection"
        found = super().part(name, tuple(dict.fromkeys((*columns, place))), leg)
        mine = pc.is_in(found[place], value_set=pa.array(self._connections, pa.string()))
        return found.filter(pc.invert(mine) if self._is_rest else mine).select(list(columns))


def joined(halves: Sequence[LegDiff]) -> LegDiff | None:
    """The diff of the leg, as if it had been compared as one; None where something differs in it."""
    one = as_one(halves)
    if one.differences or one.samples or not one.conserved:
        return None
    if any(total["input"] > EVENT_CAP or total["expected"] > EVENT_CAP for total in one.totals.values()):
        return None
    return msgspec.structs.replace(
        one,
        matches={role: in_order(side) for role, side in one.matches.items()},
        totals={role: {name: _sorted(value) for name, value in total.items()} for role, total in one.totals.items()},
        requests=sorted(one.requests, key=lambda row: (row["connection"], row["kind"])),
        ends={role: _ends([half.ends[role] for half in halves]) for role in halves[0].ends},
    )


def _sorted(value: Any) -> Any:
    return dict(sorted(value.items())) if isinstance(value, dict) else value


def _ends(parts: Sequence[Ends]) -> Ends:
    books = {place: is_equal for part in parts for place, is_equal in part.books.items()}
    accounts = {place: end for part in parts for place, end in part.accounts.items()}
    return Ends(dict(sorted(books.items())), accounts)
