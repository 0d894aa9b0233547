"""An account's messages at the callers' door as protocol lines."""

from __future__ import annotations

from typing import Any, cast

import pytest

from exchanges.structs import Balance, Fill, MessageType, Order, ParsedMessage, Position, Symbol
from shadow.subjects.emit import Emitter
from shadow.subjects.events import message_sink

BTC = Symbol("BTC", "USDT", True)


class Lines:
    """Stands where the emitter is."""

    def __init__(self) -> None:
        self.put_lines: list[dict[str, Any]] = []

    def put(self, line: dict[str, Any]) -> None:
        self.put_lines.append(line)


ORDER = Order(BTC, "58828270140012048", "t-1", "partial", "sell", "limit", 2.5, 4.0, 1.0, 2.5, 7)
FILL = Fill(BTC, "9", "58828270140012048", "sell", 2.5, 1.0, -0.01, None, "maker", 7)
BALANCE = Balance("USDT", 10.5, None, 8)
POSITION = Position(BTC, -3.0, 2.5, "single", 0.0, 1.5, -0.25, 9)


@pytest.mark.parametrize(
    ("kind", "item", "line"),
    [
        (
            MessageType.ORDER,
            ORDER,
            {
                "type": "order", "symbol": "BTC_USDT", "id": "58828270140012048", "client_id": "t-1",
                "status": "partial", "side": "sell", "kind": "limit", "price": 2.5, "quantity": 4.0, "filled": 1.0,
                "average_price": 2.5, "ts": 7,
            },
        ),
        (
            MessageType.TRADE,
            FILL,
            {
                "type": "fill", "symbol": "BTC_USDT", "id": "9", "order_id": "58828270140012048", "side": "sell",
                "price": 2.5, "quantity": 1.0, "fee": -0.01, "fee_asset": None, "role": "maker", "ts": 7,
            },
        ),
        (
            MessageType.BALANCE,
            BALANCE,
            {"type": "balance", "symbol": None, "asset": "USDT", "free": 10.5, "locked": None, "ts": 8},
        ),
        (
            MessageType.POSITION,
            POSITION,
            {
                "type": "position", "symbol": "BTC_USDT", "size": -3.0, "entry_price": 2.5, "mode": "single",
                "leverage": 0.0, "margin": 1.5, "realised_pnl": -0.25, "ts": 9,
            },
        ),
    ],
)  # fmt: skip
async def test_each_item_of_a_message_is_one_line(kind: MessageType, item: Any, line: dict[str, Any]) -> None:
    lines = Lines()
    sink = message_sink(cast(Emitter, lines), "gateio.futures.private", {BTC: "BTC_USDT"}, None, lambda: None)
    await sink(ParsedMessage(kind, BTC, "x", [item, item]))
    first, second = lines.put_lines
    assert first == second | {"t": first["t"]}
    assert first == {"k": "event", "c": "gateio.futures.private", "t": first["t"]} | line
