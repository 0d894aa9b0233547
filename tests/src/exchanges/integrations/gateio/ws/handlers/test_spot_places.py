"""Spot frames tried first by the decoder of one type: nothing differs from what the union's decoder makes of them."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, ClassVar

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from exchanges.integrations.gateio.frames import decode_spot
from exchanges.integrations.gateio.ws.handlers.spot_public_handler import GateioSpotPublicHandler
from exchanges.structs import WebSocketConfig
from exchanges.structs.errors import UNREADABLE
from exchanges.structs.events import PublicCallbacks
from infrastructure.networking.websocket.handlers.base_message_handler import KINDS, TIMED_EVERY

Hostile = Callable[[Sequence[bytes]], st.SearchStrategy[bytes]]
GoodFrames = Callable[[str], list[bytes]]
SPOT = "gateio.spot.public"
NAMES = ("book", "trade", "book_ticker", "ticker")
CONTROL = [
    b'{"time":1790000000,"time_ms":1790000000040,"id":1,"channel":"spot.trades","event":"subscribe","error":null,'
    b'"result":{"status":"success"}}',
    b'{"time":1790000000,"time_ms":1790000000040,"channel":"spot.pong","event":"","result":null}',
    b"{}",
    b"",
]


class Unplaced(GateioSpotPublicHandler):
    """The same handler, every frame by the union's decoder."""

    PLACED: ClassVar = {}


class Consumer:
    """Keeps what it gets, and raises what a decoder may raise at every third event, where it is told to."""

    def __init__(self, handler: type[GateioSpotPublicHandler], *, raises: Exception | None = None) -> None:
        self.told: list[Any] = []
        self._raises = raises
        take = self._take
        callbacks = PublicCallbacks(
            on_book=take, on_trades=take, on_book_ticker=take, on_ticker=take, on_error=self._on_error
        )
        self.handler = handler(WebSocketConfig("ws://x"), callbacks=callbacks)

    def _take(self, event: Any) -> None:
        self.told.append((type(event).__name__, event))
        if self._raises is not None and not len(self.told) % 3:
            raise self._raises

    def _on_error(self, kind: str, text: str) -> None:
        self.told.append((kind, text))

    def figures(self) -> dict[str, Any]:
        """What the handler tells of itself, without times."""
        metrics = self.handler.handler_metrics()
        return {name: metrics[name] for name in metrics if name not in ("latency", "latency_violations")}


def moved(frame: bytes, shift: int) -> bytes:
    """The same frame with its keys in another order."""
    items = list(json.loads(frame).items())
    return json.dumps(dict(items[shift:] + items[:shift]), separators=(",", ":")).encode()


def test_every_type_of_push_is_at_its_place(good_frames: GoodFrames) -> None:
    consumer = Consumer(GateioSpotPublicHandler)
    for frame in good_frames(SPOT):
        place, decode = frame[consumer.handler.TELLING_AT], consumer.handler.PLACED
        placed, found = decode[place][1](frame), decode_spot(frame)
        assert decode[place][0] is type(found)
        assert placed.result == found.result
        consumer.handler._on_raw_message(frame)
    assert consumer.handler._counts == [0] * len(consumer.handler._counts)
    assert consumer.figures()["frames"] == {"orderbook": 3, "trades": 3, "book_ticker": 3, "ticker": 3}


@pytest.mark.no_cover
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_decoder_of_one_type_takes_nothing_but_what_the_unions_takes(
    hostile: Hostile, good_frames: GoodFrames, data: st.DataObject
) -> None:
    frame = data.draw(hostile(good_frames(SPOT)))
    for kind, decode in GateioSpotPublicHandler.PLACED.values():
        try:
            placed = decode(frame)
        except UNREADABLE:
            continue
        found = decode_spot(frame)
        assert type(found) is kind
        assert all(getattr(placed, name) == getattr(found, name) for name in found.__struct_fields__)


def test_a_push_without_its_channel_is_none(good_frames: GoodFrames) -> None:
    for frame in good_frames(SPOT):
        for odd in (frame.replace(b'"channel"', b'"chanel!"'), frame.replace(b'"spot.', b'"sput.')):
            for _, decode in GateioSpotPublicHandler.PLACED.values():
                with pytest.raises(UNREADABLE):
                    decode(odd)


@cache
def streams(hostile: Hostile, good: tuple[bytes, ...]) -> st.SearchStrategy[list[bytes | str]]:
    shifted = st.builds(moved, st.sampled_from(good), st.integers(0, 4))
    any_frame = st.one_of(st.sampled_from(good), shifted, hostile([*good, *CONTROL]), st.sampled_from(CONTROL))
    return st.lists(st.one_of(any_frame, st.sampled_from(good).map(bytes.decode)), max_size=40)


