"""The audit of a flip: what the stacks delivered around the cut against what the consumer got."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from itertools import pairwise

from infrastructure.networking.websocket.migration.event import Event, Side

__all__ = ["SPAN", "Audit", "AuditResult"]

SPAN = 100
KEPT_EVENTS = 1024


@dataclass(frozen=True, slots=True)
class AuditResult:
    """Versions in [cut - 100, cut + 100]. `given_up` were lost inside a marked gap and came too late or not at all."""

    cut: int | None
    until: int | None
    is_complete: bool
    lost: tuple[int, ...]
    duplicated: tuple[int, ...]
    reordered: int
    given_up: tuple[int, ...]

    @property
    def is_clean(self) -> bool:
        """Whether every event that a stack delivered reached the consumer once and in order, no gap marked."""
        return not (self.lost or self.duplicated or self.reordered or self.given_up)


# What is kept of an event: first, last, and the versions of its items where it is a list that may be cut.
Passed = tuple[int, int, tuple[Hashable, ...]]


def _within(passed: Passed, low: int, high: int) -> Iterable[int]:
    """An event's versions in [low, high]."""
    first, last, parts = passed
    if parts:
        return (part for part in parts if isinstance(part, int) and low <= part <= high)
    return range(max(first, low), min(last, high) + 1)


class Audit:
    """Remembers the newest events of both stacks and of the consumer, and judges around a cut."""

    def __init__(self) -> None:
        self._offered: dict[Side, deque[Passed]] = {side: deque(maxlen=KEPT_EVENTS) for side in Side}
        self._delivered: deque[tuple[Passed, bool]] = deque(maxlen=2 * KEPT_EVENTS)
        self._gaps: deque[tuple[int, int]] = deque(maxlen=KEPT_EVENTS)
        self._cut: int | None = None
        self._since: int | None = None
        self._last: int | None = None
        self._known: AuditResult | None = None

    def note_offer(self, side: Side, event: Event) -> None:
        """A stack delivered it to the arbiter, in time or not."""
        if not event.is_snapshot:
            self._offered[side].append((event.first, event.last, event.parts))

    def note_delivery(self, event: Event, *, is_straddle: bool) -> None:
        """The consumer is handed it."""
        if event.is_snapshot:
            return
        if self._since is None:
            self._since = event.first
        self._last = event.last
        self._delivered.append(((event.first, event.last, event.parts), is_straddle))

    def note_gap(self, first: int, last: int) -> None:
        """These versions were given up."""
        self._gaps.append((first, last))

    def note_cut(self, cut: int | None) -> None:
        """A flip happened behind this version."""
        self._cut, self._known = cut, None

    def start_over(self, *, is_reordered: bool) -> None:
        """Versions before this moment say nothing about those behind it.

        `is_reordered`: the exchange did not begin anew; what the consumer has by one side is above what comes now.
        """
        if is_reordered and self._cut is not None and not self.result().is_complete:
            self._known = AuditResult(self._cut, self._last, True, (), (), 1, ())
        for log in self._offered.values():
            log.clear()
        self._delivered.clear()
        self._gaps.clear()
        self._cut = self._since = self._last = None

    def result(self) -> AuditResult:
        """The verdict so far; complete when the consumer is 100 versions behind the cut."""
        if self._known is not None:
            return self._known
        if self._cut is None or self._last is None or self._since is None:
            return AuditResult(self._cut, self._last, False, (), (), 0, ())
        low, high = max(self._cut - SPAN, self._since), min(self._cut + SPAN, self._last)
        logs = ((one for one in log if one[1] >= low and one[0] <= high) for log in self._offered.values())
        offered = {version for log in logs for one in log for version in _within(one, low, high)}
        delivered = [each for each in self._delivered if each[0][1] >= low and each[0][0] <= high]
        got = Counter(version for one, _ in delivered for version in _within(one, low, high))
        straddled = {version for one, is_straddle in delivered if is_straddle for version in _within(one, low, high)}
        missing = sorted(offered - set(got))
        in_gap = {version for first, last in self._gaps for version in range(max(first, low), min(last, high) + 1)}
        return AuditResult(
            self._cut,
            self._last,
            self._last >= self._cut + SPAN,
            tuple(version for version in missing if version not in in_gap),
            tuple(sorted(version for version, count in got.items() if count > 1 and version not in straddled)),
            sum(later[0][1] <= earlier[0][1] for earlier, later in pairwise(delivered)),
            tuple(version for version in missing if version in in_gap),
        )
