"""A connected handler of public spot frames on a fake server, and a listener that remembers."""

from __future__ import annotations

import json
from typing import Any

from exchanges.integrations.gateio.ws.handlers.spot_public_handler import GateioSpotPublicHandler
from exchanges.structs import PublicWebsocketChannelType, Symbol, WebSocketConfig
from exchanges.structs.events import PublicCallbacks
from infrastructure.networking.websocket.testing import FakeServer, run_virtual, settle

Channel = PublicWebsocketChannelType
BTC, ETH = Symbol("BTC", "USDT"), Symbol("ETH", "USDT")
BEST = {"t": 1, "u": 2, "s": "BTC_USDT", "b": "1.5", "B": "2", "a": "3", "A": "4"}


class Listener:
    """Remembers what the callbacks got."""

    def __init__(self) -> None:
        self.events: list[Any] = []
        self.answers: list[Any] = []
        self.errors: list[tuple[str, str]] = []
        self.callbacks = PublicCallbacks(
            on_book=self.events.append,
            on_trades=self.events.append,
            on_book_ticker=self.events.append,
            on_ticker=self.events.append,
            on_subscription=self.answers.append,
            on_error=lambda kind, text: self.errors.append((kind, text)),
        )


class Scene:
    """A connected handler on a fake server, without REST."""

    def __init__(self) -> None:
        self.server = FakeServer()
        self.listener = Listener()
        config = WebSocketConfig("ws://x", heartbeat_interval=None)
        self.handler = GateioSpotPublicHandler(config, callbacks=self.listener.callbacks, transport=self.server.open)

    async def start(self, symbols: list[Symbol], channels: list[Channel]) -> None:
        await self.handler.initialize(symbols, channels)
        await settle()

    def requests(self) -> list[Any]:
        return [json.loads(text) for text in self.server.socket.sent]

    async def answer(self, request: dict[str, Any], error: str | None = None, **changes: Any) -> None:
        answer = {**request, "result": {"status": "fail" if error else "success"}} | changes
        if error:
            answer["error"] = {"code": 2, "message": error}
        self.server.socket.feed(json.dumps(answer))
        await settle()


def play(scene: Any) -> None:
    async def main() -> None:
        stage = Scene()
        await scene(stage)
        await stage.handler.close()

    run_virtual(main())


def push(channel: str, result: Any) -> str:
    return json.dumps({"time": 5, "time_ms": 5123, "channel": channel, "event": "update", "result": result})
