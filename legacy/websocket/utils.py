"""The legacy factory."""

from __future__ import annotations

from typing import Any

from exchanges.structs import ConfigurationError, ExchangeConfig
from legacy.gateio import builder as gateio
from legacy.mexc import builder as mexc
from legacy.websocket.ws_manager import ConnectionHandler, MessageHandler, WebSocketManager

__all__ = ["create_websocket_manager"]

_BUILDERS = {"MEXC_SPOT": mexc.build, "GATEIO_SPOT": gateio.build, "GATEIO_FUTURES": gateio.build}


def create_websocket_manager(
    exchange_config: ExchangeConfig,
    is_private: bool = False,
    message_handler: MessageHandler | None = None,
    connection_handler: ConnectionHandler | None = None,
    **kwargs: Any,
) -> WebSocketManager:
    """A manager by the exchange's name: MEXC_SPOT, GATEIO_SPOT, GATEIO_FUTURES.

    Raises ValueError for another name, and for a private connection without credentials.
    """
    build = _BUILDERS.get(exchange_config.name)
    if build is None:
        raise ConfigurationError(f"unknown exchange {exchange_config.name!r}; known are {', '.join(sorted(_BUILDERS))}")
    if is_private and not exchange_config.has_credentials():
        raise ConfigurationError(f"{exchange_config.name} private needs credentials; give ExchangeConfig.credentials")
    return build(exchange_config, is_private, message_handler, connection_handler, **kwargs)
