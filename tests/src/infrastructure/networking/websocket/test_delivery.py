"""Between a socket's callback and the consumer: order, pauses, the end."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from exchanges.structs.errors import TransportError
from infrastructure.networking.websocket.delivery import Delivery
from infrastructure.networking.websocket.testing import run_virtual, settle


class Socket(asyncio.ReadTransport):
    """Knows whether it is read."""

    def __init__(self) -> None:
        super().__init__()
        self.is_read = True

    def is_closing(self) -> bool:
        return False

    def pause_reading(self) -> None:
        self.is_read = False

    def resume_reading(self) -> None:
        self.is_read = True


class Scene:
    """A delivery on a socket, and a consumer that asks for a pause at some messages."""

    def __init__(self, *pauses: bytes, max_waiting: int | None = 1000) -> None:
        self.socket = Socket()
        self.delivery = Delivery(max_waiting)
        self.delivery.attach(self.socket)
        self.got: list[bytes] = []
        self.room = asyncio.Event()
        self._pauses = pauses

    def deliver(self, message: bytes) -> Awaitable[None] | None:
        self.got.append(message)
        return self._until_there_is_room() if message in self._pauses else None

    async def _until_there_is_room(self) -> None:
        await self.room.wait()

    async def pump(self) -> asyncio.Task[None]:
        task = asyncio.create_task(self.delivery.pump(self.deliver))
        await settle()
        return task

    def feed(self, text: str) -> None:
        for letter in text.encode():
            self.delivery.hand_on(bytes([letter]))

    @property
    def text(self) -> str:
        return b"".join(self.got).decode()


def play(scene: Callable[[], Awaitable[None]]) -> None:
    async def main() -> None:
        await scene()

    run_virtual(main())


def test_messages_reach_the_consumer_within_the_same_call() -> None:
    async def scene() -> None:
        stage = Scene()
        reading = await stage.pump()
        stage.feed("ab")
        assert stage.text == "ab"
        reading.cancel()

    play(scene)


@pytest.mark.parametrize("begins", ["before", "behind"])
def test_during_a_pause_nothing_is_read_and_order_is_kept(begins: str) -> None:
    """Also where the message that asked for it had waited for the consumer."""

    async def scene() -> None:
        stage = Scene(b"c")
        if begins == "behind":
            stage.feed("abcde")
        reading = await stage.pump()
        if begins == "before":
            stage.feed("abcde")
            await settle()
        assert (stage.text, stage.socket.is_read) == ("abc", False)
        stage.feed("f")
        stage.room.set()
        await settle()
        assert (stage.text, stage.socket.is_read) == ("abcdef", True)
        stage.feed("g")
        assert stage.text == "abcdefg"
        reading.cancel()

    play(scene)


def test_without_a_consumer_messages_wait_up_to_the_limit() -> None:
    async def scene() -> None:
        stage = Scene(max_waiting=3)
        stage.feed("ab")
        assert stage.socket.is_read
        stage.feed("c")
        assert not stage.socket.is_read
        reading = await stage.pump()
        assert (stage.text, stage.socket.is_read) == ("abc", True)
        reading.cancel()

    play(scene)


def test_a_consumer_that_raises_ends_the_pump_with_its_error_and_gets_no_more() -> None:
    async def scene() -> None:
        stage = Scene()

        def deliver(message: bytes) -> None:
            stage.got.append(message)
            raise ValueError(message.decode())

        reading = asyncio.create_task(stage.delivery.pump(deliver))
        await settle()
        stage.feed("ab")
        with pytest.raises(ValueError, match="a"):
            await reading
        assert stage.text == "a"

    play(scene)


def test_what_waits_is_handed_on_behind_the_end_which_is_told_once_and_then_said() -> None:
    async def scene() -> None:
        stage = Scene(b"a")
        reading = await stage.pump()
        stage.feed("abc")
        stage.delivery.end(OSError("reset"))
        await settle()
        assert stage.text == "a"
        stage.room.set()
        with pytest.raises(OSError, match="reset"):
            await reading
        assert stage.text == "abc"
        with pytest.raises(TransportError, match="over"):
            await stage.delivery.pump(stage.deliver)

    play(scene)


def test_a_draining_connection_is_read_on_whatever_the_consumer_asks_for() -> None:
    async def scene() -> None:
        stage = Scene(b"a", b"b", max_waiting=2)
        reading = await stage.pump()
        stage.feed("a")
        stage.delivery.drain()
        assert stage.socket.is_read
        stage.feed("bcd")
        assert (stage.text, stage.socket.is_read) == ("a", True)
        stage.room.set()
        await settle()
        assert stage.text == "abcd"
        reading.cancel()

    play(scene)


def test_a_cancelled_pump_leaves_what_comes_for_the_next() -> None:
    async def scene() -> None:
        stage = Scene()
        reading = await stage.pump()
        reading.cancel()
        await settle()
        stage.feed("ab")
        assert stage.text == ""
        (await stage.pump()).cancel()
        assert stage.text == "ab"

    play(scene)
