"""Books of one side and one symbol against the reference at every common version.

A divergence is one STATE from where it begins (top 20 at every change, full depth every FULL_EVERY) until the books
agree again.
"""

from __future__ import annotations

from copy import copy
from typing import Any, Final

import msgspec

from shadow.diff.codes import Finding
from shadow.diff.expected import Owed
from shadow.diff.gaps import Versions, gaps, holes_before, version_of, whole_of
from shadow.diff.join import is_rebuilt
from shadow.diff.lines import Delivered
from shadow.diff.two_books import Levels, TwoBooks, levels_of
from shadow.reference.events import Book

__all__ = ["NOT_OWED", "BookState", "BookWalk"]

TOP: Final = 20
FULL_EVERY: Final = 50
HOLE_CODES: Final = frozenset({"IN_FLIGHT", "EDGE", "CONFLATED", "UNJUDGED"})
NOT_OWED: Final = frozenset({"IN_FLIGHT", "EDGE", "UNJUDGED"})


class BookState(msgspec.Struct):
    """A walk between two stretches: the books of the reference (at `version`) and of the side, where they differ, and
    whether the last updates owed were a hole that is allowed. `side` is `truth` where one book stands for both."""

    version: int | None
    truth: Levels
    side: Levels
    differing: set[tuple[str, float]]
    synced: bool
    diverged: bool
    compared: int
    in_hole: bool
    versions: Versions


