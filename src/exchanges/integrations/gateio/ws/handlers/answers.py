"""Which request an answer of Gate.io belongs to, the same for public and private channels."""

from __future__ import annotations

from exchanges.integrations.gateio.frames import Envelope
from exchanges.structs.errors import DecodeError
from infrastructure.networking.websocket.mixins.subscription_mixin import ChannelT, Request, SubscriptionMixin

__all__ = ["GateioAnswersMixin"]


class GateioAnswersMixin(SubscriptionMixin[ChannelT]):
    """Settles requests; an answer is judged by its `error` alone."""

    def _on_accepted(self, envelope: Envelope) -> None:
        request = self._find_request(envelope)
        if request is not None:
            self._confirm(request, request.keys, request.names)

    def _on_refused(self, envelope: Envelope, text: str) -> None:
        request = self._find_request(envelope)
        if request is None:
            raise DecodeError(f"error without a request: {text}")
        self._refuse(request, request.keys, request.names, text)

    def _find_request(self, envelope: Envelope) -> Request[ChannelT] | None:
        """By the id echoed, else (old frames) the oldest of that channel and event, by payload where it is echoed."""
        if envelope.id is not None:
            return self._asked.get(envelope.id)
        for request in self._asked.values():
            same = request.channel == envelope.channel and request.action.name.lower() == envelope.event
            if same and envelope.payload in (None, request.names):
                return request
        return None
