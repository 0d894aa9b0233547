"""Books of two sides as they come: each version covered by both within W, equal updates, equal levels.

What is newer than W is kept and compared once, when it is old enough; some seconds behind that are kept so that what
the other side had earlier is still known.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable

from shadow.attach.pairs import BOTH, LEGACY, NEW, SIDES, Excuse, Finding, disagreement, other
from shadow.diff.dual import WINDOW_NS
from shadow.diff.dual_books import Coverage, state_incidents
from shadow.diff.lines import Delivered

__all__ = ["BookPairs"]

KEEP_NS = 2 * WINDOW_NS
Version = tuple[object, object]
"""First and last version of an update."""


class BookPairs:
    """One book stream."""

    type = "book"

    def __init__(self, on_pair: Callable[[Delivered, Delivered], None]) -> None:
        self.codes: dict[str, Counter[str]] = {side: Counter() for side in SIDES}
        self._on_pair = on_pair
        self._kept: dict[str, deque[Delivered]] = {side: deque() for side in SIDES}
        self._by_version: dict[str, dict[Version, tuple[int, Delivered]]] = {side: {} for side in SIDES}
        """How often a side has had an update, and the newest time of it."""
        self._copies: dict[str, dict[int, int]] = {side: {} for side in SIDES}
        """Of updates that a side has had before: the how manieth each is, by its line."""
        self._last: dict[str, int] = {}
        self._judged = 0

    def __len__(self) -> int:
        """What is held."""
        return sum(map(len, self._kept.values()))

    def take(self, side: str, event: Delivered) -> list[Finding]:
        """A side delivered an update or a whole book; what it shows at once."""
        body = event.body
        if not isinstance(body.get("last"), int):
            self.codes[side]["UNJUDGED"] += 1
            return []
        self._kept[side].append(event)
        if body.get("snapshot") is True:
            self._last[side] = body["last"]
            return []
        count = self._count(side, event)
        found: list[Finding] = []
        if count == 1 and body["last"] < self._last.get(side, body["last"]):
            found.append(_finding("REORDER", side, event, "its version is older than the one before"))
        self._last[side] = max(body["last"], self._last.get(side, 0))
        theirs, counterpart = self._by_version[other(side)].get(_version(event), (0, None))
        return found if counterpart is None or theirs < count else found + self._compare(side, event, counterpart)

    def _count(self, side: str, event: Delivered) -> int:
        """How often the side has had this update by now."""
        count = self._by_version[side].get(_version(event), (0, event))[0] + 1
        self._by_version[side][_version(event)] = count, event
        if count > 1:
            self._copies[side][event.n] = count
        return count

    def _compare(self, side: str, event: Delivered, counterpart: Delivered) -> list[Finding]:
        by_side = {side: event, other(side): counterpart}
        self._on_pair(by_side[LEGACY], by_side[NEW])
        differs = disagreement(by_side[LEGACY], by_side[NEW])
        return [_finding("FIELD", BOTH, event, f"legacy and new have other {differs}")] if differs else []

    def expire(self, until: int, excuse: Excuse) -> list[Finding]:
        """Compare what came until then."""
        found: list[Finding] = []
        coverage = {side: Coverage(list(kept)) for side, kept in self._kept.items()}
        for side in SIDES:
            for event in self._kept[side]:
                if self._judged < (event.t or 0) <= until:
                    found += self._judge(side, event, coverage[other(side)], excuse)
        times, _ = state_incidents(list(self._kept[NEW]), list(self._kept[LEGACY]), (self._judged + 1, until))
        for t in times:
            if excuse(NEW, t) is None and excuse(LEGACY, t) is None:
                found.append(_finding("STATE", BOTH, self._kept[NEW][-1], "the books differ at a common version", t))
        self._judged = max(self._judged, until)
        self._prune(until - KEEP_NS)
        return found

    def _judge(self, side: str, event: Delivered, theirs: Coverage, excuse: Excuse) -> list[Finding]:
        t, lacking = event.t or 0, other(side)
        reached = theirs.covered_at(event.body["last"])
        copy = self._copies[side].pop(event.n, 1)
        if copy > max(1, self._by_version[lacking].get(_version(event), (0, event))[0]):
            code = excuse(lacking, t) or "DUP"
            self.codes[side][code] += 1
            return [_finding(code, side, event, "delivered twice")] if code == "DUP" else []
        if reached is not None and reached - t <= WINDOW_NS:
            code = "MATCH"
        elif event.body.get("snapshot") is True:
            code = "CONFLATED"
        else:
            code = excuse(lacking, t) or ("MISSING" if reached is None else "LATE")
        self.codes[side][code] += 1
        return [_finding(code, lacking, event, f"{side} has it")] if code == "MISSING" else []

    def _prune(self, until: int) -> None:
        for side, kept in self._kept.items():
            while kept and (kept[0].t or 0) <= until:
                event = kept.popleft()
                if self._by_version[side].get(_version(event), (0, None))[1] is event:
                    del self._by_version[side][_version(event)]

    def reset(self, code: str) -> None:
        """What was not compared yet ends under this code."""
        for side, kept in self._kept.items():
            self.codes[side][code] += sum((event.t or 0) > self._judged for event in kept)
            kept.clear()
            self._by_version[side].clear()
            self._copies[side].clear()
        self._last.clear()


def _version(event: Delivered) -> Version:
    return event.body.get("first"), event.body["last"]


def _finding(code: str, side: str, event: Delivered, says: str, t: int | None = None) -> Finding:
    body = event.body
    text = f"book {body.get('first')} to {body['last']}: {says}"
    return Finding(code, side, event.connection, "book", event.symbol, text, (event.t or 0) if t is None else t)
