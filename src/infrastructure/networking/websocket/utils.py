"""The door that callers use: one function, and the flag decides which stack is behind it."""

from __future__ import annotations

import logging
from typing import Any

from exchanges.structs import ConfigurationError, ExchangeConfig
from infrastructure.networking.websocket.handler_check import require_mixins
from infrastructure.networking.websocket.migration.stacks import Handler, has_builder, load_builder, unit_of
from infrastructure.networking.websocket.migration.stage import serving_architecture, stage_of

__all__ = ["create_websocket_manager"]

logger = logging.getLogger(__name__)


def create_websocket_manager(
    exchange_config: ExchangeConfig,
    is_private: bool = False,
    message_handler: Handler | None = None,
    connection_handler: Handler | None = None,
    **kwargs: Any,
) -> Any:
    """A WebSocketManager for one exchange, not yet initialised; legacy or new by the flag's stage.

    `message_handler` and `connection_handler` are coroutine functions of one ParsedMessage or ConnectionState.
    `kwargs` go to the stack's builder (`manager_config`, `logger`). Raises ConfigurationError, a ValueError, which
    says what is missing: an unknown exchange, no address, no handler, or credentials that a private connection needs.
    """
    exchange, market = unit_of(getattr(exchange_config, "name", ""))
    _validate(exchange_config, is_private, message_handler)
    stage, reason = stage_of(exchange, market)
    # Where there was never a legacy stack, there is nothing to migrate from.
    architecture = serving_architecture(stage) if has_builder("legacy", exchange) else "new"
    logger.debug("%s %s: stage %s (%s), %s serves", exchange, market, stage.value, reason, architecture)
    builder = load_builder(architecture, exchange)
    manager = builder(exchange_config, is_private, message_handler, connection_handler, **kwargs)
    if architecture == "new":
        require_mixins(type(manager.handler), is_private)
    return manager


def _validate(config: ExchangeConfig, is_private: bool, message_handler: Handler | None) -> None:
    if message_handler is None:
        raise ConfigurationError("message_handler is missing: give a coroutine function that takes a ParsedMessage")
    if not config.websocket_url and not (config.websocket and config.websocket.url):
        raise ConfigurationError(f"{config.name}: no address; set ExchangeConfig.websocket_url or .websocket.url")
    if is_private and not config.has_credentials():
        raise ConfigurationError(
            f"{config.name}: a private connection needs credentials; set ExchangeConfig.credentials"
        )
