"""Listen keys against a loopback REST server that checks signatures as the exchange does."""

from __future__ import annotations

import hashlib
import hmac
import logging
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web

from exchanges.integrations.mexc.listen_keys import MexcListenKeys, sign
from exchanges.structs import AuthenticationError, ConfigurationError, ExchangeCredentials, ExchangeRestError

KEY, SECRET = "mx0-api-key", "a-very-secret-secret"
CREDENTIALS = ExchangeCredentials(KEY, SECRET)
NOW_S = 1_700_000_000.5


class Exchange:
    """Keeps keys; refuses what is not signed. `answer` is given instead where it is set."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, str]] = []
        self.keys: list[str] = []
        self.answer: web.Response | None = None
        self.url = ""

    async def handle(self, request: web.Request) -> web.Response:
        self.calls.append((request.method, request.query_string))
        if self.answer is not None:
            return self.answer
        if request.headers.get("X-MEXC-APIKEY") != KEY:
            return web.json_response(
                {"code": 10072, "msg": f"Invalid key {request.headers['X-MEXC-APIKEY']}"}, status=400
            )
        signed, _, signature = request.query_string.rpartition("&signature=")
        if hmac.new(SECRET.encode(), signed.encode(), hashlib.sha256).hexdigest() != signature:
            return web.json_response({"code": 700002, "msg": "Signature is not valid."}, status=400)
        if abs(int(request.query["timestamp"]) - NOW_S * 1000) > 5000:
            return web.json_response({"code": "700003", "msg": "Timestamp outside recvWindow."}, status=400)
        return getattr(self, request.method.lower())(request.query.get("listenKey"))  # type: ignore[no-any-return]

    def post(self, _: str | None) -> web.Response:
        self.keys.append(f"listen{len(self.calls)}")
        return web.json_response({"listenKey": self.keys[-1]})

    def get(self, _: str | None) -> web.Response:
        return web.json_response({"listenKey": self.keys})

    def put(self, key: str | None) -> web.Response:
        if key not in self.keys:
            return web.json_response({"code": 730002, "msg": f"no such key {key}"}, status=400)
        return web.json_response({"listenKey": key})

    def delete(self, key: str | None) -> web.Response:
        answer = self.put(key)
        self.keys = [kept for kept in self.keys if kept != key]
        return answer


@pytest.fixture
async def exchange() -> AsyncIterator[Exchange]:
    fake = Exchange()
    app = web.Application()
    app.router.add_route("*", "/api/v3/userDataStream", fake.handle)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    fake.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield fake
    await runner.cleanup()


def keys_of(exchange: Exchange, credentials: ExchangeCredentials = CREDENTIALS, now_s: float = NOW_S) -> MexcListenKeys:
    return MexcListenKeys(exchange.url, credentials, lambda: now_s)


async def test_a_keys_life(exchange: Exchange) -> None:
    keys = keys_of(exchange)
    key = await keys.create()
    await keys.extend(key)
    assert await keys.active() == [key]
    await keys.delete(key)
    assert await keys.active() == []
    await keys.close()
    assert [method for method, _ in exchange.calls] == ["POST", "PUT", "GET", "DELETE", "GET"]
    assert exchange.calls[0][1].startswith("timestamp=1700000000500&signature=")
    assert exchange.calls[1][1].startswith(f"listenKey={key}&timestamp=1700000000500&signature=")


def test_the_signature_is_what_a_published_case_says() -> None:
    """RFC 4231's second case, so that no implementation of ours is its own witness."""
    known = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
    assert sign("Jefe", "what do ya want for nothing?") == known


@pytest.mark.parametrize(
    ("credentials", "now_s", "code"),
    [
        (ExchangeCredentials(KEY, "another secret"), NOW_S, 700002),
        (CREDENTIALS, NOW_S - 60, 700003),
        (ExchangeCredentials("another key", SECRET), NOW_S, 10072),
    ],
)
@pytest.mark.checklist("1.3.13")
async def test_refused_credentials(
    exchange: Exchange, credentials: ExchangeCredentials, now_s: float, code: int
) -> None:
    with pytest.raises(AuthenticationError, match=str(code)) as refused:
        await keys_of(exchange, credentials, now_s).create()
    assert not refused.value.reconnect_helps
    assert credentials.api_key not in str(refused.value)


@pytest.mark.parametrize(
    ("answer", "code", "says"),
    [
        (web.json_response({"code": 429, "msg": "Too many requests"}, status=429), 429, "Too many requests"),
        (web.json_response({"code": -1, "msg": f"{KEY} {SECRET} listen"}), 400, r"-1 \*\*\* \*\*\* \*\*\*"),
        (web.Response(text="<html>", status=502), 502, "no JSON"),
        (web.Response(text="<html>"), 502, "no JSON"),
        (web.Response(body=b"\xff"), 502, "no JSON"),
    ],
)
async def test_other_errors(exchange: Exchange, answer: web.Response, code: int, says: str) -> None:
    exchange.answer = answer
    with pytest.raises(ExchangeRestError, match=says) as failed:
        await keys_of(exchange).extend("listen")
    assert failed.value.code == code


@pytest.mark.parametrize("answer", [{}, {"listenKey": ""}, {"listenKey": ["a"]}])
async def test_an_answer_without_a_key_is_none(exchange: Exchange, answer: dict[str, Any]) -> None:
    exchange.answer = web.json_response(answer)
    with pytest.raises(ExchangeRestError, match="no listen key"):
        await keys_of(exchange).create()


async def test_nobody_there_is_503() -> None:
    with pytest.raises(ExchangeRestError) as failed:
        await MexcListenKeys("http://127.0.0.1:1", CREDENTIALS).create()
    assert failed.value.code == 503
    assert "signature" not in str(failed.value)


def test_a_key_that_no_header_carries_is_a_configuration_error_that_does_not_tell_it() -> None:
    with pytest.raises(ConfigurationError) as refused:
        MexcListenKeys("http://127.0.0.1:1", ExchangeCredentials("key\n", "secret"))
    assert "key\n" not in str(refused.value)


async def test_secrets_show_nowhere(exchange: Exchange, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    keys = keys_of(exchange)
    key = await keys.create()
    shown = [repr(keys), repr(vars(keys)), caplog.text]
    for name in ("unknown-listen-key", key):
        try:
            await keys.delete(name)
        except ExchangeRestError as error:
            shown += [str(error), repr(error)]
    assert len(shown) == 5
    assert [text for text in shown for secret in (KEY, SECRET, key, "unknown-listen-key") if secret in text] == []
