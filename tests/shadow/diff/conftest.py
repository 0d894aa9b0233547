"""A small recorded leg, made by hand: frames, sends and the lines of two faultless stacks, ready to be damaged."""

from __future__ import annotations

import json
import pickle
import random
from collections.abc import Callable
from copy import copy, deepcopy
from typing import Any

import pytest

from exchanges.integrations.mexc.proto.push_pb2 import PushDataV3ApiWrapper
from shadow.diff.codes import LegDiff
from shadow.diff.frames import Frames
from shadow.diff.leg import diff_streams
from shadow.diff.part import Part
from tests.shadow.diff.written import Written

MS = 1_000_000
START = 1_000_000_000_000
GATEIO, MEXC = "gateio.spot.public", "mexc.spot.public"
EPOCH_MS = 1_790_000_000_000


class Market:
    """One symbol's book, trades and tickers as plain texts."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.version = 1000
        self.trade = 500
        self.bids = {f"{100 - i * 0.01:.2f}": "1.5" for i in range(30)}
        self.asks = {f"{100.01 + i * 0.01:.2f}": "2.5" for i in range(30)}

    def update(self) -> tuple[int, int, list[list[str]], list[list[str]]]:
        first = self.version + 1
        self.version += self.random.randint(1, 3)
        return first, self.version, self.touch(self.bids, -1), self.touch(self.asks, 1)

    def touch(self, side: dict[str, str], step: int) -> list[list[str]]:
        gone = self.random.choice(sorted(side))
        del side[gone]
        base = 100 if step < 0 else 100.01
        price = f"{base + step * self.random.randint(0, 40) * 0.01:.2f}"
        while price == gone:
            price = f"{base + step * self.random.randint(0, 40) * 0.01:.2f}"
        side[price] = f"{self.random.uniform(0.1, 9):.4f}"
        return [[gone, "0"], [price, side[price]]]


class Scene(Written):
    """One leg's tables as row dicts, and per role its lines as dicts with `read` = t_read."""

    def __init__(self) -> None:
        self.frames: list[dict[str, Any]] = []
        self.read: Frames = {}
        self.sends: list[dict[str, Any]] = []
        self.connections: list[dict[str, Any]] = []
        self.marks: list[dict[str, Any]] = []
        self.requests: list[dict[str, Any]] = []
        self.lines: dict[str, list[dict[str, Any]]] = {"legacy": [], "new": []}
        self.conn_no = {(role, c): 1 for role in self.lines for c in (GATEIO, MEXC)}
        self.now = START
        self.markets = {c: Market(i) for i, c in enumerate((GATEIO, MEXC))}

    def copy(self) -> Scene:
        """Another scene that shares only bytes with this one, and what the reference reads of them."""
        found, apart = copy(self), {name: value for name, value in vars(self).items() if name not in ("frames", "read")}
        vars(found).update(pickle.loads(pickle.dumps(apart)))
        found.frames = [dict(row) for row in self.frames]
        return found

    def judge(self, grade: str = "quick", **options: Any) -> LegDiff:
        session = {"schema": 1, "grade": grade}
        options = {"part": Part(frames=self.read)} | options
        return diff_streams(
            self.frames, self.sends, self.connections, self.marks, self.requests, self.written(), session, **options
        )

    def frame(
        self, connection: str, channel: str, payload: bytes, kind: str = "ws", last: int | None = None, fault: str = ""
    ) -> int:
        no = len(self.frames) + 1
        symbol = spelt(connection)
        self.frames.append(
            {"frame_no": no, "leg": "main", "connection": connection, "kind": kind, "channel": channel,
             "symbol": symbol, "first": None, "last": last, "payload": payload,
             "is_text": connection == GATEIO or kind == "rest", "fault": fault}
        )  # fmt: skip
        return no

    def send(self, role: str, connection: str, no: int, gap: int = 0) -> int:
        t = self.now + gap
        self.sends.append(
            {"frame_no": no, "leg": "main", "subject": role, "connection": connection,
             "conn_no": self.conn_no[role, connection], "t_sent": t, "first_written": gap == 0, "queued": False,
             "burst": -1}
        )  # fmt: skip
        return t

    def say(self, role: str, t: int, connection: str, event_type: str, fields: dict[str, Any]) -> None:
        line = {"k": "event", "c": connection, "t": t, "type": event_type, "symbol": spelt(connection), **fields}
        self.lines[role].append({**line, "read": t + 10 * MS})

    def note(self, role: str, connection: str, event: str, **more: Any) -> None:
        row = {"t": self.now, "leg": "main", "subject": role, "connection": connection,
               "conn_no": self.conn_no[role, connection], "event": event, "channel": "", "symbol": "", "code": None,
               "cause": "client", "detail": ""}  # fmt: skip
        self.connections.append({**row, **more})

    def mark(self, name: str, role: str = "", **detail: Any) -> None:
        self.marks.append({"t": self.now, "leg": "main", "role": role, "name": name, "detail": json.dumps(detail)})

    def subscribe(self, role: str, connection: str) -> None:
        self.note(role, connection, "open")
        for channel in ("book", "trade", "book_ticker", "ticker"):
            self.note(role, connection, "subscribed", channel=channel, symbol=spelt(connection))

    def state(self, role: str, connection: str, *states: str) -> None:
        self.lines[role] += [
            {"k": "state", "c": connection, "t": self.now, "state": state, "read": self.now + MS} for state in states
        ]

    def step(self, connection: str, to: tuple[str, ...] = ("legacy", "new"), silent: tuple[str, ...] = ()) -> list[int]:
        """One frame of each type to `to`; the sides in `silent` do not deliver. Returns the frame numbers."""
        made = gateio_step(self.markets[connection], self.now) if connection == GATEIO else mexc_step(
            self.markets[connection], self.now
        )  # fmt: skip
        return [self.push(connection, *parts, to=to, silent=silent) for parts in made]

    def push(
        self, connection: str, channel: str, payload: bytes, events: list[dict[str, Any]], *,
        to: tuple[str, ...] = ("legacy", "new"), silent: tuple[str, ...] = (), no: int | None = None,
    ) -> int:  # fmt: skip
        no = no or self.frame(connection, channel, payload)
        for gap, role in enumerate(to):
            t = self.send(role, connection, no, gap * 300_000)
            for event in events if role not in silent else ():
                fields = deepcopy(event)
                if role == "legacy" and channel == "book":
                    fields |= {"first": None, "snapshot": None}
                self.say(role, t + 150_000, connection, channel, fields)
        self.now += 5 * MS
        return no

    def swap(self, connection: str, healed: bool) -> None:
        """The venue lets two frames of each type change places; the sides deliver as sent, or in order again."""
        first, second = (gateio_step(self.markets[connection], self.now + i * MS) for i in range(2))
        for (channel, early, one), (_, late, two) in zip(first, second, strict=True):
            numbers = {payload: self.frame(connection, channel, payload) for payload in (late, early)}
            for role in self.lines:
                where = {"connection": connection, "channel": channel, "symbol": spelt(connection)}
                row = {"t": self.now, "leg": "main", "role": role, "name": "fault",
                       "detail": json.dumps({"kind": "swap", "role": role, **where})}  # fmt: skip
                self.marks.append(row)
                self.send(role, connection, numbers[late])
                t = self.send(role, connection, numbers[early], MS)
                for event in (*one, *two) if healed else (*two, *one):
                    self.say(role, t, connection, channel, deepcopy(event))
            self.now += 5 * MS

    def rebuild(self, role: str, connection: str) -> None:
        """A REST book goes to one side, which delivers it whole."""
        market = self.markets[connection]
        bids = sorted(([p, q] for p, q in market.bids.items()), reverse=True)
        asks = sorted([p, q] for p, q in market.asks.items())
        key = "id" if connection == GATEIO else "lastUpdateId"
        payload = json.dumps({key: market.version, "bids": bids, "asks": asks}).encode()
        no = self.frame(connection, "book", payload, "rest", market.version)
        t = self.send(role, connection, no)
        floats = [[[float(p), float(q)] for p, q in side] for side in (bids, asks)]
        whole = {"first": None, "last": market.version, "snapshot": True, "bids": floats[0], "asks": floats[1]}
        self.say(role, t + MS, connection, "book", {**whole, "ts": None})
        self.now += 5 * MS

    def events(self, role: str, connection: str, event_type: str) -> list[dict[str, Any]]:
        """A side's lines of one stream, rebuilt books left out."""
        return [
            row
            for row in self.lines[role]
            if row["k"] == "event" and row["c"] == connection and row["type"] == event_type
            and row.get("snapshot") is not True
        ]  # fmt: skip


