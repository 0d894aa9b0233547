"""Hostile answers where a stack waits for one (logins, listen keys, order books): its own errors, or it goes on."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from exchanges.integrations.gateio.builder import build_direct
from exchanges.integrations.gateio.rest import GateioFuturesRest, GateioRest
from exchanges.integrations.mexc.listen_keys import MexcListenKeys
from exchanges.integrations.mexc.rest import MexcRest
from exchanges.structs import ConnectionState, ExchangeConfig, ExchangeCredentials, ExchangeError
from exchanges.structs.events import PrivateCallbacks
from infrastructure.networking.websocket.book_keeper import BookSnapshot
from infrastructure.networking.websocket.testing import FakeServer, run_virtual, settle

Hostile = Callable[[Sequence[bytes]], st.SearchStrategy[bytes]]
FUZZ = settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
CREDENTIALS = ExchangeCredentials("the-key", "the-secret")
BOOKS: dict[type[Any], bytes] = {
    GateioRest: b'{"id":12,"current":1790000000123,"update":1790000000120,"asks":[["2","3"]],"bids":[["1","3.5"]]}',
    GateioFuturesRest: b'{"id":12,"current":1790000000.123,"update":1790000000.12,"asks":[{"p":"2","s":3}],"bids":[]}',
    MexcRest: b'{"lastUpdateId":12,"timestamp":1790000000123,"bids":[["1","3.5"]],"asks":[["2","3"]]}',
}
KEYS = [
    b'{"listenKey":"abcdef"}',
    b'{"listenKey":["abcdef","fedcba"]}',
    b'{"code":730002,"msg":"no such key abcdef"}',
    b'{"code":"700002","msg":"Signature is not valid."}',
]


class Answering:
    """Stands in for a RestClient: every call has the same answer."""

    def __init__(self, status: int, body: bytes) -> None:
        self.answer = status, body

    async def send(self, method: str, path: str, query: Mapping[str, str], headers: Any = None) -> tuple[int, bytes]:
        return self.answer

    async def get(self, path: str, query: Mapping[str, str]) -> bytes:
        return self.answer[1]


def outcome(call: Awaitable[Any]) -> Any:
    """What a call gives; an error of the tree is an outcome too."""

    async def wait() -> Any:
        try:
            return await call
        except ExchangeError as error:
            return error

    return asyncio.run(wait())


@pytest.mark.no_cover
@pytest.mark.parametrize("rest_type", BOOKS)
@FUZZ
@given(data=st.data())
def test_an_order_book_is_read_or_refused(rest_type: type[Any], hostile: Hostile, data: st.DataObject) -> None:
    rest = rest_type("http://127.0.0.1:1")
    rest._client = Answering(200, BOOKS[rest_type])
    assert outcome(rest.fetch_book("BTC_USDT")).version == 12
    rest._client = Answering(200, data.draw(hostile([BOOKS[rest_type]])))
    book = outcome(rest.fetch_book("BTC_USDT"))
    assert isinstance(book, (BookSnapshot, ExchangeError))
    if isinstance(book, BookSnapshot):
        assert isinstance(book.version, int)
        assert all(isinstance(number, float) for level in (*book.bids, *book.asks) for number in level)


@FUZZ
@given(data=st.data(), status=st.sampled_from([200, 302, 400, 429, 500]))
def test_a_listen_key_is_read_or_refused_and_no_text_tells_one(
    hostile: Hostile, data: st.DataObject, status: int
) -> None:
    keys = MexcListenKeys("http://127.0.0.1:1", CREDENTIALS)
    keys._client = Answering(status, data.draw(hostile(KEYS)))  # type: ignore[assignment]  # no socket
    made, active, extended = (outcome(call) for call in (keys.create(), keys.active(), keys.extend("abcdef")))
    assert isinstance(made, ExchangeError) or (isinstance(made, str) and made)
    assert isinstance(active, ExchangeError) or all(isinstance(key, str) for key in active)
    assert extended is None or (isinstance(extended, ExchangeError) and "abcdef" not in str(extended))


class Scene:
    """A private Gate.io connection whose login waits for its answer."""

    def __init__(self, market: str) -> None:
        self.market = market
        self.server = FakeServer()
        self.errors: list[str] = []
        callbacks = PrivateCallbacks(on_error=lambda kind, _: self.errors.append(kind))
        config = ExchangeConfig(f"GATEIO_{market.upper()}", CREDENTIALS, websocket_url="ws://x")
        self.connection = build_direct(config, callbacks, True, transport=self.server.open)
        self.handler: Any = self.connection.handler

    async def play(self, draw: Callable[[Sequence[bytes]], list[bytes]]) -> None:
        await self.connection.start([])
        await settle()
        request_id = json.loads(self.server.socket.sent[0])["payload"]["req_id"]
        frames = draw([self.answer(request_id, one).encode() for one in (ACCEPTED, REFUSED, PUT_OFF)])
        for frame in frames:
            self.server.socket.feed(frame)
        self.server.socket.feed(self.answer(request_id, ACCEPTED))
        await settle()
        assert self.handler.frames_received() == len(frames) + 1 or self.errors
        assert self.handler.callback_errors == 0
        if "auth" not in self.errors and "connect" not in self.errors:
            assert self.handler.connection_state is ConnectionState.CONNECTED
            assert len(self.server.socket.sent) > 1
        await self.connection.close()

    def answer(self, request_id: str, body: dict[str, Any]) -> str:
        header = {"status": body["status"], "channel": f"{self.market}.login", "event": "api"}
        return json.dumps({"request_id": request_id, "ack": False, "header": header, "data": body["data"]})


ACCEPTED = {"status": "200", "data": {"result": {"api_key": "the-key", "uid": "1047221"}}}
REFUSED = {"status": "401", "data": {"errs": {"label": "INVALID_KEY", "message": "no the-key"}}}
PUT_OFF = {"status": "429", "data": {"errs": {"label": "TOO_MANY", "message": "later"}}}


@pytest.mark.no_cover
@pytest.mark.parametrize("market", ["spot", "futures"])
@FUZZ
@given(data=st.data())
def test_a_login_ends_in_a_connection_or_in_an_error_that_is_told(
    market: str, hostile: Hostile, data: st.DataObject
) -> None:
    def draw(good: Sequence[bytes]) -> list[bytes]:
        return data.draw(st.lists(hostile(good), min_size=1, max_size=4))

    run_virtual(Scene(market).play(draw))
