"""The door that callers use: one function, and the flag decides which stack is behind it."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from exchanges.structs import ConfigurationError, ExchangeConfig
from infrastructure.networking.websocket.handler_check import require_mixins
from infrastructure.networking.websocket.migration.event import Side
from infrastructure.networking.websocket.migration.sidecar import Sidecar, StackSpec
from infrastructure.networking.websocket.migration.stacks import Handler, has_builder, load_builder, unit_of
from infrastructure.networking.websocket.migration.stage import Stage, serving_architecture, stage_of
from infrastructure.networking.websocket.migration.unit import PRIVATE, Unit, account_name

if TYPE_CHECKING:
    from infrastructure.networking.websocket.migration.tap import Tap

__all__ = ["create_websocket_manager"]

logger = logging.getLogger(__name__)

PLACEMENTS = ("sidecar", "inline")


def create_websocket_manager(
    exchange_config: ExchangeConfig,
    is_private: bool = False,
    message_handler: Handler | None = None,
    connection_handler: Handler | None = None,
    *,
    placement: str = "sidecar",
    tap: Tap | None = None,
    **kwargs: Any,
) -> Any:
    """A WebSocketManager for one exchange, not yet initialised; legacy, new or both by the flag's stage.

    `message_handler` and `connection_handler` are coroutine functions of one ParsedMessage or ConnectionState.
    `placement` is where the stack runs that does not serve when a manager of both is made, `sidecar` in a process of
    its own or `inline` in this loop; at `tap`, if it is given, a manager of both shows what each delivers. `kwargs` go
    to the stack's builder (`manager_config`, `logger`).
    Raises ConfigurationError, a ValueError, which says what is missing: an unknown exchange or placement, no address,
    no handler, or credentials that a private connection needs.
    """
    if placement not in PLACEMENTS:
        raise ConfigurationError(f"unknown placement {placement!r}; known: {', '.join(PLACEMENTS)}")
    exchange, market = unit_of(getattr(exchange_config, "name", ""))
    _validate(exchange_config, is_private, message_handler)

    build = partial(_build_either, exchange_config, is_private, kwargs)
    # Where there was never a legacy stack, there is nothing to migrate from.
    if not has_builder("legacy", exchange):
        return build("new", message_handler, connection_handler)
    scope = _scope(exchange, market, exchange_config, is_private)
    stage, reason = stage_of(exchange, market, channel=scope.channel, account=scope.account)
    logger.debug("%s: stage %s (%s)", scope, stage.value, reason)
    if stage in (Stage.OFF, Stage.COMPLETE):
        return build("new" if stage is Stage.COMPLETE else "legacy", message_handler, connection_handler)
    from infrastructure.networking.websocket.migration.dual_run import DualRunManager

    assert message_handler is not None
    builds = _builds(
        stage, build, StackSpec("", exchange_config, is_private, kwargs) if placement == "sidecar" else None
    )
    return DualRunManager(
        scope, builds, message_handler, connection_handler, stage=stage, logger=kwargs.get("logger"), tap=tap
    )


def build_stack(
    architecture: str,
    exchange_config: ExchangeConfig,
    is_private: bool,
    message_handler: Handler | None,
    connection_handler: Handler | None,
    **kwargs: Any,
) -> Any:
    """One stack's manager, whatever the flag says; ConfigurationError as of `create_websocket_manager`."""
    exchange, _ = unit_of(exchange_config.name)
    builder = load_builder(architecture, exchange)
    manager = builder(exchange_config, is_private, message_handler, connection_handler, **kwargs)
    if architecture == "new":
        require_mixins(type(manager.handler), is_private)
    return manager


def _build_either(
    config: ExchangeConfig,
    is_private: bool,
    options: dict[str, Any],
    architecture: str,
    message_handler: Handler | None,
    connection_handler: Handler | None,
) -> Any:
    return build_stack(architecture, config, is_private, message_handler, connection_handler, **options)


def _scope(exchange: str, market: str, config: ExchangeConfig, is_private: bool) -> Unit:
    """What the whole manager is to the flag."""
    if not is_private or config.credentials is None:
        return Unit(exchange, market)
    return Unit(exchange, market, PRIVATE, account=account_name(config.credentials.api_key))


def _builds(stage: Stage, build: Callable[..., Any], spec: StackSpec | None) -> dict[Side, Callable[..., Any]]:
    """How each side is made: the one that serves now in this loop, the other where the placement says."""
    builds: dict[Side, Callable[..., Any]] = {side: partial(build, side.value) for side in Side}
    if spec is not None:
        standby = Side(serving_architecture(stage)).other
        builds[standby] = partial(Sidecar, replace(spec, architecture=standby.value))
    return builds


def _validate(config: ExchangeConfig, is_private: bool, message_handler: Handler | None) -> None:
    if message_handler is None:
        raise ConfigurationError("message_handler is missing: give a coroutine function that takes a ParsedMessage")
    if not config.websocket_url and not (config.websocket and config.websocket.url):
        raise ConfigurationError(f"{config.name}: no address; set ExchangeConfig.websocket_url or .websocket.url")
    if is_private and not config.has_credentials():
        raise ConfigurationError(
            f"{config.name}: a private connection needs credentials; set ExchangeConfig.credentials"
        )
