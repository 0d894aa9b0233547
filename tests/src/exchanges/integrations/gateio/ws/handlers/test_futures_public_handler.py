"""The Gate.io futures handler: its frames out, contracts in, several tickers a frame, its own ping."""

from __future__ import annotations

import json
from typing import Any

import pytest

from exchanges.integrations.gateio.builder import build_handler
from exchanges.integrations.gateio.rest import GateioFuturesRest
from exchanges.integrations.gateio.ws.handlers.futures_public_handler import GateioFuturesPublicHandler
from exchanges.structs import (
    ConfigurationError,
    ExchangeConfig,
    PublicWebsocketChannelType,
    Symbol,
    WebSocketConfig,
)
from exchanges.structs.events import PublicCallbacks
from infrastructure.networking.websocket.testing import FakeServer, run_virtual, settle

Channel = PublicWebsocketChannelType
BTC, ETH = Symbol("BTC", "USDT", True), Symbol("ETH", "USDT", True)


class Scene:
    """A connected handler on a fake server, without REST."""

    def __init__(self) -> None:
        self.server = FakeServer()
        self.events: list[Any] = []
        self.errors: list[tuple[str, str]] = []
        self.answers: list[Any] = []
        take = self.events.append
        callbacks = PublicCallbacks(
            take, take, take, take, self.answers.append, lambda kind, text: self.errors.append((kind, text))
        )
        config = WebSocketConfig("ws://x", heartbeat_interval=None)
        self.handler = GateioFuturesPublicHandler(config, callbacks=callbacks, transport=self.server.open)

    async def push(self, channel: str, result: Any) -> None:
        frame = {"time": 5, "time_ms": 5123, "channel": channel, "event": "update", "result": result}
        self.server.socket.feed(json.dumps(frame))
        await settle()


def play(scene: Any) -> None:
    async def main() -> None:
        stage = Scene()
        await stage.handler.initialize([BTC, ETH], list(Channel))
        await settle()
        await scene(stage)
        await stage.handler.close()

    run_virtual(main())


@pytest.mark.checklist("3.2.3", "3.2.5", "3.2.8")
def test_subscribes_books_by_contract_and_the_rest_together() -> None:
    async def scene(stage: Scene) -> None:
        requests = [json.loads(text) for text in stage.server.socket.sent]
        assert [(one["channel"], one["payload"]) for one in requests] == [
            ("futures.order_book_update", ["BTC_USDT", "100ms", "100"]),
            ("futures.order_book_update", ["ETH_USDT", "100ms", "100"]),
            ("futures.trades", ["BTC_USDT", "ETH_USDT"]),
            ("futures.book_ticker", ["BTC_USDT", "ETH_USDT"]),
            ("futures.tickers", ["BTC_USDT", "ETH_USDT"]),
        ]
        for request in requests:
            stage.server.socket.feed(json.dumps({**request, "result": {"status": "success"}}))
        await settle()
        assert stage.handler.active_symbols == {BTC, ETH}
        assert stage.answers[-1].complete

    play(scene)


@pytest.mark.checklist("3.2.9", "3.2.15")
def test_events_reach_the_callbacks() -> None:
    async def scene(stage: Scene) -> None:
        trade = {"contract": "BTC_USDT", "size": -7, "id": 1, "create_time": 5, "create_time_ms": 5001, "price": "2"}
        await stage.push("futures.trades", [trade, trade | {"id": 2, "size": "3"}])
        await stage.push("futures.trades", [trade])
        ticker = {"contract": "BTC_USDT", "last": "2", "volume_24h_base": "1", "volume_24h_quote": "2"}
        await stage.push("futures.tickers", [ticker, ticker | {"contract": "ETH_USDT", "last": "3"}])
        await stage.push("futures.tickers", [[ticker]])
        await stage.push("futures.book_ticker", {"t": 1, "u": 2, "s": "BTC_USDT", "b": "", "B": 0, "a": "3", "A": 4})
        rows = [{"p": "2", "s": 0}]
        await stage.push("futures.order_book_update", {"t": 1, "s": "BTC_USDT", "U": 1, "u": 2, "b": rows, "a": []})
        trades, first, second, nested, best, book = stage.events
        assert [(one.trade_id, one.side, one.quantity) for one in trades] == [("1", "sell", 7.0), ("2", "buy", 3.0)]
        assert [(one.symbol, one.last) for one in (first, second, nested)] == [
            ("BTC_USDT", 2.0),
            ("ETH_USDT", 3.0),
            ("BTC_USDT", 2.0),
        ]
        assert (best.bid_price, best.ask_quantity) == (0.0, 4.0)
        assert book.bids == [(2.0, 0.0)]
        assert stage.errors == []
        await stage.push("futures.order_book_update", {"t": 1})
        assert [kind for kind, _ in stage.errors] == ["decode"]

    play(scene)


def test_symbols_are_contracts_and_the_ping_is_the_markets() -> None:
    handler = Scene().handler
    assert handler.symbol_of("BTC_USDT") == BTC
    assert handler.symbol_name(BTC) == "BTC_USDT"
    message = handler.create_heartbeat_message()
    assert message is not None
    assert json.loads(message)["channel"] == "futures.ping"


@pytest.mark.checklist("3.2.6", "3.2.10", "3.2.14")
def test_spot_and_futures_have_their_own_addresses_and_books() -> None:
    urls = {}
    for name in ("GATEIO_SPOT", "GATEIO_FUTURES"):
        handler = build_handler(ExchangeConfig(name), False)
        urls[name] = handler.config.url
        assert isinstance(handler._rest, GateioFuturesRest) == (name == "GATEIO_FUTURES")
    assert urls == {
        "GATEIO_SPOT": "wss://api.gateio.ws/ws/v4/",
        "GATEIO_FUTURES": "wss://fx-ws.gateio.ws/v4/ws/usdt",
    }
    with pytest.raises(ConfigurationError, match="private"):
        build_handler(ExchangeConfig("GATEIO_FUTURES"), True)
