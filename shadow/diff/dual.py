"""Sides that had connections of their own, compared by what each delivered: coverage within W, and a floor.

None of the sides is the truth here. What one lacks may be its stack's fault or its connection's, so every class is
counted for the candidate, the baseline and a second baseline; only a rate above theirs speaks against the candidate.
Counts are incidents: all that a side lacks on a connection within W of each other is one, however many events it is.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from shadow.diff.canonical import number_key
from shadow.diff.codes import PRIVATE_TYPES, Dual, Rate
from shadow.diff.dual_books import Coverage, holes_of_all, state_incidents
from shadow.diff.lines import Delivered

__all__ = ["WINDOW_NS", "compare_sides"]

WINDOW_NS: Final = 2_000_000_000
Stream = tuple[str, str, str]
Sides = Mapping[str, Sequence[Delivered]]

IDENTITY: Final[dict[str, tuple[tuple[str, ...], ...]]] = {
    "trade": (("id",), ("ts", "price", "quantity", "side"), ("price", "quantity", "side")),
    "order": (("id", "status", "filled"),),
    "fill": (("id", "order_id"),),
    "balance": (("asset", "free", "ts"), ("asset", "free")),
    "position": (("size", "entry_price", "mode", "ts"), ("size", "entry_price")),
    "book_ticker": (("seq",), ("ts", "bid", "bid_quantity", "ask", "ask_quantity"), ("bid", "ask")),
    "ticker": (("ts", "last", "base_volume"), ("last", "base_volume"), ("last",)),
}
"""Per type, best first, the fields that name an event; the first set that every side has throughout is taken."""
IDS: Final = frozenset({"id", "order_id", "seq"})
VALUES: Final[dict[str, tuple[str, ...]]] = {
    "book_ticker": ("bid", "bid_quantity", "ask", "ask_quantity"),
    "trade": ("price", "quantity", "side"),
}
"""Per type the fields that have to be equal where the identity is."""


class _Lacks:
    """When each side lacked something, by (code, connection)."""

    def __init__(self, roles: Sequence[str]) -> None:
        self.roles = roles
        self.times: dict[tuple[str, str], dict[str, list[int]]] = defaultdict(lambda: {role: [] for role in roles})

    def add(self, code: str, connection: str, role: str, t: int) -> None:
        self.times[code, connection][role].append(t)

    def rates(self, window_ns: int) -> list[Rate]:
        out = []
        for (code, connection), by_role in sorted(self.times.items()):
            counts = [incidents(by_role[role], window_ns) for role in self.roles]
            events = [len(by_role[role]) for role in self.roles]
            out.append(Rate(code, connection, (counts[0], counts[1], counts[2]), (events[0], events[1], events[2])))
        return out


def compare_sides(sides: Sides, end: int, window_ns: int = WINDOW_NS) -> Dual:
    """Compare the events of three sides, given as baseline, candidate and second baseline; times in ns.

    `end` is when the feed was stopped for all. A stream is judged from when the last of the sides that have it at all
    has had its first event, until `window_ns` before the end.
    """
    baseline, candidate, third = sides
    roles = (candidate, baseline, third)
    lacks = _Lacks(roles)
    compared: Counter[str] = Counter()
    shared: Counter[str] = Counter()
    versions: Counter[str] = Counter()
    for stream, by_role in _streams(sides).items():
        connection, event_type, _ = stream
        begin = max(given[0].t or 0 for given in by_role.values() if given)
        span = begin, end - window_ns
        if event_type == "book":
            n, holes = _cover(connection, by_role, span, window_ns, lacks)
            shared[connection] += holes
            versions[connection] += _states(connection, by_role, roles, span, lacks)
        elif event_type in IDENTITY:
            n = _match(stream, by_role, span, window_ns, lacks)
        else:
            continue
        compared[connection] += n
    return Dual(roles, lacks.rates(window_ns), dict(compared), {k: n for k, n in shared.items() if n}, dict(versions))


def incidents(times: Iterable[int], window_ns: int) -> int:
    """How many groups the times make, two of one group less than `window_ns` apart."""
    found, last = 0, None
    for t in sorted(times):
        found += last is None or t - last >= window_ns
        last = t
    return found


def _streams(sides: Sides) -> dict[Stream, dict[str, list[Delivered]]]:
    """Events by stream and side, in the order of their times; those without a time are left out."""
    found: dict[Stream, dict[str, list[Delivered]]] = {}
    for role, events in sides.items():
        for event in events:
            if event.t is not None:
                stream = event.connection, event.type, event.symbol
                found.setdefault(stream, {name: [] for name in sides})[role].append(event)
    for by_role in found.values():
        for given in by_role.values():
            given.sort(key=lambda event: event.t or 0)
    return found


def _cover(
    connection: str, by_role: Mapping[str, list[Delivered]], span: tuple[int, int], window_ns: int, lacks: _Lacks
) -> tuple[int, int]:
    """Each version that some side delivered is covered by the others within the window; (versions, shared holes)."""
    coverage = {role: Coverage(given) for role, given in by_role.items()}
    first: dict[int, int] = {}
    for one in coverage.values():
        for version, t in one.updates():
            first[version] = min(t, first.get(version, t))
    wanted = {version: t for version, t in first.items() if span[0] <= t <= span[1]}
    for role, one in coverage.items():
        for version, t in wanted.items():
            reached = one.covered_at(version)
            if reached is None:
                lacks.add("MISSING", connection, role, t)
            elif reached - t > window_ns:
                lacks.add("LATE", connection, role, t)
    return len(wanted), holes_of_all(list(coverage.values()), span)


def _states(
    connection: str, by_role: Mapping[str, list[Delivered]], roles: Sequence[str], span: tuple[int, int], lacks: _Lacks
) -> int:
    """Books of candidate and of the third leg against the baseline's at common versions; how many versions."""
    candidate, baseline, third = roles
    compared = 0
    for role in (candidate, third):
        times, n = state_incidents(by_role[role], by_role[baseline], span)
        compared += n if role == candidate else 0
        for t in times:
            lacks.add("STATE", connection, role, t)
    return compared


