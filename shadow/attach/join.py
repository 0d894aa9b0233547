"""Both sides of a tap joined: streams, what excuses a difference, silence, and totals that add up."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterator
from functools import partial
from statistics import median
from typing import Any, Final

from shadow.attach.book_pairs import BookPairs
from shadow.attach.links import Link
from shadow.attach.pairs import SIDES, Finding, Pairs, other
from shadow.diff.codes import TYPES
from shadow.diff.dual import WINDOW_NS
from shadow.diff.lines import Delivered, event_of
from shadow.verdict.checklist import load_checklist

__all__ = ["Join"]

Key = tuple[str, str, str]
OnPair = Callable[[Delivered, Delivered], None]
MOST_EVENTS: Final = 200_000
"""Events held over all streams; what comes beyond is counted UNJUDGED."""
SILENCE_NS: Final = 2_000_000_000
SILENT_GAPS: Final = 20
LEAST_EVENTS: Final = 5
GAPS: Final = 64


class Pace:
    """When each side of one stream last had an event, and how far apart they come."""

    def __init__(self) -> None:
        self.first: dict[str, int] = {}
        self.last: dict[str, int] = {}
        self.since = dict.fromkeys(SIDES, 0)
        """Events of the other side since this one's last."""
        self.is_stale = dict.fromkeys(SIDES, False)
        self._gaps: dict[str, deque[int]] = {side: deque(maxlen=GAPS) for side in SIDES}

    def note(self, side: str, t: int) -> None:
        """An event of a side."""
        if side in self.last:
            self._gaps[side].append(max(0, t - self.last[side]))
        self.first.setdefault(side, t)
        self.last[side] = t
        self.since[side] = 0
        self.since[other(side)] += 1
        self.is_stale[side] = False

    def patience_ns(self, side: str) -> float:
        """T for a side: 2 s, or 20 median gaps of the other one."""
        gaps = self._gaps[other(side)]
        return max(SILENCE_NS, SILENT_GAPS * median(gaps)) if gaps else SILENCE_NS


