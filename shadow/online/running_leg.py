"""One leg while it runs: each look compares what came behind the settled pieces."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from time import process_time
from typing import TYPE_CHECKING, Final

import pyarrow as pa

from shadow.diff.leg import diff_leg
from shadow.diff.part import Part
from shadow.online.accounts import Accounts
from shadow.online.quiet import under_way
from shadow.online.rest import Rest, come_late
from shadow.online.settled import Settled, differing_of

if TYPE_CHECKING:
    from shadow.diff.codes import LegDiff
    from shadow.online.grown import Batch
    from shadow.online.snapshot import Snapshot
    from shadow.verdict.legs import KnownList

__all__ = ["RunningLeg"]

FOR_EVER: Final = 2**63 - 1
LAWS_SHARE: Final = 0.05
"""Of a core, for the laws over whole accounts: they take longer the longer the account's history."""
AHEAD_NS: Final = 100_000_000
"""What comes so much later than the end of a look was hardly sent before it. Where something differs, all is read."""


class RunningLeg:
    """What is known of one leg. `compared` counts the events that all looks compared together."""

    def __init__(self, leg: str, roles: tuple[str, str], begin: int, connections: Sequence[str], keep_ns: int) -> None:
        self._leg, self._roles, self._begin = leg, roles, begin
        self._connections = connections
        self._keep_ns = keep_ns
        self.settled = Settled()
        self._part = Part()
        self._accounts = Accounts()
        self._laws_due = 0
        self._private = [name for name in connections if not name.endswith(".public")]
        self._unasked: list[str] = []
        self._is_over = False
        self.compared = 0

    @property
    def is_done(self) -> bool:
        """Whether the leg has ended and every law was asked of the whole."""
        return self._is_over and not self._unasked

    def look(
        self,
        run: Snapshot,
        new: Mapping[str, Sequence[Batch]],
        known: KnownList,
        disturbed: Collection[str],
        *,
        is_open: bool,
    ) -> LegDiff:
        """The diff of the leg so far; `new` are the rows that came since the last look, by table."""
        self._give_back(self._late(new), 0)
        diff, rest = self._compare(run, known, run.end + AHEAD_NS)
        differing = differing_of(diff)
        self._give_back(differing, run.end - self._keep_ns)
        differing |= self._give_back(self._unlawful(run.end, is_open=is_open), 0)
        if differing or not is_open:
            self._let_go()
            diff, rest = self._compare(run, known, FOR_EVER)
        whole = self.settled.with_rest(diff)
        if is_open:
            self._settle(diff, rest, run.end, disturbed)
        self._let_go()
        return whole

    def _compare(self, run: Snapshot, known: KnownList, upto: int) -> tuple[LegDiff, Rest]:
        rest = Rest(run, self.settled, self._connections, self._begin, upto)
        self._part.begun = set(self.settled.upto)
        diff = diff_leg(rest, self._leg, self._roles, known=known, part=self._part)
        self.compared += rest.rows
        return diff, rest

    def _late(self, new: Mapping[str, Sequence[Batch]]) -> set[str]:
        """Connections of which rows came only now that lie in what is settled."""
        upto = self.settled.upto
        if not upto:
            return set()
        found: set[str] = set()
        for name, batches in new.items():
            if batches and name.startswith(("sends", "events/")):
                found |= come_late(name, pa.Table.from_batches([batch.rows for batch in batches]), upto)
        return found

    def _give_back(self, connections: Iterable[str], since: int) -> set[str]:
        """Those of the connections that had something to give back."""
        found = {name for name in connections if self.settled.give_back(name, since)}
        self._accounts.drop(found)
        return found

    def _unlawful(self, now: int, *, is_open: bool) -> set[str]:
        """One connection at a time, so that no look takes long; when the leg has ended each once more."""
        if is_open and now < self._laws_due:
            return set()
        began = process_time()
        if is_open:
            self._unasked = self._unasked or list(self._private)
        elif not self._is_over:
            self._is_over, self._unasked = True, list(self._private)
        if not self._unasked:
            return set()
        name = self._unasked.pop()
        is_broken = name in self.settled.upto and self._accounts.is_broken(self._part.judged, name)
        self._laws_due = now + int((process_time() - began) / LAWS_SHARE * 1e9)
        return {name} if is_broken else set()

    def _settle(self, diff: LegDiff, rest: Rest, end: int, disturbed: Collection[str]) -> None:
        before = self.settled.upto
        self.settled.take(diff, under_way(self._part.judged.values()), end, rest.lines, disturbed)
        after = self.settled.upto
        reach = {name: (before.get(name, 0), t) for name, t in after.items() if t > before.get(name, 0)}
        self._accounts.keep(self._part.judged, reach)

    def _let_go(self) -> None:
        """Part what points at each other and is kept nowhere: nothing else would ever free it."""
        kept = self._accounts.kept()
        for side in self._part.judged.values():
            for event in side.given:
                if event.owed is not None and id(event) not in kept:
                    event.owed.delivered = event.owed = None
        self._part.judged, self._part.seen = {}, {}
