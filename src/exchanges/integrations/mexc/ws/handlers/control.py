"""MEXC's control frames, the same on public and private connections: what is asked, and what the answers mean."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence

import orjson

from exchanges.integrations.mexc.frames import Control, decode_control, is_text, parse, refused_channels
from exchanges.structs.errors import UNREADABLE, DecodeError, SubscriptionError
from exchanges.structs.types import SubscriptionAction, Symbol
from infrastructure.networking.websocket.keep_alive import KeepAlive
from infrastructure.networking.websocket.mixins.subscription_mixin import ChannelT, Request, SubscriptionMixin

__all__ = ["MexcControlMixin", "channel_of"]

METHODS = {SubscriptionAction.SUBSCRIBE: "SUBSCRIPTION", SubscriptionAction.UNSUBSCRIBE: "UNSUBSCRIPTION"}


def channel_of(frame: bytes) -> bytes:
    """The channel string of a push, parsed in full, wherever it stands; empty for control text and what is unreadable.

    Plain text may happen to parse, as unknown fields, but a push has its channel.
    """
    if is_text(frame):
        return b""
    try:
        return parse(frame).channel.encode()
    except DecodeError:
        return b""


def read_control(payload: bytes) -> Control:
    """A control frame; DecodeError for what is none."""
    try:
        return decode_control(payload)
    except UNREADABLE as error:
        raise DecodeError(f"unreadable frame: {payload[:80].decode(errors='replace')!r}") from error


class MexcControlMixin(SubscriptionMixin[ChannelT]):
    """Writes subscription frames and reads answers. Stands before the handler in the bases."""

    _keep_alive: KeepAlive

    @abstractmethod
    def _channel_text(self, key: tuple[ChannelT, Symbol]) -> str:
        """The full channel string of a key."""

    def create_subscription_messages(
        self, action: SubscriptionAction, keys: Sequence[tuple[ChannelT, Symbol]]
    ) -> list[Request[ChannelT]]:
        """One frame with all channel strings."""
        params = [self._channel_text(key) for key in keys]
        frame = {"method": METHODS[action], "params": params, "id": self._next_id()}
        return [Request(self._last_id, orjson.dumps(frame).decode(), list(keys), None, params, action)]

    def _handle_control(self, payload: bytes | None) -> None:
        """Pongs and answers; DecodeError for what is neither. None is a push that nobody asked for."""
        if payload is None:
            return
        control = read_control(payload)
        if control.msg == "PONG":
            self._keep_alive.note_pong()
        elif (refused := refused_channels(control.msg)) is not None:
            self._on_refused(control, refused)
        else:
            self._on_accepted(control)

    def _read_answer(self, frame: bytes) -> list[str] | None:
        """The channels that an answer confirms, None for pushes and pongs; SubscriptionError for a refusal."""
        if not is_text(frame):
            return None
        control = read_control(frame)
        if control.msg == "PONG":
            return None
        if refused_channels(control.msg) is not None:
            raise SubscriptionError(control.msg)
        return control.msg.split(",")

    def _on_accepted(self, control: Control) -> None:
        """Only an answer that repeats the channels that were sent is a success."""
        accepted = control.msg.split(",")
        request = self._find_request(accepted, control.id)
        if request is None:
            raise DecodeError(f"answer to nothing that was asked: {control.msg!r}")
        keys = [key for key in request.keys if self._channel_text(key) in accepted]
        if keys:
            self._confirm(request, keys, accepted)
        else:
            self._refuse(request, list(request.keys), request.names, control.msg)

    def _on_refused(self, control: Control, refused: list[str]) -> None:
        request = self._find_request(refused, control.id)
        if request is None:
            raise DecodeError(f"refusal of nothing that was asked: {control.msg!r}")
        keys = [key for key in request.keys if self._channel_text(key) in refused] or list(request.keys)
        self._refuse(request, keys, refused, control.msg)

    def _find_request(self, names: list[str], request_id: int) -> Request[ChannelT] | None:
        """By the channels named, else by the id, which is 0 where the exchange does not echo it."""
        for request in self._asked.values():
            if names and set(names) <= {self._channel_text(key) for key in request.keys}:
                return request
        return self._asked.get(request_id)
