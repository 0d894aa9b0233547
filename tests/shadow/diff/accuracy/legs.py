"""Legs that may be damaged, made or recorded, and the places of their events."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import msgspec
import orjson
import pytest

from shadow.connections import CONNECTIONS
from shadow.diff import leg as leg_module
from shadow.diff.frames import Frames, FrameStore
from shadow.diff.leg import diff_streams, lines_of, table_of
from shadow.diff.part import Part
from shadow.diff.side import SideJudgement

Line = tuple[int, bytes]
Body = dict[str, Any]
ROLES = ("legacy", "new")
MS = 1_000_000
APART = 6
"""Events of one stream that stay whole between two damages."""
EDGE_EVENTS = 12


class Leg(NamedTuple):
    """One connection of a leg that both sides delivered without fault, and what was read of its frames by then."""

    connection: str
    tables: dict[str, Any]
    lines: dict[str, list[Line]]
    read: Frames = MappingProxyType({})


class Place(NamedTuple):
    """One event that may be damaged: its line's number, its frame and its place in it, and when that was sent."""

    n: int
    stream: tuple[str, str]
    ref: tuple[int, int]
    t_sent: int
    body: Body


class Judge:
    """Judges a leg and keeps what is known of each side, which the diff itself only counts.

    One leg is judged many times with other lines: frames that it read the last time are not read again.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.sides: dict[str, SideJudgement] = {}
        self.read: Frames = {}
        judge_side = leg_module.judge_side

        def keep(role: str, *words: Any, **more: Any) -> SideJudgement:
            self.sides[role] = judge_side(role, *words, **more)
            return self.sides[role]

        monkeypatch.setattr(leg_module, "judge_side", keep)

    def __call__(self, leg: Leg, **how: Any) -> Any:
        part = Part(frames=leg.read or self.read)
        diff = diff_streams(**leg.tables, lines=leg.lines, session={"schema": 1}, part=part, **how)
        self.read = {send.frame.frame_no: send.frame for side in self.sides.values() for send in side.sends}
        return diff


def made_leg(connection: str, frames: int, seed: int = 1) -> Leg:
    """A leg as the venue's persona writes it, said by both sides as the reference reads it."""
    made = list(made_frames(connection, frames, seed))
    store = FrameStore(made)
    sends, lines = [], dict[str, list[Line]](legacy=[], new=[])
    for number, row in enumerate(made):
        for gap, role in enumerate(ROLES):
            t = (1000 + 5 * number) * MS + gap * 300_000
            sends.append(
                {"frame_no": row["frame_no"], "subject": role, "conn_no": 1, "t_sent": t, "first_written": gap == 0,
                 "queued": False, "burst": -1}
            )  # fmt: skip
            lines[role] += [
                (t + MS, orjson.dumps(said(connection, event, t + MS // 2)))
                for event in store.frames[row["frame_no"]].events
            ]
    acks = [
        {"t": 1, "subject": role, "connection": connection, "conn_no": 1, "event": "subscribed", "channel": kind,
         "symbol": symbol, "code": None, "cause": "client", "detail": ""}
        for role in ROLES
        for kind in sorted({row["channel"] for row in made})
        for symbol in ("BTC_USDT", "BTCUSDT", "")
    ]  # fmt: skip
    asked = [request(role, connection, "BTC_USDT") for role in ROLES]
    tables = {"frames": made, "sends": sends, "connections": acks, "marks": [], "requests": asked}
    return Leg(connection, tables, lines, store.frames)


def made_frames(connection: str, frames: int, seed: int) -> Iterator[Body]:
    from shadow.venue.account import Account
    from shadow.venue.market import market_for
    from shadow.venue.personas.registry import PERSONAS, PRIVATE

    exchange, market, scope = connection.split(".")
    now_ms = 1_790_000_000_000
    view = market_for(exchange, market, ["BTC_USDT"], seed, now_ms)
    persona: Any = (PERSONAS | PRIVATE)[connection](view)
    account = Account(view, market, ["BTC_USDT"], seed, now_ms) if scope == "private" else None
    types = ("book", "trade", "book_ticker", "ticker")
    number = step = 0
    while number < frames:
        step += 1
        ms = now_ms + 20 * step
        made = account.step("BTC_USDT", ms) if account else [view.step(types[step % 4], "BTC_USDT", ms)]
        for event in made:
            push = persona.encode(event, persona.default_variant(event.type, "BTC_USDT"))
            number += 1
            yield {"frame_no": number, "connection": connection, "kind": "ws", "channel": push.channel,
                   "symbol": push.symbol, "first": None, "last": None, "payload": push.payload,
                   "is_text": push.is_text, "fault": ""}  # fmt: skip


def said(connection: str, event: Any, t: int) -> Body:
    """An event of the reference as a protocol line; exact numbers as decimal strings."""
    body = msgspec.to_builtins(event)
    fields = {name: value for name, value in body.items() if name not in ("nearest", "times")}
    return {"k": "event", "c": connection, "t": t, "type": event.type, "symbol": event.symbol or None} | fields


def request(role: str, connection: str, symbol: str) -> Body:
    frame = {"channel": "spot.trades", "event": "subscribe", "payload": [symbol]}
    return {"subject": role, "connection": connection, "kind": "ws", "payload": orjson.dumps(frame)}


class Plain(NamedTuple):
    """A leg before it is damaged: what may be on each side, and how each side was judged."""

    places: dict[str, list[Place]]
    sides: dict[str, SideJudgement]


def plain_of(judge: Judge, leg: Leg) -> Plain:
    """What may be damaged: events that matched, apart from the ends of their streams."""
    diff = judge(leg)
    assert [one for one in diff.differences if one.severity != "info"] == []
    found: dict[str, list[Place]] = {}
    for role in ROLES:
        matched = [
            Place(event.n, (event.type, event.symbol), event.owed.ref, event.owed.t_sent, event.body)
            for event in judge.sides[role].given
            if event.code == "MATCH" and event.owed is not None
        ]
        found[role] = [place for stream in by_stream(matched) for place in stream[EDGE_EVENTS:-EDGE_EVENTS]]
    return Plain(found, dict(judge.sides))


def by_stream(mine: list[Place]) -> list[list[Place]]:
    found: dict[tuple[str, str], list[Place]] = {}
    for place in mine:
        found.setdefault(place.stream, []).append(place)
    return list(found.values())


def spaced(mine: list[Place], chance: random.Random) -> Iterator[tuple[Place, Place]]:
    """Places with their next neighbours, at least APART events of the stream from each other."""
    for stream in by_stream(mine):
        at = chance.randrange(APART)
        while at + 1 < len(stream):
            yield stream[at], stream[at + 1]
            at += APART + chance.randrange(APART)


def record_run(folder: Path) -> Path:
    """Both stacks on all six connections for ten seconds, nothing done to them."""
    from shadow.drill.plan import DrillSession, config_of
    from shadow.leg_run import Listener
    from shadow.session import run_session

    config = config_of(DrillSession("plain", 10.0, (), CONNECTIONS), 1)
    config.validate()
    assert run_session(config, folder, Listener()) is None
    return folder


def recorded_leg(run: Path, connection: str) -> Leg:
    """One connection of a run's main leg."""
    from shadow.drill.view import RunView

    view = RunView(run, connection)
    names = ("frames", "sends", "connections", "marks", "requests")
    tables = {name: table_of(view, name, "main", whole=True) for name in names}
    return Leg(connection, tables, {role: lines_of(view, "main", role) for role in ROLES})
