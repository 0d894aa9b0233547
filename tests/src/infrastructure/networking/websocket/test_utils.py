"""The factory: what it validates, and a third exchange that follows the page on adding one."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from websockets.asyncio.server import ServerConnection, serve

from exchanges.integrations.gateio.ws.handlers.spot_public_handler import GateioSpotPublicHandler
from exchanges.structs import ConfigurationError, ExchangeConfig, MessageType, Symbol, WebSocketConfig
from infrastructure.networking.websocket.handler_check import require_mixins
from infrastructure.networking.websocket.migration import stacks
from infrastructure.networking.websocket.mixins.auth_mixin import NoAuthMixin
from infrastructure.networking.websocket.mixins.connection_mixin import ConnectionMixin
from infrastructure.networking.websocket.utils import create_websocket_manager

ACME = Path(__file__).parents[5] / "docs" / "examples" / "acme.py"
BTC = Symbol("BTC", "USDT")


@pytest.fixture
def registry(monkeypatch: pytest.MonkeyPatch) -> None:
    """The registry as it was, behind the test."""
    monkeypatch.setattr(stacks, "UNITS", dict(stacks.UNITS))
    monkeypatch.setattr(stacks, "BUILDERS", dict(stacks.BUILDERS))


@pytest.fixture
def acme(registry: None, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The example of the page, registered."""
    spec = importlib.util.spec_from_file_location("acme", ACME)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "acme", module)
    spec.loader.exec_module(module)
    module.register()
    return module


PUSHES = [
    {"type": "book", "symbol": "btc-usdt", "ts": 5, "id": 7, "bids": [[1.5, 2.0]], "asks": [[3.0, 0.0]]},
    {"type": "trade", "symbol": "btc-usdt", "ts": 6, "id": 8, "price": 2.5, "size": 1.0, "side": "buy"},
    {"type": "best", "symbol": "btc-usdt", "ts": 7, "id": 9, "bids": [[1.5, 2.0]], "asks": [[3.0, 4.0]]},
    {"type": "day", "symbol": "btc-usdt", "ts": 8, "price": 2.5, "size": 100.0},
]


@pytest.fixture
async def server() -> AsyncIterator[tuple[str, list[Any]]]:
    """Acme itself: confirms, then pushes one frame of each type and one that nobody can read."""
    requests: list[Any] = []

    async def attend(socket: ServerConnection) -> None:
        async for text in socket:
            requests.append(json.loads(text))
            await socket.send(json.dumps({"type": "subscribed", "ok": requests[-1]["topics"]}))
            await socket.send("{")
            for push in PUSHES:
                await socket.send(json.dumps(push))

    async with serve(attend, "127.0.0.1", 0, ping_interval=None, close_timeout=0.2) as listening:
        yield f"ws://127.0.0.1:{next(iter(listening.sockets)).getsockname()[1]}/", requests


@pytest.mark.checklist("3.3.2", "3.3.4", "3.3.5", "3.3.8", "3.3.10", "6.3.5")
async def test_a_third_exchange_by_the_page(acme: ModuleType, server: tuple[str, list[Any]]) -> None:
    url, requests = server
    messages: list[Any] = []
    arrived = asyncio.Event()

    async def on_message(message: Any) -> None:
        messages.append(message)
        if message.message_type is MessageType.TICKER:
            arrived.set()

    config = ExchangeConfig("ACME_SPOT", websocket_url=url, websocket=WebSocketConfig(url, close_timeout=0.5))
    manager = create_websocket_manager(config, False, on_message)
    await manager.initialize([BTC])
    async with asyncio.timeout(30):
        await arrived.wait()
    await manager.close()
    assert requests == [
        {"op": "subscribe", "topics": [f"{name}:btc-usdt" for name in ("book", "trade", "best", "day")]}
    ]
    assert [message.message_type for message in messages] == [
        MessageType.SUBSCRIPTION_CONFIRM,
        MessageType.ERROR,
        MessageType.ORDERBOOK,
        MessageType.TRADES,
        MessageType.BOOK_TICKER,
        MessageType.TICKER,
    ]
    assert all(message.symbol == BTC for message in messages[2:])
    book, (trade,), best, (ticker,) = (message.data for message in messages[2:])
    assert (book.last_update_id, book.bids[0].price, trade.trade_id, best.ask_quantity, ticker.base_volume) == (
        7, 1.5, "8", 4.0, 100.0,
    )  # fmt: skip


@pytest.mark.checklist("3.3.6", "3.3.11", "3.3.12")
def test_a_handler_that_lacks_a_part_is_named() -> None:
    class Bare(ConnectionMixin):
        pass

    class NoSubscriptions(ConnectionMixin, NoAuthMixin):
        pass

    for handler, missing in ((object, "ConnectionMixin"), (Bare, "AuthMixin"), (NoSubscriptions, "SubscriptionMixin")):
        with pytest.raises(ConfigurationError, match=f"{handler.__name__} lacks {missing}"):
            require_mixins(handler, False)
    require_mixins(GateioSpotPublicHandler, False)
    with pytest.raises(ConfigurationError, match="is private and has NoAuthMixin"):
        require_mixins(GateioSpotPublicHandler, True)


@pytest.mark.checklist("3.3.6", "3.3.12")
def test_the_factory_refuses_a_handler_without_its_parts(acme: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    class Shell:
        handler = object()

    monkeypatch.setattr(acme, "build", lambda *args, **kwargs: Shell())

    async def nobody(message: Any) -> None: ...

    with pytest.raises(ConfigurationError, match="object lacks ConnectionMixin"):
        create_websocket_manager(ExchangeConfig("ACME_SPOT", websocket_url="ws://x"), False, nobody)


@pytest.mark.usefixtures("registry")
def test_what_is_taken_or_unreadable_is_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"MEXC_SPOT is mexc\.spot already"):
        stacks.register_exchange("MEXC_SPOT", "acme", "spot", new="acme:build")
    with pytest.raises(ConfigurationError, match="mexc has another new builder"):
        stacks.register_exchange("MEXC_SWAP", "mexc", "swap", new="acme:build")
    with pytest.raises(ConfigurationError, match="module:function"):
        stacks.register_exchange("ACME_SPOT", "acme", "spot", new="acme.build")
    stacks.register_exchange("ACME_SPOT", "acme", "spot", new="acme:build", legacy="acme:build_old")
    assert stacks.unit_of("acme_spot") == ("acme", "spot")
    assert stacks.has_builder("legacy", "acme")


@pytest.mark.checklist("3.3.11", "3.3.12")
async def test_what_is_missing_is_said() -> None:
    async def on_message(message: Any) -> None: ...

    for config, is_private, handler, text in (
        (ExchangeConfig("NOWHERE", websocket_url="ws://x"), False, on_message, "unknown exchange"),
        (ExchangeConfig("MEXC_SPOT"), False, on_message, "no address"),
        (ExchangeConfig("MEXC_SPOT", websocket_url="ws://x"), False, None, "message_handler is missing"),
        (ExchangeConfig("MEXC_SPOT", websocket_url="ws://x"), True, on_message, "credentials"),
    ):
        with pytest.raises(ConfigurationError, match=text):
            create_websocket_manager(config, is_private, handler)