class BookWalk(TwoBooks):
    """Walks one stream in line order; findings are STATE, GAP, and FIELD or PHANTOM of rebuilt books.

    `updates` are all of the venue's updates of the symbol in version order, `rests` its REST books, `has_snapshots`
    whether the side delivers whole books at all: a side that does is compared from its first one, a side that does
    not is seeded from the reference at its first update and after each hole that it is allowed. `before` is where the
    walk of an earlier stretch stood.
    """

    def __init__(
        self,
        place: tuple[str, str],
        owed: list[Owed],
        updates: list[Book],
        rests: list[Book],
        has_snapshots: bool,
        findings: list[Finding],
        before: BookState | None = None,
    ) -> None:
        self.connection, self.symbol = place
        super().__init__(updates)
        self.owed, self.rests = owed, sorted(rests, key=lambda book: book.last or 0)
        self.place_of = {id(item): i for i, item in enumerate(owed)}
        self.versions = copy(before.versions) if before is not None else Versions()
        self.holes = holes_before(owed, self.versions.last)
        self.has_snapshots = has_snapshots
        self.findings = findings
        self.synced = self.diverged = False
        self.at = -1
        self.awaited: set[int] = set()
        self.seeded = self.compared = 0
        self.frame_of: dict[int, int] = {}
        self.in_hole = False
        if before is None:
            self.start_truth()
        else:
            self.resume(before)

    def resume(self, before: BookState) -> None:
        """Go on where the walk of an earlier stretch stood."""
        self.truth.version = before.version
        self.truth.bids, self.truth.asks = dict(before.truth[0]), dict(before.truth[1])
        if before.side is before.truth:
            self.unite()
        else:
            self.side.bids, self.side.asks = dict(before.side[0]), dict(before.side[1])
        self.differing = set(before.differing)
        self.synced, self.diverged, self.compared = before.synced, before.diverged, before.compared
        self.in_hole = before.in_hole
        self.skip_old(before.version or 0)

    def state(self) -> BookState:
        """Where the walk stands, for the next stretch."""
        truth = self.truth.bids, self.truth.asks
        return BookState(
            version=self.truth.version,
            truth=truth,
            side=truth if self.side.bids is self.truth.bids else (self.side.bids, self.side.asks),
            differing=self.differing,
            synced=self.synced,
            diverged=self.diverged,
            compared=self.compared,
            in_hole=self.allowed_hole(len(self.owed)),
            versions=self.versions,
        )

    def start_truth(self) -> None:
        """Seed the reference with the newest REST book that is not ahead of the first update, else start empty."""
        first = version_of(self.owed[0]) if self.owed else 0
        base = next((rest for rest in reversed(self.rests) if (rest.last or 0) <= first), None)
        if base is not None:
            self.reset_truth(base)

    def walk(self, given: list[Delivered]) -> None:
        """Take all delivered events of the stream in line order."""
        for delivered in given:
            if delivered.owed is None:
                if is_rebuilt(delivered) and not delivered.code:
                    self.rebuilt(delivered)
                elif delivered.code == "PHANTOM" and self.synced:
                    self.put(delivered.body)
            elif delivered.code != "EDGE":
                self.update(delivered, self.place_of[id(delivered.owed)])
        resynced = [whole_of(item.t, item.body) for item in given if item.t is not None and is_rebuilt(item)]
        self.versions.resynced = resynced = [*self.versions.resynced, *resynced]
        for field, item in gaps(self.owed, self.holes, resynced, self.has_snapshots, self.versions):
            self.note("GAP", field, version_of(item), None)
        ends = (end for item in self.owed if (end := getattr(item.event, "last", None)) is not None)
        self.versions.last = max((*ends, *([] if self.versions.last is None else [self.versions.last])), default=None)

    def ends_equal(self) -> bool:
        """Whether, behind the last walk, the side's book is the reference's at the last version that it was owed."""
        last = max((version_of(item) for item in self.owed if item.code not in NOT_OWED), default=0)
        for update in self.advance(last):
            self.recheck(update)
        return self.synced and not self.differing

    def update(self, delivered: Delivered, place: int) -> None:
        """One update that was expected."""
        event: Book = delivered.owed.event
        version = event.last or 0
        if place in self.awaited or place < self.at or version < (self.truth.version or 0):
            self.awaited.discard(place)
            self.at = max(self.at, place)
            if version > (self.truth.version or 0) and self.synced:
                self.follow(delivered, version)
            else:
                self.heal(event)
            return
        hole = self.allowed_hole(place)
        self.awaited.update(i for i in range(self.at + 1, place) if self.owed[i].delivered is not None)
        self.at = place
        if event.snapshot:
            self.take_whole(delivered.body, event)
            return
        if not self.synced or hole:
            self.resync(version)
            return
        self.follow(delivered, version)

    def follow(self, delivered: Delivered, version: int) -> None:
        """Both books take the update; compare them at its version."""
        if self.is_same_step(delivered.body, version):
            self.unite()
            self.apply_until(version)
            self.compare(version)
            return
        applied = self.advance(version)
        self.put(delivered.body)
        for update in applied:
            self.recheck(update)
        self.compare(version)

    def is_same_step(self, body: dict[str, Any], version: int) -> bool:
        """Whether both books are equal and the next update alone leads to `version`, and is what `body` says."""
        at = self.next_update
        if self.differing or at >= len(self.updates):
            return False
        update = self.updates[at]
        if update.snapshot or update.last != version:
            return False
        bids, asks = update.numbers()
        return bool(body.get("bids") == bids and body.get("asks") == asks)

    def resync(self, version: int) -> None:
        """After an allowed hole: wait for the side's snapshot, or seed a side without any from the reference."""
        self.synced = False
        if self.has_snapshots:
            return
        self.advance(version)
        self.share_truth()
        self.seeded += 1

    def share_truth(self) -> None:
        """Make the side's book equal to the reference."""
        self.unite()
        self.differing.clear()
        self.awaited.clear()
        self.synced = True
        self.diverged = False

    def take_whole(self, body: dict[str, Any], event: Book) -> None:
        """The exchange's own whole book: replaces both."""
        self.advance(event.last or 0)
        self.side.seed(event.last, [], [])
        self.put(body)
        self.synced = True
        self.check_all()
        self.compare(event.last or 0)

    def rebuilt(self, delivered: Delivered) -> None:
        """A whole book that the stack rebuilt: it must be a REST book brought to its version."""
        version = delivered.body.get("last")
        if version is None:
            version = version_of(self.owed[self.at]) if self.at >= 0 else None
        if not isinstance(version, int) or not any((rest.last or 0) <= version for rest in self.rests):
            delivered.code = "PHANTOM"
            return
        wanted = levels_of(delivered.body)
        now = max(version, self.truth.version or 0)
        if any(self.fits(rest, version, wanted) for rest in reversed(self.rests) if (rest.last or 0) <= version):
            self.advance(now)
            self.share_truth()
            delivered.code = "MATCH"
            return
        delivered.code = "FIELD"
        self.note("FIELD", "levels:value" if wanted else "levels:type", version, delivered.body)
        self.side.seed(version, [], [])
        self.put(delivered.body)
        self.advance(now)
        self.synced = True
        self.check_all()

    def heal(self, event: Book) -> None:
        """An update out of order: the order is judged elsewhere, so its levels count as arrived."""
        if self.synced:
            self.part()
            bids, asks = event.numbers()
            pairs = ((self.side.bids, self.truth.bids, bids), (self.side.asks, self.truth.asks, asks))
            for side, truth, levels in pairs:
                for price, _ in levels:
                    side.pop(price, None)
                    if price in truth:
                        side[price] = truth[price]
            self.recheck(event)

    def compare(self, version: int) -> None:
        """Note a divergence that begins at this version."""
        self.compared += 1
        if not self.differing:
            self.diverged = False
        if not self.differing or self.diverged or self.awaited:
            return
        truth, side = self.truth.top(TOP), self.side.top(TOP)
        if truth == side and self.compared % FULL_EVERY:
            return
        self.diverged = True
        self.note("STATE", self.kind_of_state(), version, {"expected": truth, "delivered": side})

    def allowed_hole(self, place: int) -> bool:
        """Whether between the last update and this one lies a hole that the fault table allows."""
        known = self.truth.version or 0
        between = self.owed[self.at + 1 : place]
        if self.in_hole and self.at < 0:
            return True
        return any(self.holes[self.at + 1 : place + 1]) or any(
            item.code in HOLE_CODES and item.delivered is None and version_of(item) > known for item in between
        )

    def note(self, code: str, field: str, version: int, sample: Any) -> None:
        if not self.frame_of:
            self.frame_of = {version_of(item): item.frame_no for item in self.owed}
        self.findings.append(
            Finding(
                code, self.connection, "book", self.symbol, field, (code, self.connection, self.symbol, version),
                self.frame_of.get(version, -1), None, sample,
            )
        )  # fmt: skip
