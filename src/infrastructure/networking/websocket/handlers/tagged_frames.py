"""Frames that say their kind themselves: detection is the decoder's, and no call of ours."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

from exchanges.structs.errors import UNREADABLE, InexactFrame
from infrastructure.networking.websocket.handlers.base_message_handler import (
    CONTROL,
    BaseMessageHandler,
    Handle,
)

__all__ = ["TaggedFramesMixin"]


class TaggedFramesMixin(BaseMessageHandler):
    """A handler whose decoder gives, by a tagged union, an object with a `kind`; routes get that object.

    What the decoder does not take is no data and goes, as bytes, the rare second path to the control route. So does a
    frame whose route raises InexactFrame.
    """

    @staticmethod
    @abstractmethod
    def _decode(raw_message: Any, /) -> Any:
        """A data frame; raises what UNREADABLE names for all others."""

    def _detect_message_type(self, raw_message: Any) -> tuple[int, Any]:
        try:
            frame = self._decode(raw_message)
        except UNREADABLE:
            return CONTROL, raw_message
        return frame.kind, frame

    def _bind_template(self) -> Handle:
        """As everywhere, with the decoder in the place of detection."""
        decode, routes, counts, left = self._decode, self._routes, self._counts, 1

        def handle(raw_message: Any) -> None:
            nonlocal left
            left -= 1
            if not left:
                left = self._take_timed(raw_message)
                return
            kind = CONTROL
            try:
                frame = decode(raw_message)
                kind = frame.kind
                routes[kind](frame)
            except Exception as error:  # noqa: BLE001 - one frame's error is counted, reported, and ends with it
                self._on_unrouted(error, raw_message, kind)
            counts[kind] += 1

        return handle

    def _on_unrouted(self, error: Exception, raw_message: Any, kind: int) -> None:
        """Tell what is to be read a second time, from its bytes, from what failed."""
        is_undecoded = kind == CONTROL and isinstance(error, UNREADABLE)
        if not is_undecoded and not isinstance(error, InexactFrame):
            self._on_frame_error(error)
            return
        try:
            self._routes[CONTROL](raw_message)
        except Exception as second:  # noqa: BLE001 - as for any frame
            self._on_frame_error(second)
