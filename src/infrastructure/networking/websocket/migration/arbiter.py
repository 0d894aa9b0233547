"""Which event of two stacks reaches the consumer next: one stream with versions, no input or output of its own.

Both sides put what they deliver into rings; the consumer's events are taken out one at a time. What the serving side
lacks is replayed from the other side's ring. A flip changes who serves behind the last version handed out (the cut),
and bumps the epoch: whoever still holds the old one can neither take nor finish anything.
"""

from __future__ import annotations

from dataclasses import dataclass

from infrastructure.networking.websocket.migration.audit import SPAN, Audit, AuditResult
from infrastructure.networking.websocket.migration.event import Event, Limits, Side
from infrastructure.networking.websocket.migration.move import Mover
from infrastructure.networking.websocket.migration.version_ring import Ring

__all__ = ["Arbiter", "Counts"]

FAR_VERSIONS = 100_000
FAR_TIMES = 10
"""Versions of new are wrong that legacy would not reach in ten times what a count that began anew is waited for."""


@dataclass(slots=True)
class Counts:
    """What an arbiter did besides handing on; `healed`: gaps behind which a book came that the standby had rebuilt."""

    replayed: int = 0
    straddles: int = 0
    gaps: int = 0
    stale: int = 0
    resets: int = 0
    ring_dropped: int = 0
    snapshots_skipped: int = 0
    healed: int = 0


