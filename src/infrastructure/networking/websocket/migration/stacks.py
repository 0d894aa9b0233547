"""The builders of both stacks by import path, so that `src` needs nothing of `legacy` until it is asked for.

A builder is `build(exchange_config, is_private, message_handler, connection_handler, **kwargs) -> manager`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from importlib import import_module
from typing import Any

from exchanges.structs import ConfigurationError

__all__ = ["BUILDERS", "has_builder", "load_builder", "register_exchange", "unit_of"]

Builder = Callable[..., Any]
Handler = Callable[[Any], Awaitable[None]]

BUILDERS: dict[tuple[str, str], str] = {
    ("new", "gateio"): "exchanges.integrations.gateio.builder:build",
    ("new", "mexc"): "exchanges.integrations.mexc.builder:build",
    ("legacy", "gateio"): "legacy.gateio.builder:build",
    ("legacy", "mexc"): "legacy.mexc.builder:build",
}

UNITS = {"MEXC_SPOT": ("mexc", "spot"), "GATEIO_SPOT": ("gateio", "spot"), "GATEIO_FUTURES": ("gateio", "futures")}


def register_exchange(name: str, exchange: str, market: str, *, new: str, legacy: str | None = None) -> None:
    """Make an exchange known to the factory; builders as `module:function`.

    ConfigurationError for a name that means another unit, or an exchange that has other builders.
    """
    unit, name = (exchange, market), name.upper()
    given = {"new": new} | ({"legacy": legacy} if legacy is not None else {})
    if UNITS.get(name, unit) != unit:
        raise ConfigurationError(f"{name} is {'.'.join(UNITS[name])} already; give the new exchange a name of its own")
    for architecture, path in given.items():
        if ":" not in path:
            raise ConfigurationError(f"{path!r} is no builder; write module:function")
        if BUILDERS.get((architecture, exchange), path) != path:
            raise ConfigurationError(f"{exchange} has another {architecture} builder already")
    UNITS[name] = unit
    BUILDERS.update({(architecture, exchange): path for architecture, path in given.items()})


def has_builder(architecture: str, exchange: str) -> bool:
    """Whether a stack knows the exchange at all."""
    return (architecture, exchange) in BUILDERS


def unit_of(exchange_name: str) -> tuple[str, str]:
    """Exchange and market of an ExchangeConfig's name; ConfigurationError names the known ones."""
    try:
        return UNITS[exchange_name.upper()]
    except (KeyError, AttributeError):
        raise ConfigurationError(f"unknown exchange {exchange_name!r}; known: {', '.join(sorted(UNITS))}") from None


def load_builder(architecture: str, exchange: str) -> Builder:
    """Import a builder now; ConfigurationError when the stack has none or is not installed."""
    path = BUILDERS.get((architecture, exchange))
    if path is None:
        raise ConfigurationError(f"no {architecture} builder for {exchange}")
    module, _, name = path.partition(":")
    try:
        builder: Builder = getattr(import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise ConfigurationError(
            f"the {architecture} stack for {exchange} cannot be loaded ({path}): {error}"
        ) from error
    return builder
