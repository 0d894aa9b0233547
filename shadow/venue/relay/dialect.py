"""What the relay has to know of an exchange's protocol: how to ask, and what an answer or a push is about.

Nothing is read beyond that; the bytes go on as they came.
"""

from __future__ import annotations

from typing import Protocol

import msgspec

__all__ = ["DAMAGED", "Answer", "Data", "Dialect"]


class Answer(msgspec.Struct, frozen=True):
    """The exchange's word on a request: `request_id` as it was sent, `keys` where only they tell which request."""

    request_id: int
    is_accepted: bool
    payload: bytes
    keys: tuple[str, ...] = ()


class Data(msgspec.Struct, frozen=True):
    """A push: `address` is what it shares with its subscription; versions of a book; `is_whole` for a book that comes
    once, right behind its subscription."""

    address: tuple[str, str]
    events: int = 1
    first: int | None = None
    last: int | None = None
    is_whole: bool = False


DAMAGED = Data(("", ""), 0)
"""A data frame that cannot be read."""


class Dialect(Protocol):
    """One exchange's way to speak on a public connection."""

    def address(self, key: str) -> tuple[str, str]:
        """What the pushes of a subscription key say of themselves; keys that share it need connections of their own."""

    def headers(self, key: str) -> dict[str, str]:
        """Headers of the handshake that a key needs."""

    def subscribe(self, request_id: int, key: str) -> str:
        """The request."""

    def unsubscribe(self, request_id: int, key: str) -> str:
        """The request."""

    def ping(self) -> str:
        """What keeps a connection alive."""

    def read(self, data: str | bytes) -> Answer | Data | None:
        """What a message is, DAMAGED where that cannot be read; None for what concerns nobody (pongs, notices)."""

    def refusal(self, payload: bytes, asked: bytes) -> bytes:
        """A refusal as the client would have got it that sent `asked`."""
