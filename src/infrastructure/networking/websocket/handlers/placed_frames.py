"""Frames that show at one place what they are: a byte there says who is to try a frame, and is never believed."""

from __future__ import annotations

from abc import abstractmethod
from time import perf_counter_ns
from typing import Any, ClassVar

from exchanges.structs.errors import UNREADABLE
from infrastructure.networking.websocket.handlers.base_message_handler import TIMED_EVERY, Handle
from infrastructure.networking.websocket.handlers.public_routes import Decode
from infrastructure.networking.websocket.handlers.tagged_frames import TaggedFramesMixin

__all__ = ["PlacedFramesMixin"]

BYTES = 256


class PlacedFramesMixin(TaggedFramesMixin):
    """Tagged frames, each tried first by the decoder of one type; a union's decoder has to look for the tag beforehand.

    `PLACED` gives, by the byte at `TELLING_AT`, a type of frame for its `kind`, and a decoder that takes nothing but
    what the union's takes for this type. What it refuses, and every frame with another byte there, goes the way of
    tagged frames. Either way every frame is counted by its kind, and the first of a kind and every 31st behind it is
    timed.
    """

    TELLING_AT: ClassVar[int]
    PLACED: ClassVar[dict[int, tuple[Any, Decode]]]

    @abstractmethod
    def _make_take(self, kind: int, decode: Decode) -> Handle | None:
        """Who decodes a frame of this kind and hands it on; None where nobody does."""

    @property
    def frame_counts(self) -> list[int]:
        """As the base's."""
        counts = list(self._counts)
        for place, kind in self._kinds.items():
            counts[kind] += self._laps[place] * TIMED_EVERY - self._left[place] + 1
        return counts

    def _bind_takes(self) -> None:
        """Let frames lead to where the routes lead now."""
        for place, (frame, decode) in self.PLACED.items():
            take = self._make_take(frame.kind, decode)
            if take is not None:
                self._kinds[place] = frame.kind
                self._takes[place] = take
                self._timed_takes[place] = self._make_timed(place, frame.kind, take)

    def _bind_template(self) -> Handle:
        """As everywhere, over what is bound by byte. A count and the countdown to the next timed frame are one.

        `_left` counts down to a frame that is timed, `_laps` counts those.
        """
        tagged = self._take_tagged = super()._bind_template()
        self._kinds: dict[int, int] = {}
        self._laps, self._left = [0] * BYTES, [1] * BYTES
        self._takes, self._timed_takes = [tagged] * BYTES, [tagged] * BYTES
        at, takes, timed_takes, lefts = self.TELLING_AT, self._takes, self._timed_takes, self._left

        def handle(raw_message: Any) -> None:
            try:
                place = raw_message[at]
                left = lefts[place] - 1
                lefts[place] = left
                if left:
                    takes[place](raw_message)
                else:
                    timed_takes[place](raw_message)
            except Exception as error:  # noqa: BLE001 - one frame's error is counted, reported, and ends with it
                self._resolve_failed(error, raw_message)

        return handle

    def _make_timed(self, place: int, kind: int, take: Handle) -> Handle:
        laps, lefts, now = self._laps, self._left, perf_counter_ns
        record, target_ns = self.latencies[kind].record, self.TARGETS_NS[kind]

        def take_timed(raw_message: Any) -> None:
            lefts[place] = TIMED_EVERY
            laps[place] += 1
            started = now()
            try:
                take(raw_message)
            except Exception as error:  # noqa: BLE001 - as in the template
                if not self._resolve_failed(error, raw_message):
                    lefts[place] -= TIMED_EVERY
                    laps[place] -= 1
                    return
            took_ns = now() - started
            record(took_ns)
            if took_ns > target_ns:
                self.latency_violations += 1

        return take_timed

    def _resolve_failed(self, error: Exception, raw_message: Any) -> bool:
        """Deal with a frame that was not taken to its end; gives whether it is what its byte says.

        Decoding it once more tells. A frame that is something else was not handled at all: it goes the way of tagged
        frames, and is counted there.
        """
        try:
            place = raw_message[self.TELLING_AT]
            kind, decode = self._kinds[place], self.PLACED[place][1]
        except (IndexError, KeyError):
            self._take_tagged(raw_message)
            return False
        try:
            decode(raw_message)
        except UNREADABLE:
            self._left[place] += 1
            self._take_tagged(raw_message)
            return False
        self._on_unrouted(error, raw_message, kind)
        return True
