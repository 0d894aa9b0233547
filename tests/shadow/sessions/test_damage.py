"""Damage to the new subject's output, over a recorded run: each is ROLL BACK with its code, side and trigger."""

from __future__ import annotations

import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

Edit = Callable[[list[bytes]], list[bytes]]
Judge = Callable[[Edit], dict[str, Any]]
CONNECTIONS = ("gateio.spot.public", "mexc.spot.public")


def events_of(lines: list[bytes], connection: str, event_type: str) -> list[int]:
    """Indices of the paced events of one type, in the middle of the run."""
    said = f'"c":"{connection}"'.encode(), f'"type":"{event_type}"'.encode()
    found = [
        n
        for n, line in enumerate(lines)
        if line.startswith(b'{"k":"event"')
        and all(words in line for words in said)
        and (event := json.loads(line))["c"] == connection
        and event["type"] == event_type
        and not event.get("snapshot")
    ]
    return found[len(found) // 4 : len(found) // 3]


def changed(line: bytes, **fields: Any) -> bytes:
    return json.dumps({**json.loads(line), **fields}, separators=(",", ":")).encode()


def edit_one(connection: str, event_type: str, change: Callable[[dict[str, Any]], dict[str, Any] | None]) -> Edit:
    """Change the first event that the change applies to."""

    def edit(lines: list[bytes]) -> list[bytes]:
        for n in events_of(lines, connection, event_type):
            fields = change(json.loads(lines[n]))
            if fields is not None:
                return [*lines[:n], changed(lines[n], **fields), *lines[n + 1 :]]
        raise AssertionError("no event to change")

    return edit


def last_digit(value: float) -> float:
    """The same number with its last decimal moved by one."""
    exact = Decimal(repr(value))
    return float(exact + Decimal(1).scaleb(int(exact.as_tuple().exponent)))


def drop(connection: str) -> Edit:
    def edit(lines: list[bytes]) -> list[bytes]:
        n = events_of(lines, connection, "trade")[0]
        return lines[:n] + lines[n + 1 :]

    return edit


def drop_book(connection: str) -> Edit:
    def edit(lines: list[bytes]) -> list[bytes]:
        n = events_of(lines, connection, "book")[0]
        return lines[:n] + lines[n + 1 :]

    return edit


def swap(connection: str, event_type: str) -> Edit:
    def edit(lines: list[bytes]) -> list[bytes]:
        """The earlier event comes right behind the later one."""
        places = events_of(lines, connection, event_type)
        first = places[0]
        early = json.loads(lines[first])
        second, late = next(
            (n, event)
            for n in places[1:]
            if (event := json.loads(lines[n]))["symbol"] == early["symbol"] and event["ts"] != early["ts"]
        )
        moved = changed(lines[first], t=late["t"])
        return [*lines[:first], *lines[first + 1 : second + 1], moved, *lines[second + 1 :]]

    return edit


def twice(connection: str, event_type: str) -> Edit:
    def edit(lines: list[bytes]) -> list[bytes]:
        n = events_of(lines, connection, event_type)[0]
        return [*lines[: n + 1], lines[n], *lines[n + 1 :]]

    return edit


def invent(connection: str) -> Edit:
    def edit(lines: list[bytes]) -> list[bytes]:
        n = events_of(lines, connection, "trade")[0]
        ghost = changed(lines[n], id="424242424242", price=1.5, quantity=77.0)
        return [*lines[: n + 1], ghost, *lines[n + 1 :]]

    return edit


def price_changed(connection: str) -> Edit:
    return edit_one(connection, "trade", lambda e: {"price": last_digit(e["price"])})


def quantity_changed(connection: str) -> Edit:
    return edit_one(connection, "book_ticker", lambda e: {"ask_quantity": last_digit(e["ask_quantity"])})


def sides_exchanged(connection: str) -> Edit:
    return edit_one(connection, "book", lambda e: {"bids": e["asks"], "asks": e["bids"]} if e["bids"] else None)


def removals_left_out(connection: str) -> Edit:
    def change(event: dict[str, Any]) -> dict[str, Any] | None:
        kept = [level for level in event["bids"] if level[1] != 0]
        return {"bids": kept} if len(kept) < len(event["bids"]) else None

    return edit_one(connection, "book", change)


def last_off_by_one(connection: str) -> Edit:
    return edit_one(connection, "book", lambda e: {"last": e["last"] + 1})


def t_goes_back(connection: str) -> Edit:
    return edit_one(connection, "trade", lambda e: {"t": e["t"] - 3_000_000_000})


def silent(connection: str) -> Edit:
    def edit(lines: list[bytes]) -> list[bytes]:
        mine = b'"c":"' + connection.encode() + b'"'
        return [line for line in lines if not (line.startswith(b'{"k":"event"') and mine in line)]

    return edit


DAMAGES: dict[str, tuple[Callable[[str], Edit], set[str]]] = {
    "one trade dropped": (drop, {"MISSING"}),
    "one book update dropped": (drop_book, {"MISSING"}),
    "one price changed in its last digit": (price_changed, {"FIELD"}),
    "one quantity changed": (quantity_changed, {"FIELD"}),
    "two trades swapped": (lambda c: swap(c, "trade"), {"REORDER"}),
    "two book updates swapped": (lambda c: swap(c, "book"), {"REORDER"}),
    "one trade twice": (lambda c: twice(c, "trade"), {"DUP"}),
    "one book update twice": (lambda c: twice(c, "book"), {"DUP"}),
    "one invented": (invent, {"PHANTOM"}),
    "bids and asks exchanged": (sides_exchanged, {"FIELD"}),
    "removed levels left out": (removals_left_out, {"FIELD"}),
    "last off by one": (last_off_by_one, {"MISSING", "PHANTOM"}),
    "t going back": (t_goes_back, {"CLOCK"}),
    "silent after the ack": (silent, {"MISSING"}),
}
# A hole or a changed level also leaves the book wrong from there on: incidents, counted beside.
CONSEQUENCES = {"STATE", "GAP", "STALE"}


def test_the_recorded_run_is_clean(judge_damaged: Judge) -> None:
    verdict = judge_damaged(lambda lines: lines)
    assert verdict["verdict"] == "HOLD"
    assert verdict["conservation"]["ok"]
    assert [d for d in verdict["differences"] if d["code"] not in ("EDGE", "CONFLATED", "IN_FLIGHT")] == []
    untimed = {target["why"] for target in verdict["targets"] if target["source"] == "probe"}
    assert untimed == {"session shorter than 20 s"}


@pytest.mark.checklist("R.4", "S.5")
@pytest.mark.parametrize("connection", CONNECTIONS)
@pytest.mark.parametrize("damage", DAMAGES)
def test_each_damage_is_rolled_back(judge_damaged: Judge, damage: str, connection: str) -> None:
    make, codes = DAMAGES[damage]
    verdict = judge_damaged(make(connection))
    assert verdict["verdict"] == "ROLL_BACK"
    assert verdict["decided_by"] == "functionality"
    assert verdict["conservation"]["ok"]
    found = {d["code"] for d in verdict["differences"] if d["code"] not in ("EDGE", "CONFLATED", "IN_FLIGHT")}
    assert codes <= found <= codes | CONSEQUENCES
    assert {(d["side"], d["connection"]) for d in verdict["differences"] if d["code"] in codes} == {("new", connection)}
