"""`shadow venue` as a process of its own, ordinary clients pointed at it, and a session of accounts that all watch."""

from __future__ import annotations

import asyncio
import contextlib
import json
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import ccxt.pro
import pytest
from ccxt.async_support.base.ws.cache import ArrayCacheBySymbolById

from shadow.capture.reader import RunData
from shadow.reference import gateio as gateio_reference
from shadow.reference import mexc as mexc_reference
from shadow.reference.events import Event

PUBLIC = ("gateio.spot.public", "gateio.futures.public", "mexc.spot.public")
PRIVATE = ("gateio.spot.private", "gateio.futures.private", "mexc.spot.private")
WATCHERS = ("new", "legacy", "ccxt")
"""Who watches an account, in the order of connecting: the venue numbers a connection's sockets from 1."""
ENOUGH = 400


@contextlib.contextmanager
def venue(connections: tuple[str, ...], rate: int, *more: str) -> Iterator[tuple[dict[str, Any], Callable[[], int]]]:
    """The ready line of a running venue, and what ends it early."""
    words = ["--connections", ",".join(connections), "--rate", str(rate), *more]
    command = [sys.executable, "-m", "shadow.cli", "venue", *words]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None

        def end() -> int:
            process.terminate()
            return process.wait(10)

        try:
            yield json.loads(process.stdout.readline()), end
        finally:
            end()


@pytest.fixture
def ready() -> Iterator[dict[str, Any]]:
    """The ready line of a venue of public connections."""
    with venue(PUBLIC, 240) as (line, _):
        yield line


def gate_client(ready: dict[str, Any], scope: str = "") -> Any:
    """ccxt.pro's Gate.io client: spot and USDT swaps."""
    key = ready["credentials"]["gateio"]
    client = ccxt.pro.gate({"enableRateLimit": False, "apiKey": key["key"], "secret": key["secret"], "uid": key["uid"]})
    for access in ("public", "private"):
        client.urls["api"][access] = dict.fromkeys(client.urls["api"][access], ready["rest"]["gateio"])
    client.urls["api"]["spot"] = client.urls["api"]["ws"] = ready["ws"][f"gateio.spot{scope}"]
    # The client takes a socket for one of swaps when its address holds these two letters.
    client.urls["api"]["swap"] = {"usdt": ready["ws"][f"gateio.futures{scope}"] + "?fx"}
    client.options["fetchMarkets"] = {"types": ["spot", "swap"]}
    client.options["swap"]["fetchMarkets"]["settlementCurrencies"] = ["usdt"]
    client.options["watchPositions"] = {"fetchPositionsSnapshot": False, "awaitPositionsSnapshot": False}
    return client


def mexc_client(ready: dict[str, Any], scope: str = "") -> Any:
    """ccxt.pro's MEXC client, spot alone: the venue has no MEXC swaps to list and no networks to withdraw to."""
    key = ready["credentials"]["mexc"]
    client = ccxt.pro.mexc({"enableRateLimit": False, "apiKey": key["key"], "secret": key["secret"]})
    client.urls["api"]["spot"] = dict.fromkeys(("public", "private"), ready["rest"]["mexc"])
    client.urls["api"]["ws"] = {"spot": ready["ws"][f"mexc.spot{scope}"]}
    client.fetch_swap_markets = _no_markets
    client.has["fetchCurrencies"] = False
    return client


async def _no_markets(params: object = None) -> list[Any]:
    await asyncio.sleep(0)
    return []


@pytest.fixture
async def gate(ready: dict[str, Any]) -> AsyncIterator[Any]:
    """A Gate.io client of the public connections."""
    client = gate_client(ready)
    yield client
    await client.close()


@pytest.fixture
async def mexc(ready: dict[str, Any]) -> AsyncIterator[Any]:
    """A MEXC client of the public connection."""
    client = mexc_client(ready)
    yield client
    await client.close()


