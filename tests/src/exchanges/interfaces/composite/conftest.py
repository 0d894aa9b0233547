"""A manager that is nothing but its public API, and a venue in this process with every exchange's connections."""

from __future__ import annotations

import asyncio
import gc
import json
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from exchanges.integrations.gateio.account_rest import GateioAccount, GateioFuturesAccount
from exchanges.integrations.gateio.orders_rest import GateioFuturesOrders, GateioOrders
from exchanges.integrations.gateio.rest import GateioFuturesRest, GateioRest
from exchanges.integrations.mexc.account_rest import MexcAccount
from exchanges.integrations.mexc.orders_rest import MexcOrders
from exchanges.integrations.mexc.rest import MexcRest
from exchanges.structs import (
    ConnectionState,
    ExchangeConfig,
    ExchangeCredentials,
    MessageType,
    ParsedMessage,
    Symbol,
    WebSocketConfig,
)
from exchanges.structs.symbols import to_gateio, to_mexc
from infrastructure.networking.websocket.book_keeper import BookSnapshot
from shadow.venue.options import VenueOptions
from shadow.venue.pace import pace_forever
from shadow.venue.server import Venue

WAIT_S = 30.0
ROLE = "client"
UNITS = {"GATEIO_SPOT": "gateio.spot", "GATEIO_FUTURES": "gateio.futures", "MEXC_SPOT": "mexc.spot"}
ORDERS = {"GATEIO_SPOT": GateioOrders, "GATEIO_FUTURES": GateioFuturesOrders, "MEXC_SPOT": MexcOrders}
ACCOUNTS = {"GATEIO_SPOT": GateioAccount, "GATEIO_FUTURES": GateioFuturesAccount, "MEXC_SPOT": MexcAccount}
REST = {"GATEIO_SPOT": GateioRest, "GATEIO_FUTURES": GateioFuturesRest, "MEXC_SPOT": MexcRest}


class FakeManager:
    """Has the public API and nothing else: whoever reaches further gets an AttributeError."""

    __slots__ = (
        "answers_with", "asked", "closed", "config", "connected", "error", "is_private", "on_message", "on_state",
        "started",
    )  # fmt: skip

    def __init__(self, config: ExchangeConfig, is_private: bool, on_message: Any, on_state: Any) -> None:
        self.config, self.is_private = config, is_private
        self.on_message, self.on_state = on_message, on_state
        self.started: tuple[Any, Any] | None = None
        self.asked: list[tuple[str, list[Symbol]]] = []
        self.connected = False
        self.closed = 0
        self.error: Exception | None = None
        self.answers_with: tuple[MessageType, Any] | None = None

    async def initialize(self, symbols: Sequence[Symbol] | None = None, default_channels: Any = None) -> None:
        if self.error is not None:
            raise self.error
        self.started = (symbols, default_channels)

    async def subscribe(self, symbols: Sequence[Symbol]) -> None:
        if self.error is not None:
            raise self.error
        self.asked.append(("subscribe", list(symbols)))
        if self.answers_with is not None:
            await self.tell(*self.answers_with)

    async def unsubscribe(self, symbols: Sequence[Symbol]) -> None:
        self.asked.append(("unsubscribe", list(symbols)))

    def is_connected(self) -> bool:
        return self.connected

    def get_performance_metrics(self) -> dict[str, Any]:
        return {"messages_processed": 7}

    async def close(self) -> None:
        await asyncio.sleep(0)  # who is cancelled does not come further, as with a real one
        self.closed += 1
        await self.on_state(ConnectionState.CLOSED)

    async def tell(self, kind: MessageType, data: Any) -> None:
        """A message comes."""
        await self.on_message(ParsedMessage(kind, data=data))

    async def connect(self) -> None:
        """The connection stands and its first subscription is confirmed."""
        self.connected = True
        await self.on_state(ConnectionState.CONNECTED)
        await self.tell(MessageType.SUBSCRIPTION_CONFIRM, [])

    async def lose(self) -> None:
        """The connection breaks and the manager tries again."""
        self.connected = False
        await self.on_state(ConnectionState.DISCONNECTED)
        await self.on_state(ConnectionState.RECONNECTING)


