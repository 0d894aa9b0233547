"""The legacy factory and the parts that it puts together."""

from __future__ import annotations

from typing import Any

import pytest

import exchanges.structs as shared
from exchanges.structs import ExchangeConfig, ExchangeCredentials, WebSocketConfig, WebSocketManagerConfig
from legacy.gateio.strategies.spot_public.parser import GateioSpotPublicParser
from legacy.mexc.strategies.spot_public.parser import MexcSpotPublicParser
from legacy.websocket import structs
from legacy.websocket.strategies import WebSocketStrategySet
from legacy.websocket.utils import create_websocket_manager

URL = "ws://127.0.0.1:1/ws"


@pytest.mark.parametrize(
    ("name", "parser", "logger"),
    [
        ("GATEIO_SPOT", GateioSpotPublicParser, "websocket.gateio.spot.public"),
        ("MEXC_SPOT", MexcSpotPublicParser, "websocket.mexc.spot.public"),
    ],
)
def test_a_manager_by_the_exchange_name(name: str, parser: type, logger: str, caller: Any) -> None:
    settings = WebSocketConfig("ws://elsewhere", heartbeat_interval=None)
    manager = create_websocket_manager(
        ExchangeConfig(name, websocket_url=URL, websocket=settings),
        message_handler=caller.on_message,
        connection_handler=caller.on_state,
        manager_config=WebSocketManagerConfig(max_pending_messages=3),
    )
    assert isinstance(manager.strategies.message_parser, parser)
    assert manager.config == settings.with_url(URL)
    assert (manager.message_handler, manager.connection_handler) == (caller.on_message, caller.on_state)
    assert manager.manager_config.max_pending_messages == 3
    assert manager.logger.name == logger


@pytest.mark.parametrize("name", ["GATEIO_SPOT", "MEXC_SPOT", "GATEIO_FUTURES"])
def test_private_without_credentials_is_a_value_error(name: str) -> None:
    with pytest.raises(ValueError, match="needs credentials"):
        create_websocket_manager(ExchangeConfig(name, websocket_url=URL), is_private=True)


@pytest.mark.parametrize("name", ["GATEIO_FUTURES", "MEXC_SPOT", "GATEIO_SPOT"])
def test_private_is_built_with_credentials(name: str) -> None:
    config = ExchangeConfig(name, ExchangeCredentials("key", "secret"), websocket_url=URL)
    manager = create_websocket_manager(config, True)
    assert "Private" in type(manager.strategies.connection_strategy).__name__
    assert manager.logger.name.endswith(".private")


def test_an_unknown_exchange_and_a_missing_address() -> None:
    with pytest.raises(ValueError, match="NYSE"):
        create_websocket_manager(ExchangeConfig("NYSE", websocket_url=URL))
    with pytest.raises(ValueError, match="websocket_url"):
        create_websocket_manager(ExchangeConfig("MEXC_SPOT"))


def test_a_strategy_set_rejects_a_missing_one() -> None:
    strategies = create_websocket_manager(ExchangeConfig("MEXC_SPOT", websocket_url=URL)).strategies
    nothing: Any = None
    with pytest.raises(ValueError, match="message_parser"):
        WebSocketStrategySet(strategies.connection_strategy, strategies.subscription_strategy, nothing)


def test_types_are_the_shared_ones() -> None:
    names = [name for name in dir(shared) if isinstance(getattr(shared, name), type)]
    assert len(names) > 30
    assert all(getattr(structs, name) is getattr(shared, name) for name in names)
