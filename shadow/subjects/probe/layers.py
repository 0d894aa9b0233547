"""The layers of a stack by themselves. Of the legacy only what it has: its layers are cut otherwise."""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter_ns
from typing import Any

from exchanges.integrations.gateio.builder import build_handler as gateio_handler
from exchanges.integrations.mexc.builder import build_handler as mexc_handler
from exchanges.structs import (
    ConnectionState,
    ExchangeConfig,
    PublicWebsocketChannelType,
    WebSocketConfig,
)
from exchanges.structs.symbols import from_gateio
from infrastructure.networking.websocket.backlog import Backlog
from infrastructure.networking.websocket.handlers.base_message_handler import BaseMessageHandler
from infrastructure.networking.websocket.migration.stacks import load_builder
from infrastructure.networking.websocket.mixins.auth_mixin import NoAuthMixin
from infrastructure.networking.websocket.mixins.connection_mixin import ConnectionMixin
from legacy.gateio.signing import login_message
from shadow.subjects.probe.doors import offline_config, prepare
from shadow.subjects.probe.frames import SYMBOL, account_frames, frames, mixed_frames
from shadow.subjects.probe.samples import Roles, Samples, timed

__all__ = ["measure_layers"]

CALLS = 400
STARTS = 40
WARM_UP = 5
# A public or private type, how its parser is called, and the kind of its channel comes from detection.
PUBLIC_PARSERS = {"book": "_parse_orderbook", "trade": "_parse_trades", "ticker": "_parse_ticker"}
PRIVATE_PARSERS = {"order": "_parse_orders", "balance": "_parse_balances", "position": "_parse_positions"}


async def measure_layers(roles: Roles, samples: Samples) -> None:
    """All layers that each role's architecture has; figures as in docs/run-directory.md."""
    for role, architecture in roles.items():
        samples.add(role, "initialise", await _initialise(architecture))
        samples.add(role, "state", await _states(architecture))
        own = _legacy_layers() if architecture == "legacy" else _new_layers()
        for figure, values in own.items():
            samples.add(role, figure, values)


async def _initialise(architecture: str) -> list[int]:
    """Built and its tasks started; closed before the loop lets them run."""
    build = load_builder(architecture, "gateio")
    out = []
    for _ in range(WARM_UP + STARTS):
        began = perf_counter_ns()
        manager = build(offline_config("gateio"), False, _ignore, None)
        await manager.initialize([from_gateio(SYMBOL)], list(PublicWebsocketChannelType))
        out.append(perf_counter_ns() - began)
        await manager.close()
    return out[WARM_UP:]


async def _ignore(_: Any) -> None:
    return


async def _states(architecture: str) -> list[int]:
    """Each change with the consumer told of it."""
    manager = load_builder(architecture, "gateio")(offline_config("gateio"), False, _ignore, _ignore)
    set_state = manager._set_state if architecture == "legacy" else manager.handler._set_state
    out = []
    for number in range(CALLS):
        state = (ConnectionState.CONNECTING, ConnectionState.CONNECTED)[number % 2]
        began = perf_counter_ns()
        await set_state(state)
        out.append(perf_counter_ns() - began)
    return out


def _legacy_layers() -> dict[str, list[int]]:
    manager = load_builder("legacy", "gateio")(offline_config("gateio"), False, _ignore, None)
    credentials = offline_config("gateio").credentials
    assert credentials is not None
    return {
        "queueing": timed(manager._on_raw_message, frames("gateio", "trade", CALLS)),
        "auth_message": timed(lambda _: login_message(credentials, "spot.login"), range(CALLS)),
    }


def _new_layers() -> dict[str, list[int]]:
    login: Any = gateio_handler(offline_config("gateio"), True)
    bare = _Bare()
    return {
        "queueing": timed(Backlog(2 * CALLS).put, frames("gateio", "trade", CALLS)),
        "auth_message": timed(lambda _: login.create_auth_message(), range(CALLS)),
        "template": timed(bare._on_raw_message, [b"x"] * CALLS),
        **{f"detect.{exchange}": _detection(exchange) for exchange in HANDLERS},
        **{f"route.{kind}": _routing(kind) for kind in PUBLIC_PARSERS},
        **{f"route.{kind}": _account_routing(kind) for kind in PRIVATE_PARSERS},
    }


class _Bare(ConnectionMixin, NoAuthMixin, BaseMessageHandler):
    """Detects and routes at once: what is left is the template with its measuring, validation and error handling."""

    def __init__(self) -> None:
        super().__init__(WebSocketConfig("ws://127.0.0.1:1/"))

    def _detect_message_type(self, raw_message: bytes) -> tuple[int, bytes]:
        return 1, raw_message

    def _route_message(self, kind: int, payload: bytes) -> None:
        return

    async def _restore_subscriptions(self) -> None:
        return


HANDLERS: dict[str, Callable[..., Any]] = {"gateio": gateio_handler, "mexc": mexc_handler}


def _public(exchange: str) -> Any:
    handler = HANDLERS[exchange](offline_config(exchange), False)
    prepare(handler)
    return handler


def _detection(exchange: str) -> list[int]:
    return timed(_public(exchange)._detect_message_type, mixed_frames(exchange, CALLS))


def _routing(kind: str) -> list[int]:
    return _routed(_public("mexc"), PUBLIC_PARSERS[kind], frames("mexc", kind, CALLS))


def _account_routing(kind: str) -> list[int]:
    config = offline_config("gateio")
    futures = ExchangeConfig("GATEIO_FUTURES", config.credentials, websocket_url=config.websocket_url)
    return _routed(gateio_handler(futures, True), PRIVATE_PARSERS[kind], account_frames(kind, CALLS))


def _routed(handler: Any, parser: str, raw_frames: list[bytes]) -> list[int]:
    """From a frame's parsed events to the callback; the parser gives back what it gave before."""
    detected = [handler._detect_message_type(raw) for raw in raw_frames]
    parse = getattr(handler, parser)
    parsed = [(kind, parse(payload)) for kind, payload in detected]
    setattr(handler, parser, lambda events: events)
    handler.set_callbacks(handler.callbacks)
    return timed(lambda one: handler._route_message(*one), parsed)
