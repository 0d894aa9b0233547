"""The template of frame handling: detect, route, count, time, validate; errors stay with their frame."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from functools import partial
from time import perf_counter_ns
from typing import Any, ClassVar

from exchanges.structs.errors import DecodeError
from infrastructure.networking.websocket.base_interface import BaseWebSocketInterface
from infrastructure.networking.websocket.metrics import LatencyHistogram

__all__ = ["CONTROL", "TIMED_EVERY", "BaseMessageHandler"]

# Detection gives a small integer: 1 to 8 are the channel types, 0 is everything that is not data.
CONTROL = 0
KINDS = 9
# Two clock readings and a bucket cost up to a third of a small frame. A prime, so that no rotation of channels and
# symbols falls in step with it.
TIMED_EVERY = 31

Handle = Callable[[Any], None]


class BaseMessageHandler(BaseWebSocketInterface):
    """Template method `_handle_message`; subclasses say what a frame is and where it goes.

    Every frame is counted by its kind. The first and every 31st behind it is timed: `latencies`, `max_ns` and
    `latency_violations` tell of those alone. `TARGETS_NS` holds the latency target by kind; a timed frame above it is a
    violation.
    """

    TARGETS_NS: ClassVar[tuple[int, ...]] = (1_000_000,) * KINDS

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._counts = [0] * KINDS
        self.latencies = [LatencyHistogram() for _ in range(KINDS)]
        self.latency_violations = 0
        self.decode_errors = 0
        self.callback_errors = 0
        self._routes: list[Handle] = []
        self._bind_routes()
        self._on_raw_message = self._bind_template()  # type: ignore[assignment, method-assign]  # its bound form

    @abstractmethod
    def _detect_message_type(self, raw_message: Any) -> tuple[int, Any]:
        """The kind of a frame (a channel type's number, or CONTROL) and what routing needs of it."""

    @abstractmethod
    def _route_message(self, kind: int, payload: Any) -> None:
        """Hand the payload to whoever takes this kind. Raises DecodeError for a malformed frame."""

    def _bind_routes(self) -> None:
        """Fill `_routes`: by kind, who takes a payload. A subclass may bind more directly than by `_route_message`."""
        self._routes[:] = [partial(self._route_message, kind) for kind in range(KINDS)]

    def _handle_message(self, raw_message: Any) -> None:
        """One frame from bytes to callback, measured."""
        self._on_raw_message(raw_message)

    def _bind_template(self) -> Handle:
        """The template over local names: looked up on an object this wide, they cost as much as the template itself.

        Only what every frame needs is local: each name costs every frame a little, too.

        It lets nothing out, so it stands in for the interface's guarded hand-over.
        """
        detect, routes, counts, left = self._detect_message_type, self._routes, self._counts, 1

        def handle(raw_message: Any) -> None:
            nonlocal left
            left -= 1
            if not left:
                left = self._take_timed(raw_message)
                return
            kind = CONTROL
            try:
                kind, payload = detect(raw_message)
                routes[kind](payload)
            except Exception as error:  # noqa: BLE001 - one frame's error is counted, reported, and ends with it
                self._on_unrouted(error, raw_message, kind)
            counts[kind] += 1

        return handle

    def _take_timed(self, raw_message: Any) -> int:
        """One frame as by the template, and what it took; gives in how many frames the next one is to be timed."""
        started, kind = perf_counter_ns(), CONTROL
        try:
            kind, payload = self._detect_message_type(raw_message)
            self._routes[kind](payload)
        except Exception as error:  # noqa: BLE001 - as in the template
            self._on_unrouted(error, raw_message, kind)
        took_ns = perf_counter_ns() - started
        self._counts[kind] += 1
        self.latencies[kind].record(took_ns)
        if took_ns > self.TARGETS_NS[kind]:
            self.latency_violations += 1
        return TIMED_EVERY

    def _on_unrouted(self, error: Exception, raw_message: Any, kind: int) -> None:
        """A frame that was not handled to its end; `kind` is CONTROL where it was not even detected."""
        self._on_frame_error(error)

    @property
    def frame_counts(self) -> list[int]:
        """Frames by kind since construction."""
        return self._counts

    @property
    def max_ns(self) -> int:
        """The longest that a timed frame took."""
        return max(histogram.max_ns for histogram in self.latencies)

    def frames_received(self) -> int:
        """Frames handled since construction, over all connections."""
        return sum(self.frame_counts)

    def handler_metrics(self) -> dict[str, Any]:
        """The handler's level: frames and errors, all of them; latencies and violations of one frame in 31."""
        return {
            "messages": self.frames_received(),
            "frames": {self.kind_name(kind): count for kind, count in enumerate(self.frame_counts) if count},
            "latency_violations": self.latency_violations,
            "decode_errors": self.decode_errors,
            "callback_errors": self.callback_errors,
            "latency_timed_every": TIMED_EVERY,
            "latency": {self.kind_name(kind): h.summary() for kind, h in enumerate(self.latencies) if h.count},
        }

    def kind_name(self, kind: int) -> str:
        """How a kind is called in the metrics."""
        return "control" if kind == CONTROL else str(kind)

    def _on_frame_error(self, error: Exception) -> None:
        """Tell a malformed frame from a consumer that raised."""
        if isinstance(error, DecodeError):
            self.decode_errors += 1
            self._on_error("decode", error)
        else:
            self.callback_errors += 1
            self._on_error("callback", error)
        self.logger.error("Message processing failed: %s", error)