def _match(
    stream: Stream, by_role: Mapping[str, list[Delivered]], span: tuple[int, int], window_ns: int, lacks: _Lacks
) -> int:
    """Events with an identity of their own: each side has each of them (or, of last values, it or a later one)."""
    connection, event_type, _ = stream
    names = _identity(event_type, by_role)
    had = {role: _keyed(given, names) for role, given in by_role.items()}
    first: dict[Any, int] = {}
    for keys in had.values():
        for key, event in keys.items():
            first[key] = min(event.t or 0, first.get(key, event.t or 0))
    wanted = [(key, t) for key, t in sorted(first.items(), key=lambda item: item[1]) if span[0] <= t <= span[1]]
    is_exact = event_type == "trade" or event_type in PRIVATE_TYPES
    rank = {key: n for n, key in enumerate(sorted(first, key=lambda key: first[key]))}
    for role, keys in had.items():
        reach = None if is_exact else _Reach([(rank[key], event.t or 0) for key, event in keys.items()])
        for key, t in wanted:
            reached = (keys[key].t if key in keys else None) if reach is None else reach.at(rank[key])
            if reached is None:
                lacks.add("MISSING", connection, role, t)
            elif reached - t > window_ns:
                lacks.add("LATE", connection, role, t)
    _values(connection, event_type, had, wanted, lacks)
    return len(wanted)


def _values(
    connection: str,
    event_type: str,
    had: Mapping[str, Mapping[Any, Delivered]],
    wanted: Iterable[tuple[Any, int]],
    lacks: _Lacks,
) -> None:
    """FIELD of the side that stands alone with its values of an event that all three have; of all, where none agree."""
    names = VALUES.get(event_type, ())
    for key, t in wanted if names else ():
        found = {role: values(keys[key], names) for role, keys in had.items() if key in keys}
        if len(found) < len(had) or len(set(found.values())) == 1:
            continue
        counts = Counter(found.values())
        for role, value in found.items():
            if counts[value] == 1:
                lacks.add("FIELD", connection, role, t)


class _Reach:
    """When a side first had a last value of a rank or of a later one."""

    def __init__(self, ranks: Iterable[tuple[int, int]]) -> None:
        ordered = sorted(ranks)
        self._ranks = [rank for rank, _ in ordered]
        self._times = [t for _, t in ordered]
        for i in range(len(self._times) - 2, -1, -1):
            self._times[i] = min(self._times[i], self._times[i + 1])

    def at(self, rank: int) -> int | None:
        place = bisect_left(self._ranks, rank)
        return self._times[place] if place < len(self._times) else None


def _identity(event_type: str, by_role: Mapping[str, list[Delivered]]) -> tuple[str, ...]:
    *better, last = IDENTITY[event_type]
    for names in better:
        if all(event.body.get(name) is not None for given in by_role.values() for event in given for name in names):
            return names
    return last


def _keyed(given: Iterable[Delivered], names: tuple[str, ...]) -> dict[Any, Delivered]:
    """Events by identity and, among equals, by how many of them came before."""
    seen: Counter[Any] = Counter()
    found: dict[Any, Delivered] = {}
    for event in given:
        key = values(event, names)
        found[key, seen[key]] = event
        seen[key] += 1
    return found


def values(event: Delivered, names: Iterable[str]) -> tuple[Any, ...]:
    """Fields as comparable values: ids and versions digit by digit, all else that is a number by value."""
    return tuple((id_key if name in IDS else number_key)(event.body.get(name)) for name in names)


def id_key(value: Any) -> str:
    """An id as text, whichever way it came: a float64 does not tell two long ones apart."""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
