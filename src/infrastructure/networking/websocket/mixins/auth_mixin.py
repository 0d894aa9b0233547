"""Who we are to the exchange. Public connections need no proof."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

__all__ = ["AuthMixin", "NoAuthMixin"]


class AuthMixin(ABC):
    """Authentication of one connection, done after the socket opened and before the subscriptions."""

    @abstractmethod
    def requires_authentication(self) -> bool:
        """Whether `authenticate` is called at all."""

    @abstractmethod
    def create_auth_message(self) -> dict[str, Any] | None:
        """The frame that proves who we are, None where none is sent."""

    @abstractmethod
    async def authenticate(self) -> bool:
        """Prove it; True when the exchange confirmed. Raises AuthenticationError or AuthenticationTimeout."""


class NoAuthMixin(AuthMixin):
    """A public connection."""

    def requires_authentication(self) -> bool:
        """Never."""
        return False

    def create_auth_message(self) -> dict[str, Any] | None:
        """Nothing is sent."""
        return None

    async def authenticate(self) -> bool:
        """Nothing to prove."""
        return True
