"""Puts a legacy manager for Gate.io together."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from exchanges.structs import ConfigurationError, ExchangeConfig, ExchangeCredentials, WebSocketConfig
from legacy.gateio.strategies.futures_private.connection import GateioFuturesPrivateConnection
from legacy.gateio.strategies.futures_private.parser import GateioFuturesPrivateParser
from legacy.gateio.strategies.futures_private.subscription import GateioFuturesPrivateSubscription
from legacy.gateio.strategies.futures_public.connection import GateioFuturesPublicConnection
from legacy.gateio.strategies.futures_public.parser import GateioFuturesPublicParser
from legacy.gateio.strategies.futures_public.subscription import GateioFuturesPublicSubscription
from legacy.gateio.strategies.spot_private.connection import GateioSpotPrivateConnection
from legacy.gateio.strategies.spot_private.parser import GateioSpotPrivateParser
from legacy.gateio.strategies.spot_private.subscription import GateioSpotPrivateSubscription
from legacy.gateio.strategies.spot_public.connection import GateioSpotPublicConnection
from legacy.gateio.strategies.spot_public.parser import GateioSpotPublicParser
from legacy.gateio.strategies.spot_public.subscription import GateioSpotPublicSubscription
from legacy.websocket.settings import websocket_config
from legacy.websocket.strategies.strategy_set import WebSocketStrategySet
from legacy.websocket.ws_manager import ConnectionHandler, MessageHandler, WebSocketManager

__all__ = ["build"]


Strategies = Callable[[WebSocketConfig], WebSocketStrategySet]
PrivateStrategies = Callable[[WebSocketConfig, ExchangeCredentials], WebSocketStrategySet]

_PUBLIC: dict[str, tuple[str, Strategies]] = {
    "GATEIO_SPOT": (
        "spot.public",
        lambda config: WebSocketStrategySet(
            GateioSpotPublicConnection(config), GateioSpotPublicSubscription(), GateioSpotPublicParser()
        ),
    ),
    "GATEIO_FUTURES": (
        "futures.public",
        lambda config: WebSocketStrategySet(
            GateioFuturesPublicConnection(config), GateioFuturesPublicSubscription(), GateioFuturesPublicParser()
        ),
    ),
}
_PRIVATE: dict[str, tuple[str, PrivateStrategies]] = {
    "GATEIO_SPOT": (
        "spot.private",
        lambda config, credentials: WebSocketStrategySet(
            GateioSpotPrivateConnection(config, credentials),
            GateioSpotPrivateSubscription(credentials),
            GateioSpotPrivateParser(),
        ),
    ),
    "GATEIO_FUTURES": (
        "futures.private",
        lambda config, credentials: WebSocketStrategySet(
            GateioFuturesPrivateConnection(config, credentials),
            GateioFuturesPrivateSubscription(credentials),
            GateioFuturesPrivateParser(),
        ),
    ),
}


def build(
    exchange_config: ExchangeConfig,
    is_private: bool = False,
    message_handler: MessageHandler | None = None,
    connection_handler: ConnectionHandler | None = None,
    **kwargs: Any,
) -> WebSocketManager:
    """A manager for GATEIO_SPOT or GATEIO_FUTURES; options: manager_config, logger, others are ignored.

    Raises ConfigurationError (a ValueError) for another name, and for a private one without credentials.
    """
    config = websocket_config(exchange_config)
    name, strategies = _strategies(exchange_config, is_private, config)
    return WebSocketManager(
        config,
        strategies,
        message_handler,
        connection_handler,
        kwargs.get("manager_config"),
        kwargs.get("logger") or logging.getLogger(f"websocket.gateio.{name}"),
    )


def _strategies(
    exchange_config: ExchangeConfig, is_private: bool, config: WebSocketConfig
) -> tuple[str, WebSocketStrategySet]:
    if exchange_config.name not in _PUBLIC:
        raise ConfigurationError(f"{exchange_config.name} is not built; built are {', '.join(_PUBLIC)}")
    if not is_private:
        name, make = _PUBLIC[exchange_config.name]
        return name, make(config)
    if exchange_config.credentials is None:
        raise ConfigurationError(f"{exchange_config.name} private needs credentials; give ExchangeConfig.credentials")
    name, make_private = _PRIVATE[exchange_config.name]
    return name, make_private(config, exchange_config.credentials)