def spelt(connection: str) -> str:
    return "BTC_USDT" if connection == GATEIO else "BTCUSDT"


def pairs(levels: list[list[str]]) -> list[list[float]]:
    return [[float(price), float(quantity)] for price, quantity in levels]


def gateio_step(market: Market, now: int) -> list[tuple[str, bytes, list[dict[str, Any]]]]:
    ms = EPOCH_MS + now // MS
    first, last, bids, asks = market.update()
    market.trade += 1
    price, size = f"{100 + market.trade * 0.013:.3f}", f"{market.trade * 0.0017:.4f}"
    side = "buy" if market.trade % 2 else "sell"
    made = {
        "spot.order_book_update": {"t": ms - 3, "e": "depthUpdate", "E": ms // 1000, "s": "BTC_USDT", "U": first,
                                   "u": last, "b": bids, "a": asks},
        "spot.trades": {"id": market.trade, "create_time": ms // 1000, "create_time_ms": f"{ms - 2}.653000",
                        "side": side, "currency_pair": "BTC_USDT", "amount": size, "price": price},
        "spot.book_ticker": {"t": ms - 1, "u": last, "s": "BTC_USDT", "b": "99.9", "B": size, "a": "100.3", "A": price},
        "spot.tickers": {"currency_pair": "BTC_USDT", "last": price, "lowest_ask": "100.3", "highest_bid": "99.9",
                         "change_percentage": "1", "base_volume": size, "quote_volume": price, "high_24h": "120.5",
                         "low_24h": "80.25"},
    }  # fmt: skip
    events = {
        "book": {"first": first, "last": last, "snapshot": False, "bids": pairs(bids), "asks": pairs(asks),
                 "ts": ms - 3},
        "trade": {"id": str(market.trade), "price": float(price), "quantity": float(size), "side": side, "ts": ms - 2},
        "book_ticker": {"bid": 99.9, "bid_quantity": float(size), "ask": 100.3, "ask_quantity": float(price),
                        "seq": last, "ts": ms - 1},
        "ticker": {"last": float(price), "bid": 99.9, "ask": 100.3, "base_volume": float(size),
                   "quote_volume": float(price), "high": 120.5, "low": 80.25, "ts": ms},
    }  # fmt: skip
    return [
        (kind, json.dumps({"time": ms // 1000, "time_ms": ms, "channel": channel, "event": "update", "result": result})
         .encode(), [events[kind]])
        for kind, (channel, result) in zip(events, made.items(), strict=True)
    ]  # fmt: skip


def mexc_step(market: Market, now: int) -> list[tuple[str, bytes, list[dict[str, Any]]]]:
    ms = EPOCH_MS + now // MS
    first, last, bids, asks = market.update()
    market.trade += 2
    price, size = f"{100 + market.trade * 0.017:.3f}", f"{market.trade * 0.0019:.4f}"
    wrappers = [PushDataV3ApiWrapper(channel="c", symbol="BTCUSDT", sendTime=ms) for _ in range(4)]
    depth = wrappers[0].publicAggreDepths
    depth.fromVersion, depth.toVersion = str(first), str(last)
    for rows, levels in ((depth.bids, bids), (depth.asks, asks)):
        for level in levels:
            rows.add(price=level[0], quantity=level[1])
    trades = []
    for i in range(2):
        name = f"{market.trade + i}X0_{market.trade + i}X0"
        wrappers[1].publicAggreDeals.deals.add(
            price=price, quantity=size, tradeType=1 + i, time=ms - 5 + i, tradeId=name
        )  # fmt: skip
        side = ("buy", "sell")[i]
        trades.append({"id": name, "price": float(price), "quantity": float(size), "side": side, "ts": ms - 5 + i})
    best = wrappers[2].publicAggreBookTicker
    best.bidPrice, best.bidQuantity, best.askPrice, best.askQuantity = "99.9", size, "100.3", price
    best.version = str(last)
    mini = wrappers[3].publicMiniTicker
    mini.symbol, mini.price, mini.quantity, mini.volume, mini.high, mini.low = "BTCUSDT", price, size, "7", "9", "5"
    book = {"first": first, "last": last, "snapshot": False, "bids": pairs(bids), "asks": pairs(asks), "ts": ms}
    ticker = {"last": float(price), "bid": None, "ask": None, "base_volume": float(size), "quote_volume": 7.0,
              "high": 9.0, "low": 5.0, "ts": ms}  # fmt: skip
    top = {"bid": 99.9, "bid_quantity": float(size), "ask": 100.3, "ask_quantity": float(price), "seq": last, "ts": ms}
    events: list[tuple[str, list[dict[str, Any]]]] = [
        ("book", [book]), ("trade", trades), ("book_ticker", [top]), ("ticker", [ticker])
    ]  # fmt: skip
    return [
        (kind, wrapper.SerializeToString(), found)
        for wrapper, (kind, found) in zip(wrappers, events, strict=True)
    ]  # fmt: skip


def make_scene(steps: int = 40) -> Scene:
    scene = Scene()
    for role in scene.lines:
        for connection in (GATEIO, MEXC):
            scene.state(role, connection, "connecting", "connected", "subscribed")
            scene.subscribe(role, connection)
    scene.now += MS
    for i in range(steps):
        for connection in (GATEIO, MEXC):
            scene.step(connection)
            if i == 2:
                scene.rebuild("new", connection)
    return scene


@pytest.fixture(scope="session")
def plain_scene() -> Scene:
    """Never change this one; `scene` is a copy."""
    return make_scene().read_ahead()


@pytest.fixture
def scene(plain_scene: Scene) -> Scene:
    """Forty rounds of every type on both connections, both sides faultless; the new one rebuilt its books once."""
    return plain_scene.copy()


@pytest.fixture
def fresh_scene() -> Callable[[int], Scene]:
    """Makes a scene of that many rounds."""
    return make_scene
