"""Puts a legacy manager for Gate.io together."""

from __future__ import annotations

import logging
from typing import Any

from exchanges.structs import ConfigurationError, ExchangeConfig
from legacy.gateio.strategies.spot_public.connection import GateioSpotPublicConnection
from legacy.gateio.strategies.spot_public.parser import GateioSpotPublicParser
from legacy.gateio.strategies.spot_public.subscription import GateioSpotPublicSubscription
from legacy.websocket.settings import websocket_config
from legacy.websocket.strategies.strategy_set import WebSocketStrategySet
from legacy.websocket.ws_manager import ConnectionHandler, MessageHandler, WebSocketManager

__all__ = ["build"]


def build(
    exchange_config: ExchangeConfig,
    is_private: bool = False,
    message_handler: MessageHandler | None = None,
    connection_handler: ConnectionHandler | None = None,
    **kwargs: Any,
) -> WebSocketManager:
    """A manager for GATEIO_SPOT, public; options: manager_config, logger, others are ignored.

    Raises ConfigurationError (a ValueError) for connections that are not there.
    """
    if exchange_config.name != "GATEIO_SPOT" or is_private:
        scope = "private" if is_private else "public"
        raise ConfigurationError(f"{exchange_config.name} {scope} is not built; built is GATEIO_SPOT public")
    config = websocket_config(exchange_config)
    strategies = WebSocketStrategySet(
        GateioSpotPublicConnection(config), GateioSpotPublicSubscription(), GateioSpotPublicParser()
    )
    return WebSocketManager(
        config,
        strategies,
        message_handler,
        connection_handler,
        kwargs.get("manager_config"),
        kwargs.get("logger") or logging.getLogger("websocket.gateio.spot.public"),
    )
