"""An exchange's REST side on a loopback socket, each in turn."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from aiohttp import web

from tests.src.exchanges.integrations.loopback_rest import SIDES, Exchange


@pytest.fixture(params=SIDES)
async def exchange(request: pytest.FixtureRequest) -> AsyncIterator[Exchange]:
    """Listening."""
    made = Exchange(request.param)
    runner = web.ServerRunner(web.Server(made.handle))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    made.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield made
    await runner.cleanup()
