"""The template: detect, route, measure, validate."""

from __future__ import annotations

import logging
from collections import Counter
from time import perf_counter_ns
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchanges.structs import DecodeError, WebSocketConfig
from infrastructure.networking.websocket.handlers.base_message_handler import KINDS, TIMED_EVERY, BaseMessageHandler
from infrastructure.networking.websocket.mixins.auth_mixin import NoAuthMixin
from infrastructure.networking.websocket.mixins.connection_mixin import ConnectionMixin


class Handler(ConnectionMixin, NoAuthMixin, BaseMessageHandler):
    """Kind by the first byte; routing remembers, or does what the frame says."""

    TARGETS_NS = (10**9, *(5_000_000,) * (KINDS - 1))

    def __init__(self) -> None:
        super().__init__(WebSocketConfig("ws://x"))
        self.steps: list[tuple[Any, ...]] = []
        self.errors: list[tuple[str, str]] = []

    def _detect_message_type(self, raw_message: bytes) -> tuple[int, bytes]:
        self.steps.append(("detect", raw_message))
        if raw_message == b"damaged":
            raise DecodeError("damaged")
        return raw_message[0] - 48, raw_message[1:]

    def _route_message(self, kind: int, payload: bytes) -> None:
        self.steps.append(("route", kind, payload))
        if payload == b"raise":
            raise KeyError("consumer")
        if payload == b"slow":
            until = perf_counter_ns() + 6_000_000
            while perf_counter_ns() < until:
                pass

    async def _restore_subscriptions(self) -> None:
        return

    def _on_error(self, kind: str, error: BaseException) -> None:
        super()._on_error(kind, error)
        self.errors.append((kind, str(error)))


class Idle(Handler):
    """Does nothing, for the cost of the template alone."""

    def _detect_message_type(self, raw_message: bytes) -> tuple[int, bytes]:
        return 1, raw_message

    def _route_message(self, kind: int, payload: bytes) -> None:
        return


@pytest.mark.checklist("2.1.1", "2.1.2", "2.1.3", "2.1.4", "2.1.5", "2.1.6", "2.1.11", "5.1.8")
def test_detection_then_routing() -> None:
    handler = Handler()
    handler._on_raw_message(b"2abc")
    handler._handle_message(b"3def")
    assert handler.steps == [
        ("detect", b"2abc"),
        ("route", 2, b"abc"),
        ("detect", b"3def"),
        ("route", 3, b"def"),
    ]


@pytest.mark.checklist("2.1.14")
def test_detection_and_routing_are_abstract() -> None:
    assert {"_detect_message_type", "_route_message"} <= BaseMessageHandler.__abstractmethods__


@pytest.mark.checklist("2.1.7", "2.1.9", "2.1.10", "2.1.12", "5.1.10")
def test_time_is_measured_by_kind_and_held_against_the_target() -> None:
    handler = Handler()
    timed = [number for number in range(4 * TIMED_EVERY) if not number % TIMED_EVERY]
    for number in range(4 * TIMED_EVERY):
        handler._on_raw_message(b"2slow" if number == timed[2] else b"1x")
    metrics = handler.handler_metrics()
    assert metrics["latency"]["1"]["count"] == 3
    assert metrics["latency"]["2"]["count"] == 1
    assert metrics["latency"]["2"]["p50_us"] >= 6_000
    assert metrics["latency"]["1"]["p50_us"] < 6_000
    assert metrics["latency_violations"] == 1
    assert metrics["latency_timed_every"] == TIMED_EVERY
    assert handler.max_ns >= 6_000_000
    assert handler.max_ns == metrics["latency"]["2"]["max_us"] * 1000


@pytest.mark.no_cover
@pytest.mark.checklist("2.1.7", "2.1.12")
@given(st.lists(st.sampled_from([b"0", b"1", b"2", b"8", b"1raise", b"damaged"]), max_size=3 * TIMED_EVERY))
def test_every_frame_is_counted_and_none_is_handled_twice(frames: list[bytes]) -> None:
    handler = Handler()
    for frame in frames:
        handler._on_raw_message(frame)
    assert [step[1] for step in handler.steps if step[0] == "detect"] == frames
    kinds = Counter("control" if frame[:1] in b"0d" else chr(frame[0]) for frame in frames)
    metrics = handler.handler_metrics()
    assert metrics["frames"] == kinds
    assert metrics["messages"] == handler.frames_received() == len(frames)
    assert sum(latency["count"] for latency in metrics["latency"].values()) == -(-len(frames) // TIMED_EVERY)
    assert handler.error_count == frames.count(b"1raise") + frames.count(b"damaged")


def test_a_slow_frame_that_is_not_timed_is_counted_only() -> None:
    handler = Handler()
    for frame in (b"1x", b"2slow"):
        handler._on_raw_message(frame)
    assert handler.handler_metrics()["frames"] == {"1": 1, "2": 1}
    assert handler.latency_violations == 0
    assert handler.max_ns < 6_000_000


@pytest.mark.checklist("2.1.8", "5.1.9")
def test_a_malformed_frame_and_a_failing_consumer_are_told_apart(caplog: pytest.LogCaptureFixture) -> None:
    handler = Handler()
    with caplog.at_level(logging.DEBUG):
        for frame in (b"damaged", b"1raise", b"1fine"):
            handler._on_raw_message(frame)
    assert handler.errors == [("decode", "damaged"), ("callback", "'consumer'")]
    assert (handler.decode_errors, handler.callback_errors, handler.error_count) == (1, 1, 2)
    assert handler.steps[-1] == ("route", 1, b"fine")
    assert len(caplog.messages) == 2


@pytest.mark.checklist("2.1.13", "2.1.16", "2.1.17", "2.1.18")
def test_the_template_costs_less_than_five_microseconds(stopwatch: Any) -> None:
    handler, watch = Idle(), stopwatch()
    for _ in range(20):
        with watch.round():
            for _ in range(100):
                handler._on_raw_message(b"1")
    assert watch.best_ns < 100 * 5_000
