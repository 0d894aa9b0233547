"""The three strategies of one connection."""

from __future__ import annotations

from dataclasses import dataclass

from legacy.websocket.strategies.connection import ConnectionStrategy
from legacy.websocket.strategies.parser import MessageParser
from legacy.websocket.strategies.subscription import SubscriptionStrategy

__all__ = ["WebSocketStrategySet"]


@dataclass(slots=True)
class WebSocketStrategySet:
    """Connection, subscription and parser; a missing one raises ValueError."""

    connection_strategy: ConnectionStrategy
    subscription_strategy: SubscriptionStrategy
    message_parser: MessageParser

    def __post_init__(self) -> None:
        for name in ("connection_strategy", "subscription_strategy", "message_parser"):
            if getattr(self, name) is None:
                raise ValueError(f"WebSocketStrategySet needs a {name}")
