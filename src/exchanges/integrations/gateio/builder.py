"""Builds Gate.io connections: `build` behind the factory door, `build_direct` with typed callbacks."""

from __future__ import annotations

import logging
import random
from typing import Any

from exchanges.integrations.gateio.endpoints import FUTURES_URL, REST_URL, SPOT_URL
from exchanges.integrations.gateio.rest import GateioFuturesRest, GateioRest
from exchanges.integrations.gateio.ws.handlers.futures_private_handler import GateioFuturesPrivateHandler
from exchanges.integrations.gateio.ws.handlers.futures_public_handler import GateioFuturesPublicHandler
from exchanges.integrations.gateio.ws.handlers.private_handler import GateioPrivateHandler
from exchanges.integrations.gateio.ws.handlers.public_handler import GateioPublicHandler
from exchanges.integrations.gateio.ws.handlers.spot_private_handler import GateioSpotPrivateHandler
from exchanges.integrations.gateio.ws.handlers.spot_public_handler import GateioSpotPublicHandler
from exchanges.structs.errors import ConfigurationError
from exchanges.structs.events import PrivateCallbacks, PublicCallbacks
from exchanges.structs.types import ExchangeConfig, WebSocketConfig, WebSocketManagerConfig
from infrastructure.networking.websocket.base_interface import ConnectionHandler, MessageHandler
from infrastructure.networking.websocket.direct import DirectConnection
from infrastructure.networking.websocket.transport import Opener
from infrastructure.networking.websocket.ws_manager import WebSocketManager

__all__ = ["build", "build_direct", "build_handler"]

# By name: handler, address, REST side, name of the logger.
PUBLIC: dict[str, tuple[type[GateioPublicHandler], str, type[GateioRest], str]] = {
    "GATEIO_SPOT": (GateioSpotPublicHandler, SPOT_URL, GateioRest, "spot.public"),
    "GATEIO_FUTURES": (GateioFuturesPublicHandler, FUTURES_URL, GateioFuturesRest, "futures.public"),
}
# By name: handler, address, name of the logger.
PRIVATE: dict[str, tuple[type[GateioPrivateHandler], str, str]] = {
    "GATEIO_SPOT": (GateioSpotPrivateHandler, SPOT_URL, "spot.private"),
    "GATEIO_FUTURES": (GateioFuturesPrivateHandler, FUTURES_URL, "futures.private"),
}


def build(
    exchange_config: ExchangeConfig,
    is_private: bool,
    message_handler: MessageHandler | None,
    connection_handler: ConnectionHandler | None = None,
    *,
    manager_config: WebSocketManagerConfig | None = None,
    logger: logging.Logger | None = None,
    callbacks: PublicCallbacks | PrivateCallbacks | None = None,
    transport: str | Opener | None = None,
    random_source: random.Random | None = None,
    auth_timeout_s: float | None = None,
    **unknown: Any,
) -> WebSocketManager:
    """A manager with the public API that callers know; ConfigurationError for options that do not exist."""
    if unknown:
        raise ConfigurationError(f"unknown options: {', '.join(sorted(unknown))}")
    private_options = {} if auth_timeout_s is None else {"auth_timeout_s": auth_timeout_s}
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
        **private_options,
    )
    return WebSocketManager(handler.config, handler, message_handler, connection_handler, manager_config)


def build_direct(
    exchange_config: ExchangeConfig,
    callbacks: PublicCallbacks | PrivateCallbacks,
    is_private: bool = False,
    **options: Any,
) -> DirectConnection:
    """A connection with plain typed callbacks; options as of the handler (logger, transport, manager_config, ...)."""
    return DirectConnection(build_handler(exchange_config, is_private, callbacks=callbacks, **options))


def build_handler(
    exchange_config: ExchangeConfig, is_private: bool, **options: Any
) -> GateioPublicHandler | GateioPrivateHandler:
    """The handler of this exchange, market and scope; ConfigurationError where none exists or credentials lack.

    A private one takes `auth_timeout_s`: seconds that the answer to its login may take, 10 unless told.
    """
    name = exchange_config.name.upper()
    if name not in PUBLIC:
        raise ConfigurationError(f"the new stack has no connection for {exchange_config.name}")
    expected = PrivateCallbacks if is_private else PublicCallbacks
    if not isinstance(options.get("callbacks") or expected(), expected):
        raise ConfigurationError(f"{name}: this connection takes {expected.__name__}")
    if is_private:
        return _build_private(exchange_config, *PRIVATE[name], options)
    if "auth_timeout_s" in options:
        raise ConfigurationError("auth_timeout_s is an option of private connections")
    handler_type, default_url, rest_type, logger_name = PUBLIC[name]
    config = _prepare(exchange_config, default_url, logger_name, options)
    return handler_type(config, rest=rest_type(exchange_config.base_url or REST_URL), **options)


def _build_private(
    exchange_config: ExchangeConfig,
    handler_type: type[GateioPrivateHandler],
    default_url: str,
    logger_name: str,
    options: dict[str, Any],
) -> GateioPrivateHandler:
    credentials = exchange_config.credentials
    if credentials is None or not exchange_config.has_credentials():
        raise ConfigurationError(
            f"{exchange_config.name}: a private connection needs credentials; set ExchangeConfig.credentials"
        )
    config = _prepare(exchange_config, default_url, logger_name, options)
    return handler_type(config, credentials=credentials, **options)


def _prepare(
    exchange_config: ExchangeConfig, default_url: str, logger_name: str, options: dict[str, Any]
) -> WebSocketConfig:
    """The connection's settings; fills in the logger and transport of `options`."""
    url = exchange_config.websocket_url or default_url
    options["logger"] = options.get("logger") or logging.getLogger(f"websocket.gateio.{logger_name}")
    options["transport"] = options.get("transport") or exchange_config.transport
    return (exchange_config.websocket or WebSocketConfig(url)).with_url(url)
