"""Both ends of a relayed connection."""

from __future__ import annotations

from typing import Protocol

from websockets.asyncio.client import ClientConnection
from websockets.asyncio.server import ServerConnection

from shadow.whole_messages import Receiver, WholeMessages

__all__ = ["EndReceiver", "ExchangeEnd", "SubjectEnd"]


class EndReceiver(Receiver, Protocol):
    """Who gets what comes in at one end, and whether the end takes anything."""

    def full(self, is_full: bool) -> None:
        """This end's socket takes no more for now, or takes more again."""


class _End(WholeMessages[EndReceiver]):
    def pause_writing(self) -> None:
        """The socket's buffer is full."""
        super().pause_writing()
        if self.receiver is not None:
            self.receiver.full(True)

    def resume_writing(self) -> None:
        """There is room again."""
        super().resume_writing()
        if self.receiver is not None:
            self.receiver.full(False)


class SubjectEnd(_End, ServerConnection):
    """Towards a subject."""


class ExchangeEnd(_End, ClientConnection):
    """Towards the exchange."""
