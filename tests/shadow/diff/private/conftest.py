"""A recorded leg of private streams, made by hand from the wire pages: three accounts, two faultless stacks."""

from __future__ import annotations

import json
import random
from copy import copy, deepcopy
from decimal import Decimal
from typing import Any

import pytest

from exchanges.integrations.mexc.proto.push_pb2 import PushDataV3ApiWrapper
from shadow.diff.codes import LegDiff
from shadow.diff.frames import Frames
from shadow.diff.leg import diff_streams
from shadow.diff.part import Part
from tests.shadow.diff.written import Written

SPOT, FUTURES, MEXC = "gateio.spot.private", "gateio.futures.private", "mexc.spot.private"
CONNECTIONS = (SPOT, FUTURES, MEXC)
CHANNELS = {SPOT: ("order", "fill", "balance"), FUTURES: ("order", "fill", "balance", "position"),
            MEXC: ("order", "fill", "balance")}  # fmt: skip
MS = 1_000_000
EPOCH_MS = 1_790_000_000_000
Fields = dict[str, Any]
Step = tuple[str, bytes, list[Fields]]
"""Event type, payload, and the fields of its events as a faultless stack says them."""


class Account:
    """One account: orders that are placed, filled in parts and ended, with what follows from them."""

    def __init__(self, connection: str) -> None:
        self.connection = connection
        self.random = random.Random(connection)
        self.orders = 0
        self.trades = 0
        self.free, self.locked = Decimal(100_000), Decimal(0)
        self.position = Decimal(-7)

    def life(self, ms: int, end: str) -> list[Step]:
        """An order's steps: put, one part filled (the fill before its update), the end (filled or cancelled)."""
        order = self.new_order(ms)
        steps = [self.order(order, ms, "open", Decimal(0)), self.balance(ms, -order["cost"], order["cost"])]
        steps += self.fill(order, ms + 3, order["quantity"] / 4)
        steps.append(self.order(order, ms + 3, "partial", order["quantity"] / 4))
        if end == "filled":
            steps.append(self.order(order, ms + 9, "filled", order["quantity"]))
            steps += self.fill(order, ms + 9, order["quantity"] * 3 / 4)
        else:
            steps += [self.order(order, ms + 9, end, order["quantity"] / 4), self.balance(ms + 9, Decimal(5), -5)]
        return steps

    def new_order(self, ms: int) -> Fields:
        self.orders += 1
        number = self.orders
        big = 58828270140012048 + number if self.connection == FUTURES else 575707647866 + number
        return {
            "id": f"C02__{number}" if self.connection == MEXC else str(big),
            "client": f"t-{number}" if number % 3 == 0 else None,
            "side": "buy" if number % 2 else "sell",
            "price": Decimal(64000) + Decimal(number) / 10,
            "quantity": Decimal(number) * 4,
            "cost": Decimal(number) + Decimal("0.25"),
            "created": ms,
        }

    def order(self, order: Fields, ms: int, status: str, filled: Decimal) -> Step:
        average = order["price"] if filled else Decimal(0)
        fields = {"id": order["id"], "client_id": order["client"], "status": status, "side": order["side"],
                  "kind": "limit", "price": float(order["price"]), "quantity": float(order["quantity"]),
                  "filled": float(filled), "average_price": float(average), "ts": ms}  # fmt: skip
        return "order", ORDERS[self.connection](order, ms, status, filled, average), [fields]

    def fill(self, order: Fields, ms: int, size: Decimal) -> list[Step]:
        """The fill, and on futures the position that it leaves."""
        self.trades += 1
        name = f"{self.trades}X" if self.connection == MEXC else str(8900430811 + self.trades)
        asset = {SPOT: "BTC", FUTURES: None, MEXC: "MX"}[self.connection]
        fields = {"id": name, "order_id": order["id"], "side": order["side"], "price": float(order["price"]),
                  "quantity": float(size), "fee": 0.125, "fee_asset": asset, "role": "maker", "ts": ms}  # fmt: skip
        steps: list[Step] = [("fill", FILLS[self.connection](order, ms, name, size), [fields])]
        if self.connection == FUTURES:
            self.position += size if order["side"] == "buy" else -size
            held = {"size": float(self.position), "entry_price": 64000.5, "mode": "single", "leverage": 0,
                    "margin": 449.5, "realised_pnl": -0.25, "ts": ms}  # fmt: skip
            steps.append(("position", position_frame(ms, self.position), [held]))
        return steps

    def balance(self, ms: int, free: Any, locked: Any) -> Step:
        self.free, self.locked = self.free + free, self.locked + locked
        whole = self.connection == FUTURES
        fields = {"asset": "USDT", "free": float(self.free), "locked": None if whole else float(self.locked), "ts": ms}
        return "balance", BALANCES[self.connection](ms, self.free, self.locked), [fields]


