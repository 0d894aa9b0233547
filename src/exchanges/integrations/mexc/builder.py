"""Builds MEXC connections: `build` behind the factory door, `build_direct` with typed callbacks."""

from __future__ import annotations

import logging
import random
from typing import Any

from exchanges.integrations.mexc.endpoints import REST_URL, SPOT_URL
from exchanges.integrations.mexc.listen_keys import MexcListenKeys
from exchanges.integrations.mexc.rest import MexcRest
from exchanges.integrations.mexc.ws.handlers.private_handler import MexcPrivateHandler
from exchanges.integrations.mexc.ws.handlers.public_handler import MexcPublicHandler
from exchanges.structs.errors import ConfigurationError
from exchanges.structs.events import PrivateCallbacks, PublicCallbacks
from exchanges.structs.types import ExchangeConfig, WebSocketConfig, WebSocketManagerConfig
from infrastructure.networking.websocket.base_interface import ConnectionHandler, MessageHandler
from infrastructure.networking.websocket.direct import DirectConnection
from infrastructure.networking.websocket.transport import Opener
from infrastructure.networking.websocket.ws_manager import WebSocketManager

__all__ = ["build", "build_direct", "build_handler"]

Handler = MexcPublicHandler | MexcPrivateHandler

PRIVATE_OPTIONS = {"auth_timeout_s", "extend_every_s"}


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
    extend_every_s: float | None = None,
    renew_after_s: float | None = None,
    **unknown: Any,
) -> WebSocketManager:
    """A manager with the public API that callers know; ConfigurationError for options that do not exist."""
    if unknown:
        raise ConfigurationError(f"unknown options: {', '.join(sorted(unknown))}")
    times = {"auth_timeout_s": auth_timeout_s, "extend_every_s": extend_every_s, "renew_after_s": renew_after_s}
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
        **{name: seconds for name, seconds in times.items() if seconds is not None},
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


def build_handler(exchange_config: ExchangeConfig, is_private: bool, **options: Any) -> Handler:
    """The handler of this exchange, market and scope; ConfigurationError where none exists or credentials lack.

    `renew_after_s`: after how many seconds a second connection takes over from the first, which the exchange would end
    after 24 hours (23 h 50 min; `math.inf` for never). A private one takes `auth_timeout_s`, seconds until the first
    answer must have come (10), and `extend_every_s`, seconds between extensions of its listen key (1800).
    """
    scope = "private" if is_private else "public"
    if exchange_config.name.upper() != "MEXC_SPOT":
        raise ConfigurationError(f"the new stack has no {scope} connection for {exchange_config.name}")
    url = exchange_config.websocket_url or SPOT_URL
    config = (exchange_config.websocket or WebSocketConfig(url)).with_url(url)
    options["logger"] = options.get("logger") or logging.getLogger(f"websocket.mexc.spot.{scope}")
    options["transport"] = options.get("transport") or exchange_config.transport
    base_url = exchange_config.base_url or REST_URL
    if not is_private:
        if foreign := sorted(PRIVATE_OPTIONS & options.keys()):
            raise ConfigurationError(f"options of private connections only: {', '.join(foreign)}")
        return MexcPublicHandler(config, rest=MexcRest(base_url), **options)
    if exchange_config.credentials is None or not exchange_config.has_credentials():
        raise ConfigurationError(f"{exchange_config.name}: a private connection needs credentials")
    return MexcPrivateHandler(config, keys=MexcListenKeys(base_url, exchange_config.credentials), **options)
