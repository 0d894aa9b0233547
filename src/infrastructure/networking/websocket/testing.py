"""Tools to test connections without a network and without waiting: virtual clock, fake sockets, mock handler."""

from __future__ import annotations

import asyncio
import selectors
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from typing import Any, TypeVar

from infrastructure.networking.websocket.base_interface import BaseWebSocketInterface
from infrastructure.networking.websocket.mixins.auth_mixin import NoAuthMixin
from infrastructure.networking.websocket.mixins.connection_mixin import ConnectionMixin
from infrastructure.networking.websocket.transport import ConnectionEnded, Deliver, Transport, TransportSettings

__all__ = ["FakeServer", "FakeSocket", "MockHandler", "VirtualClockLoop", "run_virtual", "settle"]

T = TypeVar("T")


class _JumpingSelector(selectors.BaseSelector):
    """Never waits: where the loop would sleep, its clock jumps ahead."""

    def __init__(self) -> None:
        self._inner = selectors.DefaultSelector()
        self.now = 1000.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = self._inner.select(0)
        if ready:
            return ready
        if timeout is None:
            raise RuntimeError("nothing can happen any more: every task waits and no timer is set")
        self.now += max(0.0, timeout)
        return []

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        return self._inner.register(fileobj, events, data)

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        return self._inner.unregister(fileobj)

    def get_map(self) -> Mapping[Any, selectors.SelectorKey]:
        return self._inner.get_map()

    def close(self) -> None:
        self._inner.close()


class VirtualClockLoop(asyncio.SelectorEventLoop):
    """An event loop whose timers fire at once, in order, with `time()` telling their time."""

    def __init__(self) -> None:
        self._jumping = _JumpingSelector()
        super().__init__(self._jumping)

    def time(self) -> float:
        """Virtual seconds."""
        return self._jumping.now


def run_virtual(main: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine on a virtual clock; RuntimeError where it would wait for ever."""
    with asyncio.Runner(loop_factory=VirtualClockLoop) as runner:
        return runner.run(main)


async def settle(turns: int = 20) -> None:
    """Let everything run that needs no timer."""
    for _ in range(turns):
        await asyncio.sleep(0)


class FakeSocket:
    """A connection whose other end is the test: `feed` frames, `end` it, look at `sent`."""

    def __init__(self, settings: TransportSettings) -> None:
        self.settings = settings
        self.sent: list[str] = []
        self.pings = 0
        self.answers_pings = True
        self.fails_to_send = False
        self.hangs_on_close = False
        self.reads = 0
        self._frames: deque[bytes] = deque()
        self._ended: ConnectionEnded | None = None
        self._wake = asyncio.Event()

    @property
    def is_open(self) -> bool:
        """Until `end`, `close` or `abort`."""
        return self._ended is None

    @property
    def unread(self) -> int:
        """Frames fed and not yet received."""
        return len(self._frames)

    def feed(self, *frames: bytes | str) -> None:
        """Frames arrive."""
        self._frames.extend(frame.encode() if isinstance(frame, str) else frame for frame in frames)
        self._wake.set()

    def end(self, code: int = 1006, reason: str = "") -> None:
        """The connection ends behind what was fed."""
        self._ended = self._ended or ConnectionEnded(code, reason)
        self._wake.set()

    async def recv(self) -> bytes:
        while not self._frames:
            if self._ended is not None:
                raise self._ended
            self._wake.clear()
            await self._wake.wait()
        self.reads += 1
        return self._frames.popleft()

    async def pump(self, deliver: Deliver) -> None:
        while True:
            pause = deliver(await self.recv())
            if pause is not None:
                await pause

    async def send(self, text: str) -> None:
        if self._ended is not None:
            raise self._ended
        if self.fails_to_send:
            raise ConnectionEnded(1006, "send failed")
        self.sent.append(text)

    async def ping(self) -> Awaitable[object]:
        self.pings += 1
        pong: asyncio.Future[object] = asyncio.get_running_loop().create_future()
        if self.answers_pings:
            pong.set_result(None)
        return pong

    async def close(self) -> None:
        if self.hangs_on_close:
            await asyncio.Event().wait()
        self.end(1000)

    def abort(self) -> None:
        self.end(1006)


class FakeServer:
    """Opens FakeSockets; put exceptions into `failures` to refuse attempts."""

    def __init__(self, on_open: Callable[[FakeSocket], None] | None = None) -> None:
        self.sockets: list[FakeSocket] = []
        self.attempts: list[float] = []
        self.failures: deque[Exception] = deque()
        self.fails_always: Exception | None = None
        self._on_open = on_open

    async def open(self, settings: TransportSettings) -> Transport:
        """The opener to give as `transport`."""
        self.attempts.append(asyncio.get_running_loop().time())
        if self.failures:
            raise self.failures.popleft()
        if self.fails_always is not None:
            raise self.fails_always
        socket = FakeSocket(settings)
        self.sockets.append(socket)
        if self._on_open is not None:
            self._on_open(socket)
        return socket

    @property
    def socket(self) -> FakeSocket:
        """The newest socket."""
        return self.sockets[-1]


class MockHandler(ConnectionMixin, NoAuthMixin, BaseWebSocketInterface):
    """The smallest complete interface: keeps each frame, raises for those in `poison`."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.frames: list[bytes] = []
        self.errors: list[tuple[str, str]] = []
        self.restored = 0
        self.poison: set[bytes] = set()
        self.restore_error: Exception | None = None
        self.confirms = True

    def _handle_message(self, raw_message: bytes) -> None:
        self.frames.append(raw_message)
        if raw_message in self.poison:
            raise ValueError(f"poison {raw_message!r}")
        if self._backlog is not None:
            self._backlog.put(raw_message)

    async def _restore_subscriptions(self) -> None:
        self.restored += 1
        if self.restore_error is not None:
            raise self.restore_error
        self._is_confirmed = self.confirms

    def frames_received(self) -> int:
        """Frames so far."""
        return len(self.frames)

    def _on_error(self, kind: str, error: BaseException) -> None:
        super()._on_error(kind, error)
        self.errors.append((kind, str(error)))
