"""Laws that an account keeps, as checks on what was said of it: fills make up orders, fills make up positions.

Each check needs no more than the events themselves. Events of different channels may come in any order, so orders are
compared with their fills at the end, and positions by exchange time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from itertools import pairwise
from typing import Any, Final, NamedTuple

__all__ = ["Broken", "Told", "broken_laws", "exact"]

TINY: Final = Decimal("1e-12")
"""Sums of float64 values may be off by this share of what was added up."""
ZERO: Final = Decimal(0)
Stream = tuple[str, str]
"""Connection and symbol."""


class Told(NamedTuple):
    """One account event as somebody told it: `read` gives a field by name, `source` is where it came from."""

    connection: str
    type: str
    symbol: str
    read: Callable[[str], Any]
    source: Any


class Broken(NamedTuple):
    """One law broken: `type` and `what` name it, `key` the order, asset or contract; between two exchange times, ms."""

    connection: str
    type: str
    symbol: str
    key: str
    what: str
    source: Any
    since: int = 0
    until: int = 1


class OwnFill(NamedTuple):
    """A fill as the laws see it; `size` is signed."""

    order: str
    size: Decimal
    ts: int | None
    told: Told


def exact(value: Any) -> Decimal | None:
    """A number as it was written, None for what is none."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str, Decimal)):
        return None
    return read_number(str(value))


@lru_cache(1 << 16)
def read_number(text: str) -> Decimal | None:
    """As `exact`; each number is told by the venue and by two sides, and looked at by several laws."""
    try:
        number = Decimal(text)
    except InvalidOperation:
        return None
    return number if number.is_finite() and abs(number.adjusted()) < 100 else None


def broken_laws(told: Iterable[Told]) -> list[Broken]:
    """Every law that these events break, in the order of the events' channels."""
    by_type: dict[str, list[Told]] = {}
    for item in told:
        by_type.setdefault(item.type, []).append(item)
    fills = own_fills(by_type.get("fill", []))
    return [
        *below_zero(by_type.get("balance", [])),
        *against_orders(fills, by_type.get("order", [])),
        *against_positions(fills, by_type.get("position", [])),
    ]


def own_fills(told: Iterable[Told]) -> list[OwnFill]:
    """The fills that can be read, each once."""
    found: dict[tuple[str, str, str], OwnFill] = {}
    for item in told:
        quantity, side, ts = exact(item.read("quantity")), item.read("side"), item.read("ts")
        if quantity is None or side not in ("buy", "sell"):
            continue
        key = item.connection, str(item.read("id")), str(item.read("order_id"))
        size = quantity if side == "buy" else -quantity
        found.setdefault(key, OwnFill(key[2], size, ts if isinstance(ts, int) else None, item))
    return list(found.values())


def below_zero(balances: Iterable[Told]) -> Iterator[Broken]:
    """Balances with less than nothing free or locked."""
    for item in balances:
        for name in ("free", "locked"):
            amount = exact(item.read(name))
            if amount is not None and amount < 0:
                asset = str(item.read("asset")).upper()
                yield Broken(item.connection, "balance", "", asset, f"{name} below zero", item.source)


def against_orders(fills: Iterable[OwnFill], orders: Iterable[Told]) -> Iterator[Broken]:
    """Orders whose fills do not add up to what their last update says is filled."""
    last = {(item.connection, str(item.read("id"))): item for item in orders}
    sums: dict[tuple[str, str], Decimal] = {}
    for fill in fills:
        place = fill.told.connection, fill.order
        sums[place] = sums.get(place, ZERO) + abs(fill.size)
    for place, order in last.items():
        filled, total = exact(order.read("filled")), sums.get(place, ZERO)
        if filled is None or abs(total - filled) <= TINY * max(total, filled):
            continue
        what = "fills above filled" if total > filled else "fills below filled"
        yield Broken(order.connection, "fill", order.symbol, place[1], what, order.source)


def against_positions(fills: Iterable[OwnFill], positions: Iterable[Told]) -> Iterator[Broken]:
    """Positions that did not change by the fills since the one before; contracts in hedge mode are left out."""
    moves: dict[Stream, list[OwnFill]] = {}
    for fill in fills:
        moves.setdefault((fill.told.connection, fill.told.symbol), []).append(fill)
    held: dict[Stream, dict[int, Told]] = {}
    hedged: set[Stream] = set()
    for item in positions:
        stream, ts = (item.connection, item.symbol), item.read("ts")
        if item.read("mode") in ("long", "short"):
            hedged.add(stream)
        elif isinstance(ts, int) and exact(item.read("size")) is not None:
            held.setdefault(stream, {})[ts] = item
    for stream, by_time in held.items():
        if stream not in hedged:
            yield from unexplained(stream, by_time, moves.get(stream, []))


def unexplained(stream: Stream, by_time: dict[int, Told], fills: list[OwnFill]) -> Iterator[Broken]:
    """Steps from one position to the next that the fills between them do not explain."""
    timed = sorted(((fill.ts, fill.size) for fill in fills if fill.ts is not None), key=lambda fill: fill[0])
    at = 0
    for since, until in pairwise(sorted(by_time)):
        total = scale = ZERO
        while at < len(timed) and timed[at][0] <= until:
            if timed[at][0] > since:
                total += timed[at][1]
                scale += abs(timed[at][1])
            at += 1
        before, after = (exact(by_time[ts].read("size")) or ZERO for ts in (since, until))
        if abs(before + total - after) > TINY * (scale + abs(before)):
            what = "size is not the sum of fills"
            yield Broken(stream[0], "position", stream[1], stream[1], what, by_time[until].source, since, until)
