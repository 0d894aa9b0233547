"""What a handler must be made of before the factory hands it out."""

from __future__ import annotations

from exchanges.structs.errors import ConfigurationError
from infrastructure.networking.websocket.handlers.base_message_handler import BaseMessageHandler
from infrastructure.networking.websocket.mixins.auth_mixin import AuthMixin, NoAuthMixin
from infrastructure.networking.websocket.mixins.connection_mixin import ConnectionMixin
from infrastructure.networking.websocket.mixins.subscription_mixin import SubscriptionMixin

__all__ = ["require_mixins"]

REQUIRED: tuple[tuple[type, str], ...] = (
    (ConnectionMixin, "how the exchange is connected to"),
    (AuthMixin, "who we are to it: NoAuthMixin on a public connection"),
    (SubscriptionMixin, "what is subscribed: derive from PublicMessageHandler or PrivateMessageHandler"),
    (BaseMessageHandler, "what a frame is: derive from PublicMessageHandler or PrivateMessageHandler"),
)


def require_mixins(handler: type, is_private: bool) -> None:
    """Raise ConfigurationError, naming the first thing that is missing; a private handler has to authenticate."""
    for mixin, purpose in REQUIRED:
        if not issubclass(handler, mixin):
            raise ConfigurationError(f"{handler.__name__} lacks {mixin.__name__}, which says {purpose}")
    if is_private and issubclass(handler, NoAuthMixin):
        raise ConfigurationError(f"{handler.__name__} is private and has NoAuthMixin; give it one that authenticates")