@pytest.mark.no_cover
@pytest.mark.parametrize("raises", [None, msgspec.ValidationError("the consumer's own"), KeyError(99)])
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_whatever_comes_is_told_and_counted_as_by_the_union(
    hostile: Hostile, good_frames: GoodFrames, raises: Exception | None, data: st.DataObject
) -> None:
    frames = data.draw(streams(hostile, tuple(good_frames(SPOT))))
    placed, unplaced = (Consumer(each, raises=raises) for each in (GateioSpotPublicHandler, Unplaced))
    for number, frame in enumerate(frames, 1):
        for consumer in (placed, unplaced):
            consumer.handler._on_raw_message(frame)
        assert placed.handler.frames_received() == number
    assert placed.told == unplaced.told
    assert placed.figures() == unplaced.figures()


def test_the_first_of_a_kind_is_timed_and_every_31st_behind_it(good_frames: GoodFrames) -> None:
    consumer = Consumer(GateioSpotPublicHandler)
    by_kind = dict(zip(NAMES, good_frames(SPOT)[:4], strict=True))
    for name, count in (("book", 1), ("trade", TIMED_EVERY), ("book_ticker", TIMED_EVERY + 1), ("ticker", 100)):
        for _ in range(count):
            consumer.handler._on_raw_message(by_kind[name])
    metrics = consumer.handler.handler_metrics()
    counts = {kind: summary["count"] for kind, summary in metrics["latency"].items()}
    assert counts == {"orderbook": 1, "trades": 1, "book_ticker": 2, "ticker": 4}
    assert metrics["frames"] == {"orderbook": 1, "trades": TIMED_EVERY, "book_ticker": TIMED_EVERY + 1, "ticker": 100}


def test_a_frame_whose_byte_is_wrong_is_timed_and_counted_as_what_it_is(good_frames: GoodFrames) -> None:
    """A ticker whose channel is elsewhere, with the letter of a trade where the channel would be."""
    ticker = good_frames(SPOT)[3]
    at = GateioSpotPublicHandler.TELLING_AT
    body = ticker[ticker.index(b'"channel"') :]
    frame = b'{"note":"' + b"a" * (at - 8) + b'",' + body
    assert frame[at : at + 1] == b"a"
    consumer = Consumer(GateioSpotPublicHandler)
    for number in range(1, 2 * TIMED_EVERY):
        consumer.handler._on_raw_message(frame)
        assert consumer.handler.frames_received() == number
    metrics = consumer.handler.handler_metrics()
    assert metrics["frames"] == {"ticker": 2 * TIMED_EVERY - 1}
    assert metrics["latency"]["ticker"]["count"] == 2
    assert len(consumer.told) == 2 * TIMED_EVERY - 1


def test_a_slow_consumer_is_a_violation_and_a_failing_one_is_timed(
    good_frames: GoodFrames, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: Any) -> None:
        raise ValueError("the consumer's own")

    monkeypatch.setattr(GateioSpotPublicHandler, "TARGETS_NS", (0,) * KINDS)
    callbacks = PublicCallbacks(on_book_ticker=fail)
    handler = GateioSpotPublicHandler(WebSocketConfig("ws://x"), callbacks=callbacks)
    for _ in range(TIMED_EVERY + 1):
        handler._on_raw_message(good_frames(SPOT)[2])
    assert handler.callback_errors == TIMED_EVERY + 1
    assert handler.latency_violations == 2
    assert handler.handler_metrics()["latency"]["book_ticker"]["count"] == 2


TRADE_AT = (
    b'{"time":1790000000,"time_ms":1790000000040,"channel":"spot.trades","event":"update","result":{"id":%d,'
    b'"create_time_ms":"%s","side":"buy","currency_pair":"A_B","amount":"1","price":"2"}}'
)


@pytest.mark.parametrize(
    ("text", "whole"),
    [
        (b"1790359171119.999999", 1790359171119),
        (b"1790359171119", 1790359171119),
        (b"1790359171119.000000", 1790359171119),
        (b"-0.0", 0),
        (b"1e12", None),
        (b"nan", None),
    ],
)
def test_a_trade_at_a_whole_time_is_delivered_at_its_millisecond(text: bytes, whole: int | None) -> None:
    placed, unplaced = Consumer(GateioSpotPublicHandler), Consumer(Unplaced)
    odd = (b'"time":1790000000', b'"time":"1"'), (b'"update"', b'"updated"'), (b'"event"', b'"error":{},"event"')
    for number in (7, 7, 5, 8):
        frame = TRADE_AT % (number, text)
        for each in (frame, *(frame.replace(*change) for change in odd)):
            for consumer in (placed, unplaced):
                consumer.handler._on_raw_message(each)
    assert placed.told == unplaced.told
    assert placed.figures() == unplaced.figures()
    times = [event[0].timestamp for name, event in placed.told if name == "list"]
    assert times == ([] if whole is None else [whole] * 3)
