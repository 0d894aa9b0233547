"""`shadow venue` as a process of its own, and an ordinary client pointed at it."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from typing import Any

import ccxt.pro
import pytest

CONNECTIONS = ("gateio.spot.public", "gateio.futures.public", "mexc.spot.public")


@pytest.fixture
def ready() -> Iterator[dict[str, Any]]:
    """The ready line of a running venue."""
    command = [sys.executable, "-m", "shadow.cli", "venue", "--connections", ",".join(CONNECTIONS), "--rate", "240"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        yield json.loads(line)
        process.terminate()
        process.wait(10)


@pytest.fixture
async def gate(ready: dict[str, Any]) -> AsyncIterator[Any]:
    """ccxt.pro's Gate.io client: spot and USDT swaps."""
    client = ccxt.pro.gate({"enableRateLimit": False})
    for scope in ("public", "private"):
        client.urls["api"][scope] = dict.fromkeys(client.urls["api"][scope], ready["rest"]["gateio"])
    client.urls["api"]["spot"] = client.urls["api"]["ws"] = ready["ws"]["gateio.spot"]
    client.urls["api"]["swap"] = {"usdt": ready["ws"]["gateio.futures"]}
    client.options["fetchMarkets"] = {"types": ["spot", "swap"]}
    client.options["swap"]["fetchMarkets"]["settlementCurrencies"] = ["usdt"]
    yield client
    await client.close()


@pytest.fixture
async def mexc(ready: dict[str, Any]) -> AsyncIterator[Any]:
    """ccxt.pro's MEXC client, spot alone: the venue has no MEXC swaps to list."""
    client = ccxt.pro.mexc({"enableRateLimit": False})
    client.urls["api"]["spot"] = dict.fromkeys(("public", "private"), ready["rest"]["mexc"])
    client.urls["api"]["ws"] = {"spot": ready["ws"]["mexc.spot"]}
    client.fetch_swap_markets = _no_markets
    yield client
    await client.close()


async def _no_markets(params: object = None) -> list[Any]:
    await asyncio.sleep(0)
    return []
