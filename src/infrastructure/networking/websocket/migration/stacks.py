"""The builders of both stacks by import path, so that `src` needs nothing of `legacy` until it is asked for.

A builder is `build(exchange_config, is_private, message_handler, connection_handler, **kwargs) -> manager`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from importlib import import_module
from typing import Any

from exchanges.structs import ConfigurationError

__all__ = ["BUILDERS", "load_builder", "unit_of"]

Builder = Callable[..., Any]
Handler = Callable[[Any], Awaitable[None]]

BUILDERS: dict[tuple[str, str], str] = {
    ("new", "gateio"): "exchanges.integrations.gateio.builder:build",
    ("new", "mexc"): "exchanges.integrations.mexc.builder:build",
    ("legacy", "gateio"): "legacy.gateio.builder:build",
    ("legacy", "mexc"): "legacy.mexc.builder:build",
}

UNITS = {"MEXC_SPOT": ("mexc", "spot"), "GATEIO_SPOT": ("gateio", "spot"), "GATEIO_FUTURES": ("gateio", "futures")}


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
