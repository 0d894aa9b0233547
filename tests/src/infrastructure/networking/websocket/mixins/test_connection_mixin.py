"""What each exchange wants of a connection."""

from __future__ import annotations

import asyncio
from typing import Any

import orjson
import pytest

from exchanges.structs import (
    AuthenticationError,
    AuthenticationTimeout,
    ConfigurationError,
    ExchangeError,
    WebSocketConfig,
)
from infrastructure.networking.websocket.mixins.connection_mixin import (
    ConnectionMixin,
    GateioConnectionMixin,
    MexcConnectionMixin,
)
from infrastructure.networking.websocket.testing import FakeServer
from infrastructure.networking.websocket.transport import ConnectFailed, ConnectionEnded


def make(kind: type[ConnectionMixin], server: FakeServer | None = None, **settings: Any) -> ConnectionMixin:
    """The mixin alone, with what an interface would give it."""
    mixin = kind()
    mixin.config = WebSocketConfig("wss://x/ws", **settings)
    mixin._open_transport = (server or FakeServer()).open
    return mixin


@pytest.mark.checklist("1.2.1", "1.2.2", "1.2.4", "1.2.9")
def test_mexc_has_minimal_headers_no_compression_and_protocol_pings() -> None:
    mexc = make(MexcConnectionMixin)
    settings = mexc.transport_settings()
    assert dict(settings.headers) == {}
    assert settings.user_agent is None
    assert not settings.compression
    assert mexc.create_heartbeat_message() is None
    assert mexc.heartbeat_interval() == 30.0


@pytest.mark.checklist("1.2.3", "1.2.5", "1.2.10")
@pytest.mark.parametrize("enabled", [True, False])
def test_gateio_asks_for_deflate_where_configured_and_pings_on_its_channel(enabled: bool) -> None:
    gateio = make(GateioConnectionMixin, enable_compression=enabled, heartbeat_interval=12.0)
    assert gateio.transport_settings().compression is enabled
    ping = orjson.loads(gateio.create_heartbeat_message() or "")
    assert ping["channel"] == "spot.ping"
    assert ping["time"] > 1_600_000_000
    assert gateio.heartbeat_interval() == 12.0
    assert make(GateioConnectionMixin, heartbeat_interval=None).heartbeat_interval() is None


@pytest.mark.checklist("1.2.6", "1.2.11", "5.1.6")
def test_policies_differ_by_exchange() -> None:
    mexc, gateio = (
        make(MexcConnectionMixin).get_reconnection_policy(),
        make(GateioConnectionMixin).get_reconnection_policy(),
    )
    assert (mexc.max_attempts, mexc.initial_delay, mexc.backoff_factor, mexc.max_delay, mexc.reset_on_1005) == (
        10,
        1.0,
        2.0,
        60.0,
        True,
    )
    assert (gateio.max_attempts, gateio.initial_delay, gateio.backoff_factor, gateio.max_delay) == (15, 2.0, 1.5, 30.0)
    assert not gateio.reset_on_1005


@pytest.mark.checklist("1.2.7", "1.2.12")
@pytest.mark.parametrize(
    ("error", "word"),
    [
        (ConnectFailed("connection_refused", "x"), "connection_refused"),
        (ConnectFailed("timeout", "x"), "timeout"),
        (ConnectionEnded(1006), "abnormal_closure"),
        (ConnectionEnded(1005), "abnormal_closure"),
        (ConnectionEnded(1001), "unknown"),
        (AuthenticationError("x"), "authentication_failure"),
        (ConnectionRefusedError(), "connection_refused"),
        (TimeoutError(), "timeout"),
        (ValueError("x"), "unknown"),
    ],
)
def test_errors_are_classified(error: Exception, word: str) -> None:
    assert make(ConnectionMixin).classify_error(error) == word
    assert make(MexcConnectionMixin).classify_error(error) == word


@pytest.mark.checklist("1.2.7")
def test_mexc_tells_a_policy_close() -> None:
    assert make(MexcConnectionMixin).classify_error(ConnectionEnded(1008)) == "authentication_failure"
    assert make(GateioConnectionMixin).classify_error(ConnectionEnded(1008)) == "unknown"


@pytest.mark.checklist("1.2.8")
@pytest.mark.parametrize("kind", [MexcConnectionMixin, GateioConnectionMixin])
def test_only_what_a_retry_can_mend_is_retried(kind: type[ConnectionMixin]) -> None:
    mixin = make(kind)
    assert mixin.should_reconnect(ConnectionEnded(1006))
    assert mixin.should_reconnect(ConnectFailed("timeout", "x"))
    assert mixin.should_reconnect(AuthenticationTimeout("x"))
    assert mixin.should_reconnect(ValueError("x"))
    assert not mixin.should_reconnect(AuthenticationError("x"))
    assert not mixin.should_reconnect(ConfigurationError("x"))


def test_gateio_does_not_retry_error_code_4() -> None:
    refused = ExchangeError("refused")
    refused.code = 4  # type: ignore[attr-defined]
    assert not make(GateioConnectionMixin).should_reconnect(refused)
    assert make(MexcConnectionMixin).should_reconnect(refused)


@pytest.mark.checklist("1.2.13")
def test_the_context_says_what_the_connection_needs() -> None:
    context = make(GateioConnectionMixin).create_connection_context()
    assert (context.url, context.headers, context.auth_required) == ("wss://x/ws", {}, False)
    assert context.ping_message is not None
    assert (context.max_reconnect_attempts, context.reconnect_delay) == (15, 2.0)


async def test_connect_opens_with_these_settings() -> None:
    server = FakeServer()
    socket = await asyncio.wait_for(make(MexcConnectionMixin, server, connect_timeout=3.0).connect(), 5)
    assert socket is server.socket
    assert server.socket.settings.connect_timeout == 3.0
