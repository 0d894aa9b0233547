"""Gate.io, an account's data: what spot and futures have in common."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any, ClassVar

import orjson

from exchanges.integrations.gateio.frames import ErrorBody
from exchanges.integrations.gateio.private_frames import Answer, LoginHeader, decode_answer
from exchanges.integrations.gateio.ws.handlers.answers import GateioAnswersMixin
from exchanges.structs.errors import UNREADABLE, AuthenticationError, DecodeError
from exchanges.structs.types import PrivateWebsocketChannelType, SubscriptionAction
from infrastructure.networking.websocket.handlers.private_message_handler import PrivateMessageHandler
from infrastructure.networking.websocket.handlers.tagged_frames import TaggedFramesMixin
from infrastructure.networking.websocket.mixins.connection_mixin import GateioConnectionMixin
from infrastructure.networking.websocket.mixins.gateio_auth_mixin import GateioAuthMixin
from infrastructure.networking.websocket.mixins.subscription_mixin import PrivateKey, PrivateSubscriptionRequest

__all__ = ["GateioPrivateHandler"]


class GateioPrivateHandler(
    GateioConnectionMixin,
    GateioAuthMixin,
    GateioAnswersMixin[PrivateWebsocketChannelType],
    TaggedFramesMixin,
    PrivateMessageHandler,
):
    """Login, signed requests and answers, the same on both markets; a market gives its channels and its decoder."""

    CHANNELS: ClassVar[dict[PrivateWebsocketChannelType, str]]

    def channel_name(self, channel: PrivateWebsocketChannelType) -> str:
        """`spot.orders`, `futures.orders` and the like."""
        return self.CHANNELS[channel]

    def default_channels(self) -> list[PrivateWebsocketChannelType]:
        """All that the market has."""
        return list(self.CHANNELS)

    def handler_metrics(self) -> dict[str, Any]:
        """As of every private handler, with the time that the last login took."""
        return super().handler_metrics() | {"auth_ms": self.auth_ns / 1e6}

    def should_reconnect(self, error: Exception) -> bool:
        """As everywhere; a login refused that was accepted before is tried again by the policy.

        The credentials were right then: a clock, a maintenance or a limit is likelier than a key taken back.
        """
        return super().should_reconnect(error) or (self.was_accepted and isinstance(error, AuthenticationError))

    def payload_of(self, channel: PrivateWebsocketChannelType) -> list[str] | None:
        """What a request names: every symbol; None where the channel takes no payload."""
        return None if channel is PrivateWebsocketChannelType.BALANCE else ["!all"]

    def create_subscription_messages(
        self, action: SubscriptionAction, keys: Sequence[PrivateKey]
    ) -> list[PrivateSubscriptionRequest]:
        """One signed frame per channel."""
        return [self._request(action, key) for key in keys]

    def _request(self, action: SubscriptionAction, key: PrivateKey) -> PrivateSubscriptionRequest:
        now, channel, event = int(time.time()), self.CHANNELS[key[0]], action.name.lower()
        payload = self.payload_of(key[0])
        frame: dict[str, Any] = {"time": now, "id": self._next_id(), "channel": channel, "event": event}
        if payload is not None:
            frame["payload"] = payload
        frame["auth"] = self.sign(channel, event, now)
        text = orjson.dumps(frame).decode()
        return PrivateSubscriptionRequest(self._last_id, text, [key], channel, payload or [], action)

    def _handle_control(self, payload: Any) -> None:
        try:
            answer = decode_answer(payload)
        except UNREADABLE as error:
            raise DecodeError(f"unreadable frame of {len(payload)} bytes") from error
        if answer.header is not None:
            self._on_api_answer(answer, answer.header)
        elif answer.channel.endswith(".pong"):
            self._keep_alive.note_pong()
        elif answer.error is not None:
            self._on_error_answer(answer, answer.error)
        elif answer.event in ("subscribe", "unsubscribe"):
            self._on_accepted(answer)
        elif answer.event == "update" and answer.channel in self.CHANNELS.values():
            raise DecodeError(f"unreadable {answer.channel} frame of {len(payload)} bytes")

    def _on_api_answer(self, answer: Answer, header: LoginHeader) -> None:
        """The outcome of the login; an `ack` only says that it arrived."""
        if answer.ack or header.channel != self.LOGIN_CHANNEL:
            return
        status, errors = str(header.status), answer.data.errs if answer.data is not None else None
        if errors is not None:
            self._refuse_login(answer.request_id, str(errors.label), status, errors.message)
        elif status not in ("", "200"):
            self._refuse_login(answer.request_id, "", status, "")
        else:
            self._accept_login(answer.request_id, answer.uid)

    def _on_error_answer(self, answer: Answer, error: ErrorBody) -> None:
        """A refused subscription, or while a login is under way that login in the general form of errors."""
        text = self._credentials.conceal(error.message)
        if self._login is not None and answer.channel in ("", self.LOGIN_CHANNEL):
            self._refuse_login(self._login[0], "", str(error.code), text)
        else:
            self._on_refused(answer, text)
