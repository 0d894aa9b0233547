"""`shadow record`: the exchanges' public feed into capture files that `--feed capture:PATH` plays."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final
from urllib.parse import urlencode

import msgspec

from shadow.errors import ShadowError, UsageError
from shadow.importing.meaning import CHANNELS, book_of
from shadow.network.budget import Budget
from shadow.recording.folder import RESERVE_BYTES, RecordingFolder
from shadow.recording.segment import Segment
from shadow.upstream import Upstream
from shadow.venue.answers import BOOK_CALLS
from shadow.venue.personas.registry import PERSONAS
from shadow.venue.relay.dialect import Answer, Data
from shadow.venue.relay.line import Line
from shadow.venue.relay.persona import LiveMarket
from shadow.venue.relay.pool import LinePool
from shadow.venue.sources.imported import BookLine

__all__ = ["Recorder", "Recording", "Totals"]

ANSWERS_S: Final = 15.0
TICK_S: Final = 0.5
BOOK_WAIT_S: Final = 0.3
SHARE: Final = 4
"""What is under way takes this part of the disk limit at most, so that the oldest files can go one by one."""
HEAD_ROOM: Final = 0.75
"""A file is ended at this part of its share: an order book may still come."""


class Recording(msgspec.Struct, frozen=True):
    """What to record and how: sizes in bytes, times in seconds; `duration_s` None records until it is stopped."""

    folder: Path
    connections: tuple[str, ...]
    symbols: tuple[str, ...]
    max_bytes: int
    file_bytes: int
    file_s: float
    duration_s: float | None = None


class Totals(msgspec.Struct):
    """What a recording came to."""

    frames: Counter[str] = msgspec.field(default_factory=Counter)
    left_out: int = 0
    files: int = 0
    bytes: int = 0
    removed: int = 0
    losses: int = 0
    bookless: int = 0
    """Whole files in which a symbol has updates and no order book."""


class Recorder:
    """Owns the lines to the exchanges and the files under way; `tell` hears of the progress each half second."""

    def __init__(self, recording: Recording, upstream: Upstream, tell: Callable[[float, Totals], None]) -> None:
        self.totals = Totals()
        self._recording = recording
        self._tell = tell
        self._growing_bytes = recording.max_bytes // SHARE
        share = HEAD_ROOM * self._growing_bytes / len(recording.connections)
        self._file_bytes = min(recording.file_bytes, share)
        self._pool = LinePool(upstream, list(recording.connections), self, Budget())
        self._folder = RecordingFolder(recording.folder, recording.max_bytes)
        self._segments: dict[str, Segment] = {}
        self._fetching: dict[tuple[Segment, str], asyncio.Task[None]] = {}
        self._stopped = asyncio.Event()
        self._failure: ShadowError | None = None
        market = LiveMarket(recording.symbols)
        self._personas = {connection: PERSONAS[connection](market) for connection in recording.connections}

    async def run(self) -> Totals:
        """Record until the time is over, a signal comes, or it cannot go on (raised when all is sealed)."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._stopped.set)
        began = time.monotonic()
        try:
            await self._pool.open()
            await self._subscribe()
            while not await self._is_over(began):
                self._tick()
                self._tell(time.monotonic() - began, self.totals)
        finally:
            await self._end()
        if self._failure is not None:
            raise self._failure
        return self.totals

    # What the lines say: implements `line.Owner`

    def arrived(self, line: Line, key: str, data: Data, payload: bytes, is_text: bool) -> None:
        """Write a push down."""
        if self._stopped.is_set():
            return
        at_ns = time.perf_counter_ns()
        with self._failing():
            segment = self._segments.get(line.connection)
            if segment is None:
                path = self._folder.new_path(line.connection)
                segment = self._segments[line.connection] = Segment(path, line.connection)
            segment.take(payload, is_text, at_ns)
            if segment.size_bytes >= self._file_bytes:
                self._seal(line.connection)
                return
            for symbol in segment.bookless:
                if (segment, symbol) not in self._fetching:
                    self._fetching[segment, symbol] = asyncio.create_task(self._fetch(segment, symbol))

    def damaged(self, line: Line, payload: bytes, is_text: bool) -> None:
        """Left out, and counted."""
        self.totals.left_out += 1

    def lost(self, line: Line, code: int, reason: str) -> None:
        """A file has no hole in it: what comes next begins another one."""
        self.totals.losses += 1
        with self._failing():
            self._seal(line.connection)

    def back(self, line: Line) -> None:
        """The next push begins a file."""

    # Inside

    async def _subscribe(self) -> None:
        """Ask for everything; UsageError for what an exchange refuses, or when one does not answer."""
        answers: list[asyncio.Future[tuple[str, str, Answer | None]]] = []
        loop = asyncio.get_running_loop()
        for connection, persona in self._personas.items():
            for channel in CHANNELS[connection].values():
                for symbol in self._recording.symbols:
                    answer: asyncio.Future[tuple[str, str, Answer | None]] = loop.create_future()
                    key = persona.default_variant(channel, symbol)
                    self._pool.line_for(connection, key).want(key, _hearing(answer, connection, symbol))
                    answers.append(answer)
        stopped = asyncio.create_task(self._stopped.wait())
        everything = asyncio.gather(*answers)
        try:
            async with asyncio.timeout(ANSWERS_S):
                await asyncio.wait((everything, stopped), return_when=asyncio.FIRST_COMPLETED)
        except TimeoutError:
            raise UsageError(f"an exchange did not answer within {ANSWERS_S:.0f} s; try again later") from None
        finally:
            stopped.cancel()
            everything.cancel()
        for connection, symbol, refusal in [one.result() for one in answers if one.done() and not one.cancelled()]:
            if refusal is not None:
                said = refusal.payload.decode(errors="replace")[:200]
                raise UsageError(f"{connection} refuses {symbol}: {said}; give others with --symbols")

    async def _is_over(self, began: float) -> bool:
        duration_s = self._recording.duration_s
        left = TICK_S if duration_s is None else min(TICK_S, began + duration_s - time.monotonic())
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(max(0.0, left)):
                await self._stopped.wait()
        is_due = duration_s is not None and time.monotonic() >= began + duration_s
        return self._stopped.is_set() or is_due

    def _tick(self) -> None:
        """Begin new files where it is time, keep the limits."""
        with self._failing():
            now_ns = time.perf_counter_ns()
            for connection, segment in tuple(self._segments.items()):
                age_s = 0.0 if segment.begin_ns is None else (now_ns - segment.begin_ns) / 1e9
                if age_s >= self._recording.file_s:
                    self._seal(connection)
            if self._folder.is_disk_full():
                raise UsageError(f"{self._folder.path}: less than {RESERVE_BYTES >> 20} MiB are left on the disk")

    def _seal(self, connection: str) -> None:
        segment = self._segments.pop(connection, None)
        if segment is None:
            return
        for place in [place for place in self._fetching if place[0] is segment]:
            self._fetching.pop(place).cancel()
        try:
            segment.seal()
        finally:
            segment.abandon()
        self.totals.left_out += segment.left_out
        if segment.frames:
            self.totals.frames[connection] += segment.frames
            self.totals.files += 1
            self.totals.bytes += segment.size_bytes
            self.totals.bookless += bool(segment.bookless)
        self._folder.make_room(self._growing_bytes)
        self.totals.removed = self._folder.removed

    async def _fetch(self, segment: Segment, symbol: str) -> None:
        """The symbol's order book into its file, asked again until it is not older than the first update."""
        connection = segment.connection
        exchange, market, _ = connection.split(".")
        path, names = BOOK_CALLS[f"{exchange}.{market}"]
        query = {name: value.format(self._personas[connection].spell(symbol)) for name, value in names.items()}
        while True:
            answer = await self._pool.rest[exchange].ask(market, "GET", path, query, {})
            book = "" if answer is None else book_of(connection, f"{path}?{urlencode(query)}", answer.body)
            with self._failing():
                if isinstance(book, BookLine) and segment.take_book(book):
                    return
            await asyncio.sleep(BOOK_WAIT_S)

    @contextlib.contextmanager
    def _failing(self) -> Iterator[None]:
        """What cannot be written ends the recording, cleanly."""
        try:
            yield
        except ShadowError as failure:
            self._failure = self._failure or failure
            self._stopped.set()

    async def _end(self) -> None:
        """Close everything and seal what can be sealed."""
        self._stopped.set()
        for connection in tuple(self._segments):
            with self._failing():
                self._seal(connection)
        await self._pool.close()
        self._folder.close()


def _hearing(
    answer: asyncio.Future[tuple[str, str, Answer | None]], connection: str, symbol: str
) -> Callable[[Answer | None], None]:
    def heard(refusal: Answer | None) -> None:
        if not answer.done():
            answer.set_result((connection, symbol, refusal))

    return heard
