"""What a builder takes from an ExchangeConfig."""

from __future__ import annotations

from exchanges.structs import ConfigurationError, ExchangeConfig, WebSocketConfig

__all__ = ["websocket_config"]


def websocket_config(exchange_config: ExchangeConfig) -> WebSocketConfig:
    """The connection's settings for the exchange's address; ConfigurationError without an address."""
    settings = exchange_config.websocket
    if settings is None and not exchange_config.websocket_url:
        raise ConfigurationError(f"{exchange_config.name} has no WebSocket address; set ExchangeConfig.websocket_url")
    if settings is None:
        return WebSocketConfig(exchange_config.websocket_url)
    return settings.with_url(exchange_config.websocket_url) if exchange_config.websocket_url else settings
