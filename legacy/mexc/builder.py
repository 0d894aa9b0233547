"""Puts a legacy manager for MEXC together."""

from __future__ import annotations

import logging
from typing import Any

from exchanges.structs import ConfigurationError, ExchangeConfig, WebSocketConfig
from legacy.mexc.strategies.spot_private.connection import MexcSpotPrivateConnection
from legacy.mexc.strategies.spot_private.parser import MexcSpotPrivateParser
from legacy.mexc.strategies.spot_private.subscription import MexcSpotPrivateSubscription
from legacy.mexc.strategies.spot_public.connection import MexcSpotPublicConnection
from legacy.mexc.strategies.spot_public.parser import MexcSpotPublicParser
from legacy.mexc.strategies.spot_public.subscription import MexcSpotPublicSubscription
from legacy.websocket.settings import websocket_config
from legacy.websocket.strategies.strategy_set import WebSocketStrategySet
from legacy.websocket.ws_manager import ConnectionHandler, MessageHandler, WebSocketManager

__all__ = ["build"]

_REST_URL = "https://api.mexc.com"


def build(
    exchange_config: ExchangeConfig,
    is_private: bool = False,
    message_handler: MessageHandler | None = None,
    connection_handler: ConnectionHandler | None = None,
    **kwargs: Any,
) -> WebSocketManager:
    """A manager for MEXC_SPOT; options: manager_config, logger, others are ignored.

    Raises ConfigurationError (a ValueError) for another name, and for a private one without credentials.
    """
    if exchange_config.name != "MEXC_SPOT":
        raise ConfigurationError(f"{exchange_config.name} is not built; built is MEXC_SPOT")
    config = websocket_config(exchange_config)
    strategies = _private(exchange_config, config) if is_private else _public(config)
    scope = "private" if is_private else "public"
    return WebSocketManager(
        config,
        strategies,
        message_handler,
        connection_handler,
        kwargs.get("manager_config"),
        kwargs.get("logger") or logging.getLogger(f"websocket.mexc.spot.{scope}"),
    )


def _public(config: WebSocketConfig) -> WebSocketStrategySet:
    return WebSocketStrategySet(MexcSpotPublicConnection(config), MexcSpotPublicSubscription(), MexcSpotPublicParser())


def _private(exchange_config: ExchangeConfig, config: WebSocketConfig) -> WebSocketStrategySet:
    credentials = exchange_config.credentials
    if credentials is None:
        raise ConfigurationError("MEXC_SPOT private needs credentials; give ExchangeConfig.credentials")
    connection = MexcSpotPrivateConnection(config, exchange_config.base_url or _REST_URL, credentials)
    return WebSocketStrategySet(connection, MexcSpotPrivateSubscription(), MexcSpotPrivateParser())
