"""NaN and infinity on Gate.io spot's wire: the frame is counted as unreadable and told, and nothing else changes."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from exchanges.integrations.gateio.ws.handlers.spot_public_handler import GateioSpotPublicHandler
from exchanges.structs import PublicWebsocketChannelType, Symbol, WebSocketConfig
from exchanges.structs.events import PublicCallbacks
from infrastructure.networking.websocket.book_keeper import BookSnapshot
from infrastructure.networking.websocket.testing import FakeServer, run_virtual, settle

Channel = PublicWebsocketChannelType
BTC = Symbol("BTC", "USDT")
SPOT = "gateio.spot.public"
SPELT = ("NaN", "nan", "-nan", "inf", "-inf", "Infinity", "-INFINITY", "1e999", "-1e999")
FIGURES = {
    "book": (),
    "trade": ("amount", "price"),
    "book_ticker": ("b", "B", "a", "A"),
    "ticker": ("last", "lowest_ask", "highest_bid", "base_volume", "quote_volume", "high_24h", "low_24h"),
}
LEVEL = re.compile(rb'\["([^"]+)","([^"]+)"\]')


def spoilt(name: str, frame: bytes, bad: str) -> Iterator[bytes]:
    """The frame with each of its figures in turn being `bad`, and byte for byte as it was else."""
    spots = [found.span(group) for found in LEVEL.finditer(frame) for group in (1, 2)]
    for figure in FIGURES[name]:
        found = re.search(rb'"%s":"([^"]+)"' % figure.encode(), frame)
        assert found is not None, figure
        spots.append(found.span(1))
    for first, last in spots:
        yield frame[:first] + bad.encode() + frame[last:]


class Listener:
    """Remembers what the callbacks got."""

    def __init__(self) -> None:
        self.events: list[Any] = []
        self.errors: list[tuple[str, str]] = []
        take = self.events.append
        self.callbacks = PublicCallbacks(
            on_book=take, on_trades=take, on_book_ticker=take, on_ticker=take, on_error=self._on_error
        )

    def _on_error(self, kind: str, text: str) -> None:
        self.errors.append((kind, text))


@pytest.mark.parametrize("name", FIGURES)
def test_no_figure_of_a_push_may_be_without_end(name: str, good_frames: Callable[[str], list[bytes]]) -> None:
    good = good_frames(SPOT)[list(FIGURES).index(name)]
    bad_frames = [frame for bad in SPELT for frame in spoilt(name, good, bad)]
    assert len(bad_frames) >= len(SPELT) * max(2, len(FIGURES[name]))
    listener = Listener()
    handler = GateioSpotPublicHandler(WebSocketConfig("ws://x"), callbacks=listener.callbacks)
    for frame in bad_frames:
        handler._on_raw_message(frame)
    assert [kind for kind, _ in listener.errors] == ["decode"] * len(bad_frames)
    assert (listener.events, handler.callback_errors) == ([], 0)
    assert handler.decode_errors == handler.frames_received() == len(bad_frames)
    handler._on_raw_message(good)
    assert len(listener.events) == 1
    assert len(listener.errors) == len(bad_frames)


class Snapshots:
    """A REST book, at the version it has come to."""

    version = 10

    async def fetch_book(self, _: str) -> BookSnapshot:
        """As of now."""
        return BookSnapshot(self.version, [(1.0, 5.0), (0.5, 5.0)], [(2.0, 5.0)])

    async def close(self) -> None:
        return


def update(version: int, price: str, quantity: str) -> str:
    """A book update as the exchange writes it."""
    return (
        '{"time":1790000000,"time_ms":1790000000040,"channel":"spot.order_book_update","event":"update","result":{'
        f'"t":1790000000036,"e":"depthUpdate","E":1790000000,"s":"BTC_USDT","U":{version},"u":{version},"l":"100",'
        f'"b":[["{price}","{quantity}"]],"a":[]}}}}'
    )


@pytest.mark.parametrize("bad", SPELT)
def test_a_local_book_takes_no_such_level_and_is_built_anew(bad: str) -> None:
    """The refused update is a hole in the versions, and heals as every hole: by a snapshot."""

    async def scene() -> None:
        server, listener, rest = FakeServer(), Listener(), Snapshots()
        config = WebSocketConfig("ws://x", heartbeat_interval=None)
        handler = GateioSpotPublicHandler(config, callbacks=listener.callbacks, rest=rest, transport=server.open)
        await handler.initialize([BTC], [Channel.ORDERBOOK])
        await settle()
        request = json.loads(server.socket.sent[-1])
        answer = {"channel": request["channel"], "event": "subscribe", "id": request["id"], "error": None}
        server.socket.feed(json.dumps(answer | {"result": {"status": "success"}}))
        await settle()
        server.socket.feed(update(11, "0.75", "1"), update(12, bad, "1"), update(12, "0.8", bad))
        await settle()
        assert [kind for kind, _ in listener.errors] == ["decode", "decode"]
        assert handler.decode_errors == 2
        assert handler.is_connected()
        book = handler.book(BTC)
        assert book is not None
        assert (book.last, book.bids) == (11, [(1.0, 5.0), (0.75, 1.0), (0.5, 5.0)])
        rest.version = 13
        server.socket.feed(update(13, "0.6", "1"))
        await settle()
        assert handler.handler_metrics()["books"]["gaps"] == 1
        server.socket.feed(update(14, "0.7", "2"))
        await settle()
        book = handler.book(BTC)
        assert book is not None
        assert (book.last, book.bids) == (14, [(1.0, 5.0), (0.7, 2.0), (0.5, 5.0)])
        await handler.close()

    run_virtual(scene())
