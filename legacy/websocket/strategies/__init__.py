"""What an exchange gives the manager: connection, subscription and parsing."""

from legacy.websocket.strategies.connection import ConnectionStrategy
from legacy.websocket.strategies.parser import MessageParser
from legacy.websocket.strategies.strategy_set import WebSocketStrategySet
from legacy.websocket.strategies.subscription import SubscriptionStrategy

__all__ = ["ConnectionStrategy", "MessageParser", "SubscriptionStrategy", "WebSocketStrategySet"]
