"""Gate.io's REST book against a loopback server."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from aiohttp import web

from exchanges.integrations.gateio.rest import GateioFuturesRest, GateioRest
from exchanges.structs import ExchangeRestError

Answers = list[tuple[int, str]]
Seen = list[str]


@pytest.fixture
async def exchange() -> AsyncIterator[tuple[str, Answers, Seen]]:
    """Base address, the answers to give, the requests seen."""
    answers: Answers = []
    seen: Seen = []

    async def handle(request: web.Request) -> web.Response:
        seen.append(request.path_qs)
        status, text = answers.pop(0)
        return web.Response(status=status, text=text)

    app = web.Application()
    app.router.add_get("/{path:.*}", handle)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    yield f"http://{host}:{port}/api/v4", answers, seen
    await runner.cleanup()


async def test_the_book_is_asked_with_its_id_and_as_deep_as_the_stream(exchange: tuple[str, Answers, Seen]) -> None:
    url, answers, seen = exchange
    answers.append((200, '{"id":7,"current":1,"update":2,"bids":[["1.5","2"]],"asks":[["3","4.25"]]}'))
    rest = GateioRest(url + "/")
    book = await rest.fetch_book("BTC_USDT")
    await rest.close()
    assert seen == ["/api/v4/spot/order_book?currency_pair=BTC_USDT&limit=100&with_id=true"]
    assert (book.version, book.bids, book.asks, book.timestamp) == (7, [(1.5, 2.0)], [(3.0, 4.25)], 2)


async def test_what_goes_wrong_has_a_code(exchange: tuple[str, Answers, Seen]) -> None:
    url, answers, _ = exchange
    answers += [(429, "slow down"), (200, "<html>"), (200, '{"bids":[]}')]
    rest = GateioRest(url)
    for code in (429, 400, 400):
        with pytest.raises(ExchangeRestError) as caught:
            await rest.fetch_book("BTC_USDT")
        assert caught.value.code == code
    await rest.close()
    await rest.close()


async def test_no_server_is_503() -> None:
    rest = GateioRest("http://127.0.0.1:9")
    with pytest.raises(ExchangeRestError) as caught:
        await rest.fetch_book("BTC_USDT")
    await rest.close()
    assert caught.value.code == 503


async def test_a_contracts_book_comes_from_the_futures_path(exchange: tuple[str, Answers, Seen]) -> None:
    url, answers, seen = exchange
    answers.append((200, '{"id":7,"current":1.5,"update":1.25,"bids":[{"p":"1.5","s":2}],"asks":[{"p":"3","s":"4"}]}'))
    answers.append((200, '{"id":7,"bids":[["1","2"]],"asks":[]}'))
    rest = GateioFuturesRest(url)
    book = await rest.fetch_book("BTC_USDT")
    with pytest.raises(ExchangeRestError, match="unreadable"):
        await rest.fetch_book("BTC_USDT")
    await rest.close()
    assert seen[0] == "/api/v4/futures/usdt/order_book?contract=BTC_USDT&limit=100&with_id=true"
    assert (book.version, book.bids, book.asks, book.timestamp) == (7, [(1.5, 2.0)], [(3.0, 4.0)], 1250)
