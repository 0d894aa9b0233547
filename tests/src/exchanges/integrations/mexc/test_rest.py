"""MEXC's REST book against a loopback server."""

from __future__ import annotations

import pytest
from aiohttp import web

from exchanges.integrations.mexc.rest import MexcRest
from exchanges.structs import ExchangeRestError


async def test_the_book_is_asked_by_symbol_and_read_as_numbers() -> None:
    seen, answers = [], ['{"lastUpdateId":74891313262,"bids":[["1.5","2"]],"asks":[],"timestamp":5}', "nonsense"]

    async def handle(request: web.Request) -> web.Response:
        seen.append(request.path_qs)
        return web.Response(text=answers.pop(0))

    app = web.Application()
    app.router.add_get("/api/v3/depth", handle)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    rest = MexcRest(f"http://127.0.0.1:{runner.addresses[0][1]}")
    book = await rest.fetch_book("BTCUSDT")
    with pytest.raises(ExchangeRestError) as caught:
        await rest.fetch_book("BTCUSDT")
    await rest.close()
    await runner.cleanup()
    assert seen[0] == "/api/v3/depth?symbol=BTCUSDT&limit=1000"
    assert (book.version, book.bids, book.asks, book.timestamp) == (74891313262, [(1.5, 2.0)], [], 5)
    assert caught.value.code == 400
