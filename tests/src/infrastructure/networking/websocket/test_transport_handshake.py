"""A transport by its name, and its handshake: what is in it, and what comes of one that fails."""

from __future__ import annotations

import socket

import pytest

from exchanges.structs import ConfigurationError
from infrastructure.networking.websocket import transport as seam
from infrastructure.networking.websocket.testing import FakeServer
from infrastructure.networking.websocket.transport import (
    ConnectFailed,
    Opener,
    TransportSettings,
    open_websockets,
    resolve_transport,
)
from infrastructure.networking.websocket.transport_picows import open_picows

from .conftest import exchange, idle, raw_server


@pytest.mark.parametrize(
    ("status", "cause"), [(401, "authentication_failure"), (403, "authentication_failure"), (500, "unknown")]
)
async def test_refused_handshakes(opener: Opener, status: int, cause: str) -> None:
    async with exchange(idle, status) as (url, _):
        with pytest.raises(ConnectFailed) as caught:
            await opener(TransportSettings(url))
        assert caught.value.cause == cause


async def test_nobody_listens(opener: Opener) -> None:
    async with exchange(idle) as (url, _):
        pass
    with pytest.raises(ConnectFailed) as caught:
        await opener(TransportSettings(url))
    assert caught.value.cause == "connection_refused"


async def test_a_server_that_does_not_answer_times_out(opener: Opener) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        with pytest.raises(ConnectFailed) as caught:
            await opener(TransportSettings(f"ws://127.0.0.1:{silent.getsockname()[1]}/", connect_timeout=0.05))
    assert caught.value.cause == "timeout"


async def test_an_address_that_is_none(opener: Opener) -> None:
    with pytest.raises(ConnectFailed):
        await opener(TransportSettings("http://127.0.0.1/"))


@pytest.mark.checklist("1.2.4", "1.2.5", "1.2.9")
async def test_only_what_is_asked_for_is_in_the_handshake() -> None:
    async with exchange(idle) as (url, handshakes):
        plain = await open_websockets(TransportSettings(url))
        rich = await open_websockets(TransportSettings(url, headers={"X-A": "b"}, user_agent="ua", compression=True))
        await plain.close()
        await rich.close()
    names = {name.lower() for name in handshakes[0].headers}
    assert "user-agent" not in names
    assert "sec-websocket-extensions" not in names
    assert "permessage-deflate" in handshakes[1].headers["Sec-WebSocket-Extensions"]
    assert handshakes[1].headers["X-A"] == "b"
    assert handshakes[1].headers["User-Agent"] == "ua"


async def test_picows_offers_no_compression_but_sends_the_headers_asked_for() -> None:
    async with exchange(idle) as (url, handshakes):
        rich = await open_picows(TransportSettings(url, headers={"X-A": "b"}, user_agent="ua", compression=True))
        await rich.close()
    names = {name.lower() for name in handshakes[0].headers}
    assert "sec-websocket-extensions" not in names
    assert (handshakes[0].headers["X-A"], handshakes[0].headers["User-Agent"]) == ("b", "ua")


async def test_a_server_that_hangs_up_on_the_request(opener: Opener) -> None:
    async with raw_server(b"", answer=False) as url:
        with pytest.raises(ConnectFailed):
            await opener(TransportSettings(url, connect_timeout=2))


def test_names() -> None:
    assert resolve_transport(None) is open_websockets
    assert resolve_transport("websockets") is open_websockets
    server = FakeServer()
    assert resolve_transport(server.open) == server.open
    with pytest.raises(ConfigurationError, match="known: picows, websockets"):
        resolve_transport("carrier-pigeon")


def test_a_faster_one_slots_in_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(seam.TRANSPORTS, "fast", "infrastructure.networking.websocket.transport:open_websockets")
    monkeypatch.setitem(seam.TRANSPORTS, "missing", "no_such_library.transport:open")
    assert resolve_transport("fast") is open_websockets
    with pytest.raises(ConfigurationError, match="not installed"):
        resolve_transport("missing")
