"""How one exchange's frames become ParsedMessage."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import Any

from exchanges.structs import MessageType, ParsedMessage

__all__ = ["MessageParser", "unreadable"]


class MessageParser(ABC):
    """Reads frames; a frame that is no message of the exchange gives type ERROR instead of an exception."""

    @abstractmethod
    async def parse_message(self, raw_message: str | bytes) -> ParsedMessage | None:
        """One frame, text or binary; None when it says nothing at all."""

    @abstractmethod
    def get_message_type(self, message: Any) -> MessageType:
        """The type of a decoded frame."""

    async def parse_batch_messages(self, raw_messages: Iterable[str | bytes]) -> list[ParsedMessage]:
        """Several frames, in order; those that parse to None are left out."""
        parsed = [await self.parse_message(raw) for raw in raw_messages]
        return [message for message in parsed if message is not None]


def unreadable(raw: str | bytes) -> ParsedMessage:
    """The ERROR message for a frame that does not decode, with its beginning as data."""
    return ParsedMessage(MessageType.ERROR, data=f"unreadable frame: {raw[:100]!r}", raw_data=raw)