class Arbiter(Mover):
    """One stream with versions. `is_contiguous`: each event begins where the one before ended (books).

    `fills`: a hole of the serving side is filled from the other one; off in stage shadow, where the consumer gets what
    legacy alone would give, but for the versions behind a cut that its audit looks at. A hole that both sides have is a
    marked gap: the book is torn until one side has rebuilt it, and the standby's is taken where it fits. Times are
    seconds of one monotonic clock, given by the caller.
    """

    def __init__(self, serving: Side, *, is_contiguous: bool, limits: Limits | None = None) -> None:
        super().__init__(serving, limits or Limits())
        self.is_contiguous = is_contiguous
        self.counts = Counts()
        self._audit = Audit()
        self._rings = {side: Ring() for side in Side}
        self._highest: dict[Side, int | None] = dict.fromkeys(Side)
        self._has_break = dict.fromkeys(Side, False)
        self._stale_since: float | None = None
        # When and at which version each side began to deliver nothing but old ones.
        self._old: dict[Side, tuple[float, int]] = {}
        self._fills_to: int | None = None
        self._is_torn = False
        self._rebuilt: Event | None = None

    # What the stacks say

    def set_connected(self, side: Side, is_connected: bool) -> None:
        """A side's connection came or went; behind a new one there may be a hole."""
        if is_connected and not self.is_connected[side]:
            self._has_break[side] = True
        self._old.pop(side, None)
        super().set_connected(side, is_connected)

    def offer(self, side: Side, event: Event, now: float) -> None:
        """A side delivered an event, in its own order."""
        if self._is_filling or side is self.serving:
            self._audit.note_offer(side, event)
        event.side = side
        event.is_behind_break, self._has_break[side] = self._has_break[side], False
        self._highest[side] = max(event.last, self._highest[side] or event.last)
        if event.is_snapshot and side is not self.serving:
            # It may come before the serving side's own hole is given up.
            self._rebuilt = event
            self.counts.snapshots_skipped += 1
            return
        if self._is_stale(event):
            self._on_stale(side, event.last, now)
            if self._is_stale(event):
                return
        elif self._old:
            self._on_fresh(side)
        ring = self._rings[side]
        ring.append(event)
        if side is not self.serving:
            self._cap(ring)

    def _is_stale(self, event: Event) -> bool:
        if self.delivered is None:
            return False
        return event.last < self.delivered or (event.last == self.delivered and not event.is_snapshot)

    def _on_fresh(self, side: Side) -> None:
        self._old.pop(side, None)
        if side is self.serving:
            self._stale_since = None

    def _on_stale(self, side: Side, version: int, now: float) -> None:
        """Old versions alone, from the serving side and for long: the exchange began to count anew."""
        self.counts.stale += 1
        self._old.setdefault(side, (now, version))
        if side is not self.serving:
            return
        if self._stale_since is None:
            self._stale_since = now
        if now - self._stale_since >= self.limits.reset_after_s or self._is_out_of_reach(version, now):
            self._start_over()

    def _is_out_of_reach(self, version: int, now: float) -> bool:
        """Whether new's versions alone put the consumer where legacy, at the pace it has, will not come for long."""
        old, highest = self._old.get(Side.LEGACY), self._highest[Side.LEGACY]
        if old is None or highest is None or self.delivered is None:
            return False
        since, first = old
        lead, way = self.delivered - max(version, highest), highest - first
        is_far = lead * (now - since) > FAR_TIMES * way * self.limits.reset_after_s
        return way > 0 and lead >= FAR_VERSIONS and is_far

    def _start_over(self) -> None:
        self.counts.resets += 1
        highest = self._highest[Side.LEGACY]
        is_news_alone = highest is not None and self.delivered is not None and highest < self.delivered
        self._audit.start_over(is_reordered=is_news_alone)
        self.delivered = self._stale_since = self.wait_until = self._fills_to = None
        self._is_torn, self._rebuilt = False, None
        self._highest = dict.fromkeys(Side)
        self._old.clear()
        for ring in self._rings.values():
            ring.clear()

    def _cap(self, ring: Ring) -> None:
        while ring.size > self.limits.ring_bytes and len(ring) > 1:
            ring.pop()
            self.counts.ring_dropped += 1

    # What the consumer gets

    @property
    def _is_filling(self) -> bool:
        return self.fills or (
            self._fills_to is not None and self.delivered is not None and self.delivered < self._fills_to
        )

    @property
    def backlog(self) -> int:
        """How many events of the serving side wait for the consumer."""
        return len(self._rings[self.serving])

    @property
    def is_settled(self) -> bool:
        """Whether the serving side's next event would go out at once and alone."""
        if self.is_in_flight or self._move or self._is_filling or self._rings[self.serving]:
            return False
        # What the other side gave the consumer may still come from this one, to be dropped.
        highest = self._highest[self.serving]
        return self.delivered is None or (highest is not None and highest >= self.delivered)

    @property
    def is_starved(self) -> bool:
        """Whether the consumer lacks something that the other side has, and the serving one has nothing to give."""
        if self.is_in_flight or self._rings[self.serving]:
            return False
        other = self._rings[self.serving.other]
        if self.delivered is not None:
            other.prune(self.delivered)
        return bool(other)

    def _choose(self, now: float) -> Event | None:
        mine, other = self._rings[self.serving], self._rings[self.serving.other]
        if self.delivered is None:
            return self._hand_out(mine) if mine else None
        mine.prune(self.delivered)
        other.prune(self.delivered)
        head, spare = mine.head, other.head
        if not self._is_filling:
            return self._hand_out(mine) if mine else None
        if self._is_torn and self._rebuilt is not None and self._rebuilt.last == self.delivered:
            return self._heal(self._rebuilt)
        if head is None:
            return None
        if spare is not None and not spare.is_snapshot and self._start(spare) < self._start(head):
            self.counts.replayed += 1
            return self._hand_out(other)
        if self._is_behind_hole(head):
            if not self._is_answered(head) and self._may_wait(now):
                return None
            self._give_up(head)
        elif self._is_straddling(head):
            if self._shares_boundary(mine, other):
                return self._hand_out(other)
            if self._may_wait(now):
                return None
        return self._hand_out(mine)

    def _heal(self, rebuilt: Event) -> Event:
        self._is_torn, self._rebuilt = False, None
        self.counts.healed += 1
        return rebuilt

    def _start(self, event: Event) -> int:
        """The first version above the last delivered one that an event holds; of a rebuilt book, the one behind it."""
        delivered = self.delivered
        assert delivered is not None
        if event.is_snapshot:
            return event.last + 1
        if event.parts:
            return min(part for part in event.parts if isinstance(part, int) and part > delivered)
        return max(event.first, delivered + 1)

    def _is_behind_hole(self, head: Event) -> bool:
        if head.is_snapshot:
            return False
        assert self.delivered is not None
        if self.is_contiguous:
            return head.first > self.delivered + 1
        return head.is_behind_break and head.first > self.delivered

    def _is_answered(self, head: Event) -> bool:
        """Whether the other side is past the hole, so that what it has of it was replayed."""
        highest = self._highest[self.serving.other]
        return highest is not None and highest >= (head.first - 1 if self.is_contiguous else head.first)

    def _is_straddling(self, head: Event) -> bool:
        assert self.delivered is not None
        return not head.is_snapshot and not head.parts and head.first <= self.delivered

    def _shares_boundary(self, mine: Ring, other: Ring) -> bool:
        spare = other.head
        assert self.delivered is not None
        return spare is not None and spare.first == self.delivered + 1 and bool(mine.ends() & other.ends())

    def _may_wait(self, now: float) -> bool:
        if not self.is_connected[self.serving.other]:
            return False
        if self.wait_until is None:
            self.wait_until = now + self.limits.hole_wait_s
        return now < self.wait_until

    def _give_up(self, head: Event) -> None:
        assert self.delivered is not None
        if self.is_contiguous or not self._is_answered(head):
            self._audit.note_gap(self.delivered + 1, head.first - 1)
            self.counts.gaps += 1
            self._is_torn = self.is_contiguous

    def _hand_out(self, ring: Ring) -> Event:
        event = ring.pop()
        is_straddle = False
        self._is_torn = self._is_torn and not event.is_snapshot
        if self.delivered is not None:
            if event.parts and event.first <= self.delivered:
                event = event.keep(event.versions_above(self.delivered))
            elif self._is_straddling(event):
                is_straddle = True
                self.counts.straddles += 1
        self._audit.note_delivery(event, is_straddle=is_straddle)
        self.delivered = event.last if self.delivered is None else max(event.last, self.delivered)
        self.wait_until = None
        return event

    # Flips

    def _unready(self, to: Side) -> str | None:
        highest = self._highest[to]
        if self.delivered is not None and (highest is None or highest < self.delivered):
            return f"{to.value} is at version {highest}, the consumer at {self.delivered}"
        return None

    def _on_cut(self) -> None:
        self.wait_until = self._stale_since = None
        self._fills_to = None if self.delivered is None else self.delivered + SPAN
        self._audit.note_cut(self.delivered)

    @property
    def gaps(self) -> int:
        """How many holes were given up."""
        return self.counts.gaps

    def audit(self) -> AuditResult:
        """The audit of the last flip."""
        return self._audit.result()