class Kept(ArrayCacheBySymbolById):
    """The client's own cache, which in between forgets the state before the last: each one is kept as it came in."""

    def __init__(self, note: Callable[[dict[str, Any]], None]) -> None:
        super().__init__(1000)
        self._note = note

    def append(self, item: dict[str, Any]) -> None:
        self._note(dict(item))
        super().append(item)


class Witness:
    """One ccxt.pro client of one account: `events` is what it made of each frame, `handed` what its calls gave out."""

    def __init__(self, client: Any, market: str) -> None:
        self.client = client
        self.events: list[tuple[str, dict[str, Any]]] = []
        self.handed: dict[str, list[Any]] = {"order": [], "fill": [], "balance": [], "position": []}
        self.enough = asyncio.Event()
        self._params = {"type": market}
        client.orders = Kept(lambda item: self._note("order", item))
        client.myTrades = Kept(lambda item: self._note("fill", item))
        self._listen("handle_balance", self._note_balance)
        if market == "swap":
            self._listen("handle_positions", self._note_position)

    async def watch(self) -> None:
        """Watch everything until the venue is gone."""
        client = self.client
        calls = {"order": client.watch_orders, "fill": client.watch_my_trades, "balance": client.watch_balance}
        if self._params["type"] == "swap":
            calls["position"] = client.watch_positions
        await asyncio.gather(*(self._take(kind, call) for kind, call in calls.items()))

    async def _take(self, kind: str, call: Any) -> None:
        with contextlib.suppress(ccxt.NetworkError):
            while True:
                told = await call(params=self._params)
                self.handed[kind].append([dict(one) for one in told] if isinstance(told, list) else dict(told))

    def _listen(self, name: str, note: Callable[[dict[str, Any]], None]) -> None:
        handle = getattr(self.client, name)

        def handle_and_note(socket: Any, message: dict[str, Any]) -> None:
            handle(socket, message)
            note(message)

        setattr(self.client, name, handle_and_note)

    def _note(self, kind: str, item: dict[str, Any]) -> None:
        self.events.append((kind, item))
        if len(self.events) >= ENOUGH:
            self.enough.set()

    def _note_balance(self, message: dict[str, Any]) -> None:
        """The asset that the message is about, as the client holds it now."""
        is_mexc = "privateAccount" in message
        held = self.client.balance["spot"] if is_mexc else self.client.balance
        spelt = message["privateAccount"]["vcoinName"] if is_mexc else message["result"][0]["currency"]
        asset = self.client.safe_currency_code(spelt)
        self._note("balance", {"asset": asset, "timestamp": held["timestamp"], **held[asset]})

    def _note_position(self, message: dict[str, Any]) -> None:
        self._note("position", dict(self.client.positions["swap"][-1]))


class Subject:
    """One of our stacks as a process of its own: its event lines by connection, and its errors."""

    def __init__(self, architecture: str) -> None:
        self.lines: dict[str, list[dict[str, Any]]] = {connection: [] for connection in PRIVATE}
        self.errors: list[dict[str, Any]] = []
        self._architecture = architecture
        self._subscribed: set[str] = set()
        self._changed = asyncio.Event()

    async def start(self, ready: dict[str, Any]) -> None:
        """Return when every connection is subscribed."""
        words = (sys.executable, "-m", f"shadow.subjects.{self._architecture}")
        pipe = asyncio.subprocess.PIPE
        self._process = await asyncio.create_subprocess_exec(*words, stdin=pipe, stdout=pipe, limit=1 << 23)
        self._reading = asyncio.create_task(self._read())
        connections = [_spec(connection, ready) for connection in PRIVATE]
        start = {"protocol": 1, "run": "witness", "role": self._architecture, "connections": connections}
        await self._say(start | {"options": {"door": "direct"}})
        await self._until(lambda: self._subscribed == set(PRIVATE))

    async def stop(self) -> None:
        """End it once it noticed that the venue is gone, so that all that was sent has been read."""
        await self._until(lambda: not self._subscribed)
        await self._say({"cmd": "stop"})
        await self._reading
        assert await self._process.wait() == 0

    async def _say(self, line: dict[str, Any]) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(line).encode() + b"\n")
        await self._process.stdin.drain()

    async def _until(self, is_so: Callable[[], bool]) -> None:
        while not is_so():
            self._changed.clear()
            await self._changed.wait()

    async def _read(self) -> None:
        assert self._process.stdout is not None
        async for text in self._process.stdout:
            line = json.loads(text)
            if line["k"] == "event":
                self.lines[line["c"]].append(line)
            elif line["k"] == "state":
                change = self._subscribed.add if line["state"] == "subscribed" else self._subscribed.discard
                change(line["c"])
                self._changed.set()
            elif line["k"] == "error" and self._subscribed == set(PRIVATE):
                self.errors.append(line)