def push(channel: str, ms: int, *items: Fields) -> bytes:
    frame = {"channel": channel, "time": ms // 1000, "time_ms": ms + 1, "event": "update", "result": items}
    return json.dumps(frame).encode()


def spot_order(order: Fields, ms: int, status: str, filled: Decimal, average: Decimal) -> bytes:
    event = {"open": "put", "partial": "update"}.get(status, "finish")
    item = {"id": order["id"], "text": order["client"] or "apiv4", "currency_pair": "BTC_USDT", "type": "limit",
            "side": order["side"], "amount": str(order["quantity"]), "price": str(order["price"]),
            "time_in_force": "gtc", "left": str(max(0, order["quantity"] - filled)), "filled_total": "0",
            "avg_deal_price": str(average), "create_time_ms": str(order["created"]), "update_time_ms": f"{ms}.5",
            "event": event, "finish_as": {"finish": status}.get(event, "open")}  # fmt: skip
    if filled > order["quantity"]:  # a market order asked for in quote currency
        item["filled_amount"] = str(filled)
    return push("spot.orders", ms, item)


def futures_order(order: Fields, ms: int, status: str, filled: Decimal, average: Decimal) -> bytes:
    sign = 1 if order["side"] == "buy" else -1
    item = {"id": int(order["id"]), "text": order["client"] or "app", "contract": "BTC_USDT", "tif": "gtc",
            "size": str(sign * order["quantity"]), "left": str(sign * (order["quantity"] - filled)),
            "price": float(order["price"]), "fill_price": float(average), "create_time_ms": order["created"],
            "update_time": ms, "status": "open" if status in ("open", "partial") else "finished",
            "finish_as": status}  # fmt: skip
    return push("futures.orders", ms, item)


def mexc_frame(channel: str, ms: int, body: str, fields: Fields, symbol: str = "BTCUSDT") -> bytes:
    wrapper = PushDataV3ApiWrapper(channel=f"spot@private.{channel}.v3.api.pb", sendTime=ms)
    if symbol:
        wrapper.symbol = symbol
    for name, value in fields.items():
        setattr(getattr(wrapper, body), name, value)
    return wrapper.SerializeToString()


def mexc_order(order: Fields, ms: int, status: str, filled: Decimal, average: Decimal) -> bytes:
    number = {"open": 1, "filled": 2, "partial": 3, "cancelled": 4}[status]
    fields = {"id": order["id"], "clientId": order["client"] or "", "price": str(order["price"]),
              "quantity": str(order["quantity"]), "avgPrice": str(average), "orderType": 1, "status": number,
              "tradeType": 1 if order["side"] == "buy" else 2, "cumulativeQuantity": str(filled),
              "createTime": order["created"]}  # fmt: skip
    return mexc_frame("orders", ms, "privateOrders", fields)


def spot_fill(order: Fields, ms: int, name: str, size: Decimal) -> bytes:
    item = {"id": int(name), "order_id": order["id"], "currency_pair": "BTC_USDT", "create_time_ms": f"{ms}.131",
            "side": order["side"], "amount": str(size), "role": "maker", "price": str(order["price"]), "fee": "0.125",
            "fee_currency": "BTC"}  # fmt: skip
    return push("spot.usertrades", ms, item)


def futures_fill(order: Fields, ms: int, name: str, size: Decimal) -> bytes:
    sign = 1 if order["side"] == "buy" else -1
    item = {"id": name, "order_id": order["id"], "contract": "BTC_USDT", "create_time_ms": ms, "size": str(sign * size),
            "role": "maker", "price": str(order["price"]), "fee": 0.125}  # fmt: skip
    return push("futures.usertrades", ms, item)


def mexc_fill(order: Fields, ms: int, name: str, size: Decimal) -> bytes:
    fields = {"price": str(order["price"]), "quantity": str(size), "tradeType": 1 if order["side"] == "buy" else 2,
              "isMaker": True, "tradeId": name, "orderId": order["id"], "feeAmount": "0.125", "feeCurrency": "MX",
              "time": ms}  # fmt: skip
    return mexc_frame("deals", ms + 2, "privateDeals", fields)


def position_frame(ms: int, size: Decimal) -> bytes:
    item = {"contract": "BTC_USDT", "mode": "single", "size": str(size), "leverage": 0, "margin": 449.5,
            "entry_price": 64000.5, "realised_pnl": -0.25, "time_ms": ms}  # fmt: skip
    return push("futures.positions", ms, item)


def spot_balance(ms: int, free: Decimal, locked: Decimal) -> bytes:
    item = {"timestamp_ms": str(ms), "currency": "USDT", "available": str(free), "freeze": str(locked)}
    return push("spot.balances", ms, item)


def futures_balance(ms: int, free: Decimal, locked: Decimal) -> bytes:
    return push("futures.balances", ms, {"balance": float(free), "currency": "usdt", "time_ms": ms})


def mexc_balance(ms: int, free: Decimal, locked: Decimal) -> bytes:
    fields = {"vcoinName": "USDT", "balanceAmount": str(free), "frozenAmount": str(locked), "time": ms}
    return mexc_frame("account", ms + 2, "privateAccount", fields, "")


ORDERS = {SPOT: spot_order, FUTURES: futures_order, MEXC: mexc_order}
FILLS = {SPOT: spot_fill, FUTURES: futures_fill, MEXC: mexc_fill}
BALANCES = {SPOT: spot_balance, FUTURES: futures_balance, MEXC: mexc_balance}


class PrivateScene(Written):
    """One leg's tables as row dicts, and per role its lines as dicts with `read` = t_read."""

    def __init__(self) -> None:
        self.frames: list[Fields] = []
        self.read: Frames = {}
        self.sends: list[Fields] = []
        self.connections: list[Fields] = []
        self.marks: list[Fields] = []
        self.requests: list[Fields] = []
        self.lines: dict[str, list[Fields]] = {"legacy": [], "new": []}
        self.conn_no = {(role, c): 1 for role in self.lines for c in CONNECTIONS}
        self.now = 1_000_000_000_000
        self.accounts = {c: Account(c) for c in CONNECTIONS}

    def copy(self) -> PrivateScene:
        found = copy(self)
        for name in ("frames", "sends", "connections", "marks", "requests"):
            setattr(found, name, [dict(row) for row in getattr(self, name)])
        found.lines = {role: [dict(line) for line in lines] for role, lines in self.lines.items()}
        found.conn_no, found.accounts = dict(self.conn_no), deepcopy(self.accounts)
        return found

    def judge(self, **options: Any) -> LegDiff:
        options = {"part": Part(frames=self.read)} | options
        return diff_streams(
            self.frames,
            self.sends,
            self.connections,
            self.marks,
            self.requests,
            self.written(),
            {"schema": 1},
            **options,
        )

    @property
    def ms(self) -> int:
        return EPOCH_MS + self.now // MS

    def subscribe(self, role: str, connection: str) -> None:
        self.note(role, connection, "open")
        for channel in CHANNELS[connection]:
            self.note(role, connection, "subscribed", channel=channel)

    def note(self, role: str, connection: str, event: str, **more: Any) -> None:
        row = {"t": self.now, "leg": "main", "subject": role, "connection": connection,
               "conn_no": self.conn_no[role, connection], "event": event, "channel": "", "symbol": "", "code": None,
               "cause": "client", "detail": ""}  # fmt: skip
        self.connections.append({**row, **more})

    def fault(self, kind: str, connection: str, role: str, **more: Any) -> None:
        detail = {"kind": kind, "connection": connection, "role": role, **more}
        self.marks.append({"t": self.now, "leg": "main", "role": role, "name": "fault", "detail": json.dumps(detail)})

    def error(self, role: str, connection: str, kind: str) -> None:
        line = {"k": "error", "c": connection, "t": self.now, "kind": kind, "message": "x", "read": self.now + MS}
        self.lines[role].append(line)

    def back(self, role: str, connection: str) -> None:
        """The side is there again on a new connection."""
        self.conn_no[role, connection] += 1
        self.subscribe(role, connection)
        self.now += 5 * MS

    def live(self, connection: str, end: str = "filled", **how: Any) -> list[int]:
        """One order's life to both sides; returns the frame numbers."""
        return [self.send(connection, step, **how) for step in self.accounts[connection].life(self.ms, end)]

    def send(
        self, connection: str, step: Step, *, to: tuple[str, ...] = ("legacy", "new"), silent: tuple[str, ...] = (),
        no: int | None = None, fault: str = "",
    ) -> int:  # fmt: skip
        """One frame to the sides in `to`; those in `silent` do not deliver."""
        channel, payload, events = step
        symbol = "" if channel == "balance" else "BTCUSDT" if connection == MEXC else "BTC_USDT"
        if no is None:
            no = len(self.frames) + 1
            self.frames.append(
                {"frame_no": no, "leg": "main", "connection": connection, "kind": "ws", "channel": channel,
                 "symbol": symbol, "first": None, "last": None, "payload": payload, "is_text": connection != MEXC,
                 "fault": fault}
            )  # fmt: skip
        for gap, role in enumerate(to):
            t = self.now + gap * 300_000
            self.sends.append(
                {"frame_no": no, "leg": "main", "subject": role, "connection": connection,
                 "conn_no": self.conn_no[role, connection], "t_sent": t, "first_written": gap == 0, "queued": False,
                 "burst": -1}
            )  # fmt: skip
            for fields in events if role not in silent else ():
                line = {"k": "event", "c": connection, "t": t + 150_000, "type": channel, "symbol": symbol or None}
                self.lines[role].append({**line, **deepcopy(fields), "read": t + 10 * MS})
        self.now += 5 * MS
        return no

    def events(self, role: str, connection: str, event_type: str) -> list[Fields]:
        """A side's lines of one stream."""
        return [row for row in self.lines[role] if (row["c"], row.get("type")) == (connection, event_type)]

    def swap_lines(self, role: str, one: Fields, other: Fields) -> None:
        """Let two lines change places; their times stay in order."""
        lines = self.lines[role]
        a, b = (next(i for i, line in enumerate(lines) if line is row) for row in (one, other))
        lines[a], lines[b] = other, one
        for line in lines[a : b + 1]:
            line["t"], line["read"] = max(one["t"], other["t"]), max(one["read"], other["read"])


def make_private_scene(lives: int = 6) -> PrivateScene:
    """So many orders on each connection, one after the other, every third one cancelled."""
    scene = PrivateScene()
    for role in scene.lines:
        for connection in CONNECTIONS:
            scene.subscribe(role, connection)
    scene.now += MS
    for i in range(lives):
        for connection in CONNECTIONS:
            scene.live(connection, "cancelled" if i % 3 == 2 else "filled")
    return scene


@pytest.fixture(scope="session")
def plain_private_scene() -> PrivateScene:
    """Never change this one; `scene` is a copy."""
    return make_private_scene().read_ahead()


@pytest.fixture
def scene(plain_private_scene: PrivateScene) -> PrivateScene:
    """Six orders on each private connection, both sides faultless."""
    return plain_private_scene.copy()
