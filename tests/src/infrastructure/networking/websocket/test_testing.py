"""The mock handler needs no network, and the virtual clock no time."""

from __future__ import annotations

import asyncio

import pytest

from infrastructure.networking.websocket.testing import FakeServer, MockHandler, run_virtual


@pytest.mark.checklist("5.1.11", "5.1.12")
def test_a_mock_handler_runs_without_a_network() -> None:
    from infrastructure.networking.websocket.structs import WebSocketConfig

    async def main() -> list[bytes]:
        server = FakeServer(lambda socket: socket.feed("hello"))
        handler = MockHandler(WebSocketConfig("ws://x"), transport=server.open)
        await handler.initialize()
        await asyncio.sleep(3600)
        await handler.close()
        return handler.frames

    assert run_virtual(main()) == [b"hello"]


def test_a_virtual_clock_says_when_nothing_can_happen() -> None:
    async def main() -> None:
        await asyncio.Event().wait()

    with pytest.raises(RuntimeError, match="nothing can happen"):
        run_virtual(main())
