"""Builds Gate.io connections: `build` behind the factory door, `build_direct` with typed callbacks."""

from __future__ import annotations

import logging
import random
from typing import Any

from exchanges.integrations.gateio.endpoints import FUTURES_URL, REST_URL, SPOT_URL
from exchanges.integrations.gateio.rest import GateioFuturesRest, GateioRest
from exchanges.integrations.gateio.ws.handlers.futures_public_handler import GateioFuturesPublicHandler
from exchanges.integrations.gateio.ws.handlers.public_handler import GateioPublicHandler
from exchanges.integrations.gateio.ws.handlers.spot_public_handler import GateioSpotPublicHandler
from exchanges.structs.errors import ConfigurationError
from exchanges.structs.events import PublicCallbacks
from exchanges.structs.types import ExchangeConfig, WebSocketConfig, WebSocketManagerConfig
from infrastructure.networking.websocket.base_interface import ConnectionHandler, MessageHandler
from infrastructure.networking.websocket.direct import DirectConnection
from infrastructure.networking.websocket.transport import Opener
from infrastructure.networking.websocket.ws_manager import WebSocketManager

__all__ = ["build", "build_direct", "build_handler"]

# By name and scope: handler, address, REST side, name of the logger.
HANDLERS: dict[tuple[str, bool], tuple[type[GateioPublicHandler], str, type[GateioRest], str]] = {
    ("GATEIO_SPOT", False): (GateioSpotPublicHandler, SPOT_URL, GateioRest, "spot.public"),
    ("GATEIO_FUTURES", False): (GateioFuturesPublicHandler, FUTURES_URL, GateioFuturesRest, "futures.public"),
}


def build(
    exchange_config: ExchangeConfig,
    is_private: bool,
    message_handler: MessageHandler | None,
    connection_handler: ConnectionHandler | None = None,
    *,
    manager_config: WebSocketManagerConfig | None = None,
    logger: logging.Logger | None = None,
    callbacks: PublicCallbacks | None = None,
    transport: str | Opener | None = None,
    random_source: random.Random | None = None,
    **unknown: Any,
) -> WebSocketManager:
    """A manager with the public API that callers know; ConfigurationError for options that do not exist."""
    if unknown:
        raise ConfigurationError(f"unknown options: {', '.join(sorted(unknown))}")
    handler = build_handler(
        exchange_config,
        is_private,
        message_handler=message_handler,
        connection_handler=connection_handler,
        manager_config=manager_config,
        logger=logger,
        callbacks=callbacks,
        transport=transport,
        random_source=random_source,
    )
    return WebSocketManager(handler.config, handler, message_handler, connection_handler, manager_config)


def build_direct(
    exchange_config: ExchangeConfig,
    callbacks: PublicCallbacks,
    is_private: bool = False,
    **options: Any,
) -> DirectConnection:
    """A connection with plain typed callbacks; options as of the handler (logger, transport, manager_config, ...)."""
    return DirectConnection(build_handler(exchange_config, is_private, callbacks=callbacks, **options))


def build_handler(exchange_config: ExchangeConfig, is_private: bool, **options: Any) -> GateioPublicHandler:
    """The handler of this exchange, market and scope; ConfigurationError where none exists."""
    known = HANDLERS.get((exchange_config.name.upper(), is_private))
    if known is None:
        scope = "private" if is_private else "public"
        raise ConfigurationError(f"the new stack has no {scope} connection for {exchange_config.name}")
    handler_type, default_url, rest_type, name = known
    url = exchange_config.websocket_url or default_url
    config = (exchange_config.websocket or WebSocketConfig(url)).with_url(url)
    options["logger"] = options.get("logger") or logging.getLogger(f"websocket.gateio.{name}")
    options["transport"] = options.get("transport") or exchange_config.transport
    return handler_type(config, rest=rest_type(exchange_config.base_url or REST_URL), **options)
