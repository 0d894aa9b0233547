"""Puts a legacy manager for Gate.io together."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from exchanges.structs import ConfigurationError, ExchangeConfig, WebSocketConfig
from legacy.gateio.strategies.futures_public.connection import GateioFuturesPublicConnection
from legacy.gateio.strategies.futures_public.parser import GateioFuturesPublicParser
from legacy.gateio.strategies.futures_public.subscription import GateioFuturesPublicSubscription
from legacy.gateio.strategies.spot_public.connection import GateioSpotPublicConnection
from legacy.gateio.strategies.spot_public.parser import GateioSpotPublicParser
from legacy.gateio.strategies.spot_public.subscription import GateioSpotPublicSubscription
from legacy.websocket.settings import websocket_config
from legacy.websocket.strategies.strategy_set import WebSocketStrategySet
from legacy.websocket.ws_manager import ConnectionHandler, MessageHandler, WebSocketManager

__all__ = ["build"]


_STRATEGIES: dict[str, tuple[str, Callable[[WebSocketConfig], WebSocketStrategySet]]] = {
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


def build(
    exchange_config: ExchangeConfig,
    is_private: bool = False,
    message_handler: MessageHandler | None = None,
    connection_handler: ConnectionHandler | None = None,
    **kwargs: Any,
) -> WebSocketManager:
    """A manager for GATEIO_SPOT or GATEIO_FUTURES, public; options: manager_config, logger, others are ignored.

    Raises ConfigurationError (a ValueError) for connections that are not there.
    """
    known = _STRATEGIES.get(exchange_config.name)
    if known is None or is_private:
        scope = "private" if is_private else "public"
        built = ", ".join(f"{name} public" for name in _STRATEGIES)
        raise ConfigurationError(f"{exchange_config.name} {scope} is not built; built are {built}")
    name, strategies = known
    config = websocket_config(exchange_config)
    return WebSocketManager(
        config,
        strategies(config),
        message_handler,
        connection_handler,
        kwargs.get("manager_config"),
        kwargs.get("logger") or logging.getLogger(f"websocket.gateio.{name}"),
    )
