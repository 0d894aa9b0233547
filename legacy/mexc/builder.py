"""Puts a legacy manager for MEXC together."""

from __future__ import annotations

import logging
from typing import Any

from exchanges.structs import ConfigurationError, ExchangeConfig
from legacy.mexc.strategies.spot_public.connection import MexcSpotPublicConnection
from legacy.mexc.strategies.spot_public.parser import MexcSpotPublicParser
from legacy.mexc.strategies.spot_public.subscription import MexcSpotPublicSubscription
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
    """A manager for MEXC_SPOT, public; options: manager_config, logger, others are ignored.

    Raises ConfigurationError (a ValueError) for connections that are not there.
    """
    if exchange_config.name != "MEXC_SPOT" or is_private:
        scope = "private" if is_private else "public"
        raise ConfigurationError(f"{exchange_config.name} {scope} is not built; built is MEXC_SPOT public")
    config = websocket_config(exchange_config)
    strategies = WebSocketStrategySet(
        MexcSpotPublicConnection(config), MexcSpotPublicSubscription(), MexcSpotPublicParser()
    )
    return WebSocketManager(
        config,
        strategies,
        message_handler,
        connection_handler,
        kwargs.get("manager_config"),
        kwargs.get("logger") or logging.getLogger("websocket.mexc.spot.public"),
    )
