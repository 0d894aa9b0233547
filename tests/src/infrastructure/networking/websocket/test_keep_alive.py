"""Pings with tracked answers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from exchanges.structs import HalfOpenError
from infrastructure.networking.websocket.keep_alive import KeepAlive
from infrastructure.networking.websocket.testing import FakeSocket, run_virtual
from infrastructure.networking.websocket.transport import TransportSettings


def minutes_alive(
    message: str | None, during: Callable[[KeepAlive, FakeSocket, int], None], frames: Callable[[], int] = lambda: 0
) -> tuple[float, FakeSocket]:
    """How long a link is thought alive within ten minutes; `during` is called each second."""

    async def main() -> tuple[float, FakeSocket]:
        socket = FakeSocket(TransportSettings("ws://x"))
        keep_alive = KeepAlive(lambda: message, frames)
        task = asyncio.create_task(keep_alive.run(socket, 30.0, 10.0))
        loop = asyncio.get_running_loop()
        started = loop.time()
        for second in range(600):
            await asyncio.sleep(1)
            during(keep_alive, socket, second)
            if task.done():
                break
        lasted = loop.time() - started
        task.cancel()
        results = await asyncio.gather(task, return_exceptions=True)
        assert isinstance(results[0], HalfOpenError | asyncio.CancelledError)
        return lasted, socket

    return run_virtual(main())


@pytest.mark.parametrize("message", ["ping", None])
def test_an_answering_peer_is_alive(message: str | None) -> None:
    def answer(keep_alive: KeepAlive, socket: FakeSocket, second: int) -> None:
        if message and len(socket.sent) > keep_alive.pongs:
            keep_alive.note_pong()

    lasted, socket = minutes_alive(message, answer)
    assert lasted == pytest.approx(600)
    pings = len(socket.sent) if message else socket.pings
    assert pings in (19, 20)


@pytest.mark.parametrize("message", ["ping", None])
def test_a_silent_peer_is_dead_after_one_ping(message: str | None) -> None:
    def silence(keep_alive: KeepAlive, socket: FakeSocket, second: int) -> None:
        socket.answers_pings = False

    lasted, _ = minutes_alive(message, silence)
    assert 40 <= lasted <= 42


def test_a_peer_that_sends_but_answers_no_ping_is_dead_after_two() -> None:
    count = 0

    def frames() -> int:
        nonlocal count
        count += 1
        return count

    lasted, _ = minutes_alive("ping", lambda keep_alive, socket, second: None, frames)
    assert 70 <= lasted <= 72