def _spec(connection: str, ready: dict[str, Any]) -> dict[str, Any]:
    exchange, market, scope = connection.split(".")
    return {
        "id": connection,
        "exchange": exchange,
        "market": market,
        "scope": scope,
        "ws_url": ready["ws"][connection],
        "rest_url": ready["rest"][exchange],
        "symbols": ["BTCUSDT", "ETHUSDT"] if exchange == "mexc" else ["BTC_USDT", "ETH_USDT"],
        "channels": ["order", "fill", "balance", *(["position"] if market == "futures" else [])],
        "credentials": ready["credentials"][exchange],
    }


class Accounts:
    """A session that has ended: what each watcher told, and what the ledger says was sent to it."""

    def __init__(self, witnesses: dict[str, Witness], subjects: dict[str, Subject], ledger: Path) -> None:
        self.witnesses = witnesses
        self.subjects = subjects
        run = RunData(ledger)
        self._frames = {row["frame_no"]: row for row in run.table("frames").to_pylist()}
        self._sends = run.table("sends").to_pylist()

    def sent(self, connection: str, watcher: str) -> list[Event]:
        """What the reference reads from the frames that the venue sent to one watcher, in their order."""
        decode = (mexc_reference if connection.startswith("mexc") else gateio_reference).decode
        place = connection, WATCHERS.index(watcher) + 1
        sends = (row["frame_no"] for row in self._sends if (row["connection"], row["conn_no"]) == place)
        pushes = [self._frames[number] for number in sends if self._frames[number]["kind"] == "ws"]
        return [event for push in pushes for event in decode(push["payload"], push["is_text"])]


@pytest.fixture(scope="session")
def accounts(tmp_path_factory: pytest.TempPathFactory) -> Accounts:
    """Both our stacks and ccxt.pro at all three accounts of one venue, until it is ended."""
    folder = tmp_path_factory.mktemp("witness") / "ledger"
    with venue(PUBLIC + PRIVATE, 900, "--ledger", str(folder)) as (ready, end):
        witnesses, subjects = asyncio.run(_watch_accounts(ready, end))
    return Accounts(witnesses, subjects, folder)


async def _watch_accounts(
    ready: dict[str, Any], end: Callable[[], int]
) -> tuple[dict[str, Witness], dict[str, Subject]]:
    clients = gate_client(ready, ".private"), gate_client(ready, ".private"), mexc_client(ready, ".private")
    witnesses = {
        connection: Witness(client, market)
        for connection, client, market in zip(PRIVATE, clients, ("spot", "swap", "spot"), strict=True)
    }
    subjects = {name: Subject(name) for name in WATCHERS[:2]}
    async with asyncio.timeout(40):
        await asyncio.gather(*(client.load_markets() for client in clients))
        for subject in subjects.values():
            await subject.start(ready)
        watching = asyncio.gather(*(witness.watch() for witness in witnesses.values()))
        await asyncio.gather(*(witness.enough.wait() for witness in witnesses.values()))
        assert await asyncio.to_thread(end) == 0
        await watching
        await asyncio.gather(*(subject.stop() for subject in subjects.values()))
        await asyncio.gather(*(client.close() for client in clients))
    return witnesses, subjects