class FakeFactory:
    """Makes FakeManagers and remembers them; `error` is what the next one's start raises."""

    def __init__(self) -> None:
        self.made: list[FakeManager] = []
        self.error: Exception | None = None

    def __call__(
        self, exchange_config: ExchangeConfig, is_private: bool = False, message_handler: Any = None,
        connection_handler: Any = None,
    ) -> FakeManager:  # fmt: skip
        self.made.append(FakeManager(exchange_config, is_private, message_handler, connection_handler))
        self.made[-1].error = self.error
        return self.made[-1]

    @property
    def manager(self) -> FakeManager:
        """The newest."""
        return self.made[-1]


@pytest.fixture
def factory() -> FakeFactory:
    """What is injected in the factory's place."""
    return FakeFactory()


class Signal:
    """Lets a test wait until a condition holds; `changed` takes whatever a callback gets."""

    def __init__(self) -> None:
        self._changed = asyncio.Event()

    def changed(self, _: object = None) -> None:
        self._changed.set()

    async def until(self, condition: Callable[[], Any]) -> None:
        async with asyncio.timeout(WAIT_S):
            while not condition():
                self._changed.clear()
                await self._changed.wait()


@pytest.fixture
def signal() -> Signal:
    """A way to wait."""
    return Signal()


@pytest.fixture(params=["legacy", "new"])
def architecture(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Which stack the flag gives, by a flag file as in production."""
    name: str = request.param
    variant = {"legacy": "off", "new": "complete"}[name]
    flag = {"state": "ENABLED", "variants": {variant: variant}, "defaultVariant": variant}
    (tmp_path / "flags.json").write_text(json.dumps({"flags": {"websocket-stack": flag}}))
    monkeypatch.setenv("WS_SHADOW_FLAGS", str(tmp_path / "flags.json"))
    monkeypatch.setenv("WS_SHADOW_KILL", str(tmp_path / "none"))
    return name


class LoseBook:
    """A fault of the venue: the next book frame never leaves."""

    def __init__(self) -> None:
        self.lost = 0

    def pass_on(self, frame: Any, key: str, first: bool, deliver: Any) -> None:
        if frame.channel == "book" and not self.lost:
            self.lost += 1
        else:
            deliver(frame, key, first)


class Street:
    """`shadow venue` inside this process: real sockets, a market that moves until `hush`."""

    def __init__(self, *connections: str) -> None:
        options = VenueOptions([ROLE], list(connections), ["BTC_USDT", "ETH_USDT"], rate=300.0, seed=5)
        self.connection = connections[0]
        self.venue = Venue(options, lambda line: None)
        self._feeding: asyncio.Task[None] | None = None

    async def open(self) -> None:
        # A venue's process tidies up and freezes what it began with; this process lives on, with other tests' things.
        with patch.object(gc, "collect"), patch.object(gc, "freeze"):
            await self.venue.open()
        self.venue.stage.begin_leg("alone", (ROLE,))
        self.move()

    def move(self) -> None:
        """The market goes on."""
        stage = self.venue.stage
        self._feeding = asyncio.create_task(pace_forever(stage, 300.0))

    async def hush(self) -> int:
        """The market stands still, everything sent is on its way: how many events."""
        if self._feeding is not None:
            self._feeding.cancel()
            await asyncio.wait({self._feeding})
        self.venue.stage.send_ready()
        sent = await self.venue.drain()
        return sent[ROLE][self.connection]

    async def close(self) -> None:
        await self.hush()
        await self.venue.close()

    def drop(self) -> None:
        """Cut every client's connection."""
        for link in list(self.venue.stage.outlets[ROLE][self.connection].links):
            link.transport.abort()

    def lose_book(self) -> LoseBook:
        """The next book update is lost on its way."""
        fault = LoseBook()
        self.venue.stage.outlets[ROLE][self.connection].faults.append(fault)
        return fault

    def config(self, name: str, connection: str = "") -> ExchangeConfig:
        """How an application is configured for this venue; for its first connection unless told."""
        connection = connection or self.connection
        exchange = name.partition("_")[0].lower()
        urls = self.venue.lanes[ROLE].urls()
        given = self.venue.options.credentials[exchange]
        url = urls["ws"][connection.removesuffix(".public")]
        return ExchangeConfig(
            name,
            ExchangeCredentials(given["key"], given["secret"]) if connection.endswith("private") else None,
            base_url=urls["rest"][exchange],
            websocket_url=url,
            websocket=WebSocketConfig(url, heartbeat_interval=None, close_timeout=0.5),
        )


@pytest.fixture(params=list(UNITS))
def exchange_name(request: pytest.FixtureRequest) -> str:
    """An exchange and market."""
    name: str = request.param
    return name


@pytest.fixture
async def public_street(exchange_name: str) -> AsyncIterator[Street]:
    """The market of that exchange."""
    street = Street(f"{UNITS[exchange_name]}.public")
    await street.open()
    yield street
    await street.close()


@pytest.fixture
async def every_street() -> AsyncIterator[Street]:
    """All markets and accounts of one venue."""
    street = Street(*(f"{unit}.{scope}" for unit in UNITS.values() for scope in ("public", "private")))
    await street.open()
    yield street
    await street.close()


@pytest.fixture
async def private_street(exchange_name: str) -> AsyncIterator[Street]:
    """The account at that exchange."""
    street = Street(f"{UNITS[exchange_name]}.private")
    await street.open()
    yield street
    await street.close()


@pytest.fixture
async def fetch_orders(exchange_name: str, private_street: Street) -> AsyncIterator[Any]:
    """The REST side of the account."""
    config = private_street.config(exchange_name)
    assert config.credentials is not None
    rest = ORDERS[exchange_name](config.base_url, config.credentials)
    yield rest
    await rest.close()


class Slow:
    """The REST side of an account whose answers come when `let` is set; `asked` tells that one is on its way.

    The signal is given when an answer was taken: nothing waits between the two but plain functions.
    """

    def __init__(self, real: Any, signal: Signal) -> None:
        self.real, self._signal = real, signal
        self.calls = self.waiting = 0
        self.let, self.asked = asyncio.Event(), asyncio.Event()
        self.let.set()

    def __getattr__(self, name: str) -> Any:
        async def call(*arguments: Any) -> Any:
            self.calls, self.waiting = self.calls + 1, self.waiting + 1
            try:
                answer = await getattr(self.real, name)(*arguments)
                self.asked.set()
                await self.let.wait()
            finally:
                self.waiting -= 1
                asyncio.get_running_loop().call_soon(self._signal.changed)
            return answer

        return call


@pytest.fixture
async def fetch_account(exchange_name: str, private_street: Street, signal: Signal) -> AsyncIterator[Slow]:
    """What the account has, by REST."""
    config = private_street.config(exchange_name)
    assert config.credentials is not None
    rest = ACCOUNTS[exchange_name](config.base_url, config.credentials)
    yield Slow(rest, signal)
    await rest.close()


FetchBook = Callable[[Symbol], Any]


@pytest.fixture
async def fetch_book(exchange_name: str, public_street: Street) -> AsyncIterator[FetchBook]:
    """The REST order book of the market, by symbol."""
    rest = REST[exchange_name](public_street.config(exchange_name).base_url)
    spell = to_mexc if exchange_name == "MEXC_SPOT" else to_gateio

    async def fetch(symbol: Symbol) -> BookSnapshot:
        return await rest.fetch_book(spell(symbol))

    yield fetch
    await rest.close()
