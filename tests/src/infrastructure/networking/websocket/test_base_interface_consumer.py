"""What a consumer gets and when: its backlog, its failures, the cost of a message, over fake sockets."""

from __future__ import annotations

import asyncio
import logging
from itertools import count
from typing import Any

import pytest

from exchanges.structs import WebSocketManagerConfig
from infrastructure.networking.websocket.testing import FakeServer, MockHandler, run_virtual, settle

from .scenes import Consumer, make, play


def test_plain_callbacks_need_no_task_and_no_queue() -> None:
    async def main() -> None:
        server = FakeServer()
        handler = make(server)
        await handler.initialize()
        await settle()
        server.socket.feed(b"1")
        await settle(3)
        assert handler.frames == [b"1"]
        assert handler._processing_task is None
        await handler.close()

    run_virtual(main())


def test_a_slow_consumer_pauses_the_reader_and_loses_nothing() -> None:
    """L5, L6: at high water nothing is dropped."""

    async def scene(server: FakeServer, consumer: Consumer, handler: MockHandler) -> None:
        consumer.gate = asyncio.Event()
        server.socket.feed(*[b"%d" % n for n in range(500)])
        await settle(200)
        assert server.socket.unread >= 399
        assert handler.interface_metrics()["pending"] <= 100
        consumer.gate.set()
        await settle(200)
        assert consumer.got == [b"%d" % n for n in range(500)]

    play(scene, manager_config=WebSocketManagerConfig(max_pending_messages=100))


def test_a_burst_above_the_queue_size_reaches_a_fast_consumer_whole() -> None:
    async def scene(server: FakeServer, consumer: Consumer, handler: MockHandler) -> None:
        server.socket.feed(*[b"%d" % n for n in range(3000)])
        await settle(1000)
        assert len(consumer.got) == 3000

    play(scene, manager_config=WebSocketManagerConfig(max_pending_messages=10))


@pytest.mark.checklist("1.1.7", "1.1.12")
def test_metrics_count_once_and_include_the_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    """L7."""
    # Each look at the clock is a millisecond later: both frames are read before the first is done with.
    clock = count(1_000_000, 1_000_000).__next__
    monkeypatch.setattr("infrastructure.networking.websocket.base_interface.perf_counter_ns", clock)

    async def scene(server: FakeServer, consumer: Consumer, handler: MockHandler) -> None:
        server.socket.feed(b"1", b"2")
        await settle()
        delivered = handler.interface_metrics()["delivered"]
        assert delivered["count"] == 2
        assert delivered["mean_us"] > 1000
        server.socket.end()
        await settle()
        assert handler.interface_metrics()["reconnections"] == 1

    play(scene)


def test_a_consumer_can_ask_when_the_frame_of_its_message_was_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("infrastructure.networking.websocket.base_interface.perf_counter_ns", count(7).__next__)
    told: list[int | None] = []

    async def main() -> None:
        server = FakeServer()

        class Asks(Consumer):
            async def on_message(self, message: Any) -> None:
                told.append(handler.recv_ns)

        handler = make(server, Asks())
        assert handler.recv_ns is None
        await handler.initialize()
        await settle()
        server.socket.feed(b"1", b"2")
        await settle()
        await handler.close()

    run_virtual(main())
    assert told == [7, 8]


@pytest.mark.checklist("1.1.8")
def test_one_bad_frame_ends_with_itself(caplog: pytest.LogCaptureFixture) -> None:
    async def scene(server: FakeServer, consumer: Consumer, handler: MockHandler) -> None:
        handler.poison.add(b"bad")
        server.socket.feed(b"1", b"bad", b"2")
        await settle()
        assert consumer.got == [b"1", b"2"]
        assert handler.error_count == 1
        assert handler.errors == [("internal", "poison b'bad'")]

    play(scene)
    assert caplog.messages.count("Message processing failed: poison b'bad'") == 1


def test_a_consumer_that_raises_is_counted_and_served_on(caplog: pytest.LogCaptureFixture) -> None:
    async def scene(server: FakeServer, consumer: Consumer, handler: MockHandler) -> None:
        consumer.fails = True
        server.socket.feed(b"1", b"2")
        server.socket.end()
        await settle()
        assert consumer.got == [b"1", b"2"]
        assert handler.errors.count(("callback", "broken consumer")) == 2 + 3
        assert handler.is_connected()

    play(scene)
    assert "Connection handler failed: broken consumer" in caplog.messages


def test_no_log_line_per_message(caplog: pytest.LogCaptureFixture) -> None:
    async def scene(server: FakeServer, consumer: Consumer, handler: MockHandler) -> None:
        before = len(caplog.records)
        server.socket.feed(*[b"x"] * 200)
        await settle(50)
        assert len(consumer.got) == 200
        assert len(caplog.records) == before

    with caplog.at_level(logging.DEBUG):
        play(scene)
