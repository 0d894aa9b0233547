"""An exchange's REST side on a loopback socket, each in turn; hostile frames, their strategies made once."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from functools import lru_cache

import pytest
from aiohttp import web
from hypothesis import strategies as st

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


Hostile = Callable[[Sequence[bytes]], st.SearchStrategy[bytes]]


@pytest.fixture(scope="session")
def hostile(hostile: Hostile) -> Hostile:
    """One strategy for the same good frames: to make it, Hypothesis reads source, longer than an example takes."""
    once = lru_cache(maxsize=32)(hostile)
    return lambda good: once(tuple(good))