class Join:
    """Takes lines of a tap in their order. `on_pair(legacy, new)` is called for each event that both have."""

    def __init__(self, on_pair: OnPair) -> None:
        self.links: dict[str, Link] = {}
        self.errors: dict[str, Counter[tuple[str, str]]] = {side: Counter() for side in SIDES}
        """By side, how often each kind came of each connection."""
        self.unseen = 0
        self.now = 0
        self.unbegun: dict[Key, str] = {}
        """Streams with the side that had not begun them while the other one had, for which nothing else is a reason."""
        self._on_pair = on_pair
        self._streams: dict[Key, Pairs | BookPairs] = {}
        self._paces: dict[Key, Pace] = {}
        self._others = {side: Counter[str]() for side in SIDES}
        self._input = dict.fromkeys(SIDES, 0)
        self._whole_since = 0
        self._held = 0
        self._n = 0

    def take(self, line: dict[str, Any]) -> list[Finding]:
        """One line; what it shows at once."""
        kind, side = line.get("k"), line.get("by")
        self._whole_since = self._whole_since or line["t"]
        if kind == "event" and side in SIDES:
            return self._take_event(str(side), line)
        if kind == "state" and side in SIDES and line.get("c") in self.links:
            state = line.get("state")
            link, is_leaving = self.links[line["c"]], state in ("closing", "closed")
            link.note(str(side), is_up=state == "connected", t=line["t"], counts=not is_leaving)
        elif kind == "error" and side in SIDES:
            self.errors[str(side)][str(line.get("c")), str(line.get("kind"))] += 1
        elif kind == "dropped":
            self._lose(int(line["count"]), line["t"])
        elif kind == "beat":
            self._beat(line)
        return []

    def _take_event(self, side: str, line: dict[str, Any]) -> list[Finding]:
        self._n += 1
        event = event_of(self._n, line["t"], line)
        self._input[side] += 1
        if event.t is None or event.type not in TYPES or self._held >= MOST_EVENTS:
            self._others[side]["UNJUDGED"] += 1
            return []
        if event.connection not in self.links:
            self.links[event.connection] = Link(load_checklist().uptime, event.t)
        key = event.connection, event.type, event.symbol
        if key not in self._streams:
            pairs = BookPairs(self._on_pair) if event.type == "book" else Pairs(event.type, self._on_pair)
            self._streams[key], self._paces[key] = pairs, Pace()
        self._paces[key].note(side, event.t)
        self._held += 1
        return self._streams[key].take(side, event)

    def _beat(self, line: dict[str, Any]) -> None:
        self.now = line["t"]
        for name, told in line.get("sources", {}).items():
            if name not in self.links:
                self.links[name] = Link(load_checklist().uptime, self.now)
            self.links[name].look(told, self.now)
        for name in self.links.keys() - line.get("sources", {}).keys():
            self._leave(name)

    def _leave(self, connection: str) -> None:
        """Its manager has been closed."""
        del self.links[connection]
        for key in [key for key in self._streams if key[0] == connection]:
            stream = self._streams.pop(key)
            del self._paces[key]
            stream.reset("EDGE")
            for side in SIDES:
                self._others[side] += stream.codes[side]

    def _lose(self, count: int, t: int) -> None:
        """The tap could not hand out so much: whose it was nobody knows, so nothing around it is judged."""
        self.unseen += count
        self._whole_since = t
        for stream in self._streams.values():
            stream.reset("UNJUDGED")
        for pace in self._paces.values():
            if len(pace.first) < len(SIDES):
                pace.first.clear()

    def settle(self) -> list[Finding]:
        """Compare everything that is older than W, as of the last beat; what has been silent for too long."""
        found: list[Finding] = []
        for key, stream in self._streams.items():
            found += stream.expire(self.now - WINDOW_NS, partial(self._excuse, key))
            found += self._silences(key)
        self._held = sum(map(len, self._streams.values()))
        return found

    def _excuse(self, key: Key, lacking: str, t: int) -> str | None:
        """EDGE within W of where both sides began or the tap was whole again; IN_FLIGHT around a side's hole."""
        first = self._paces[key].first
        has_hole = self.links[key[0]].has_hole(lacking, t)
        if len(first) < len(SIDES):
            if t >= self._whole_since + WINDOW_NS and not has_hole:
                self.unbegun[key] = lacking
            return "EDGE"
        if t < max(*first.values(), self._whole_since) + WINDOW_NS:
            return "EDGE"
        return "IN_FLIGHT" if has_hole else None

    def _silences(self, key: Key) -> Iterator[Finding]:
        pace, link = self._paces[key], self.links[key[0]]
        for side in SIDES:
            theirs = other(side)
            begin = max(pace.last.get(side, pace.first.get(theirs, 0)), self._whole_since)
            silent_ns = pace.last.get(theirs, 0) - begin
            if pace.is_stale[side] or pace.since[side] < LEAST_EVENTS or silent_ns <= pace.patience_ns(side):
                continue
            if link.is_up(side) and not link.has_hole(side, pace.last[theirs]):
                pace.is_stale[side] = True
                says = f"{key[1]}: silent for {silent_ns / 1e9:.1f} s while {theirs} has {pace.since[side]} events"
                yield Finding("STALE", side, *key, says, self.now)

    @property
    def stale(self) -> list[tuple[Key, str]]:
        """Streams and sides that are silent still."""
        return [(key, side) for key, pace in self._paces.items() for side in SIDES if pace.is_stale[side]]

    @property
    def lonely(self) -> list[tuple[Key, str]]:
        """Streams that one side alone has had for longer than W, with the side that has not begun them."""
        alone = [(key, pace.first) for key, pace in self._paces.items() if len(pace.first) < len(SIDES)]
        return [(key, other(side)) for key, first in alone for side, t in first.items() if self.now - t > WINDOW_NS]

    def quiet_ns(self) -> int:
        """How long neither side has delivered anything, as of the last beat."""
        newest = max((t for pace in self._paces.values() for t in pace.last.values()), default=None)
        return self.now - newest if newest is not None else self.now

    def spoke(self) -> set[str]:
        """The sides that have delivered anything."""
        return {side for side in SIDES if self._input[side]}

    def totals(self) -> dict[str, dict[str, int]]:
        """By side `input`, every code, and `waiting`, which make up the input."""
        told: dict[str, dict[str, int]] = {}
        for side in SIDES:
            codes = sum((stream.codes[side] for stream in self._streams.values()), Counter[str]()) + self._others[side]
            told[side] = {"input": self._input[side], **codes, "waiting": self._input[side] - codes.total()}
        return told

    def coverage(self) -> float:
        """The share of events that were not lost to the tap or to the memory cap; 0 where there were none."""
        total = sum(self._input.values()) + self.unseen
        unjudged = sum(told.get("UNJUDGED", 0) for told in self.totals().values()) + self.unseen
        return 1 - unjudged / total if total else 0.0
