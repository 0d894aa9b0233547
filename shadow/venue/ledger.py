"""The venue's ledger: everything sent, received, opened, closed and disturbed, as rows with time and leg."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import perf_counter_ns
from typing import Final

import msgspec

from shadow.venue.outgoing import Frame
from shadow.venue.sinks import Sink

__all__ = ["Ledger"]

FLUSH_S: Final = 0.05


class Ledger:
    """Writes rows of the raw tables (docs/run-directory.md) under the current `leg`; times in ns, CLOCK_MONOTONIC."""

    def __init__(self, sink: Sink) -> None:
        self.leg = ""
        self.frames = 0
        self.sent_events: dict[tuple[str, str], int] = {}
        """Events of data frames sent in this leg, by (role, connection)."""
        self._sink = sink
        self._append = sink.append
        self._timer: asyncio.TimerHandle | None = None
        self._held: list[Callable[[], None]] | None = None

    def start(self) -> None:
        """Flush from now on every FLUSH_S."""
        self._timer = asyncio.get_running_loop().call_later(FLUSH_S, self._tick)

    @contextmanager
    def hold(self) -> Iterator[None]:
        """Write nothing until `flush`: a recorder that wakes up while a subject works takes time from it."""
        self._held = []
        try:
            yield
        finally:
            self.flush()
            self._held = None

    def later(self, write: Callable[[], None]) -> None:
        """Run what writes rows at the next `flush` while the ledger is held, else now."""
        if self._held is None:
            write()
        else:
            self._held.append(write)

    def flush(self) -> None:
        """Write what was held and hand everything on."""
        if self._held:
            for write in self._held:
                write()
            self._held.clear()
        self._count_drops()
        self._sink.flush()

    def begin_leg(self, leg: str) -> None:
        """Label the rows from here on; event counts begin anew."""
        self.leg = leg
        self.sent_events.clear()

    def sent(
        self, frame: Frame, role: str, conn_no: int, t_sent: int, first_written: bool, queued: bool, burst: int = -1
    ) -> None:
        """One frame went to one client; the frame itself is written with its first send."""
        append = self._append
        if not frame.no:
            self.frames += 1
            frame.no = self.frames
            append(
                "frames",
                (
                    frame.no,
                    self.leg,
                    frame.connection,
                    frame.kind,
                    frame.channel,
                    frame.symbol,
                    frame.first,
                    frame.last,
                    frame.payload,
                    frame.is_text,
                    frame.fault,
                ),
            )
        connection = frame.connection
        append(
            "sends",
            (frame.no, self.leg, role, connection, conn_no, t_sent, first_written, queued, burst),
        )
        if frame.events:
            side = role, connection
            self.sent_events[side] = self.sent_events.get(side, 0) + frame.events

    def request(self, role: str, connection: str, conn_no: int, kind: str, payload: bytes) -> None:
        """Something a client sent: kind ws, ping, pong, rest or handshake."""
        self._append("requests", (perf_counter_ns(), self.leg, role, connection, conn_no, kind, payload))

    def connection(
        self,
        role: str,
        connection: str,
        conn_no: int,
        event: str,
        *,
        channel: str = "",
        symbol: str = "",
        code: int | None = None,
        cause: str = "client",
        detail: str = "",
    ) -> None:
        """A connection's event: open, subscribed, unsubscribed, refused or close."""
        row = (perf_counter_ns(), self.leg, role, connection, conn_no, event, channel, symbol, code, cause, detail)
        self._append("connections", row)

    def mark(self, name: str, role: str = "", detail: dict[str, object] | None = None, t: int | None = None) -> None:
        """A mark; detail is written as JSON, t defaults to now."""
        text = msgspec.json.encode(detail or {}).decode()
        self._append("marks", (perf_counter_ns() if t is None else t, self.leg, role, name, text))

    def close(self) -> None:
        """Write what is left and end."""
        if self._timer is not None:
            self._timer.cancel()
        self.flush()
        # Losses can be written down only where there is room again.
        self._sink.settle()
        self._count_drops()
        self._sink.close()

    def _tick(self) -> None:
        if self._held is None:
            self.flush()
        self.start()

    def _count_drops(self) -> None:
        if drops := self._sink.take_drops():
            self.mark("harness-drops", detail={"count": drops, "where": "venue ledger"})
