"""Holes of whole private connections over loopback sockets: what REST mends, and what it must not harm."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import pytest

from exchanges.interfaces.composite import Fault, PrivateExchange
from exchanges.structs import Balance, ConnectionState, ExchangeRestError, Fill, Position, Symbol
from shadow.venue.personas.mexc_private_frames import fill_id as mexc_fill_id

BTC, ETH = Symbol("BTC", "USDT"), Symbol("ETH", "USDT")
NAMES = ("BTC_USDT", "ETH_USDT")

pytestmark = [pytest.mark.no_cover, pytest.mark.parametrize("architecture", ["new"], indirect=True)]


class Account:
    """An application that can be cut off from its account, what it is told, and how the account really stands."""

    def __init__(self, exchange: PrivateExchange, street: Any, signal: Any) -> None:
        self.exchange = exchange
        self.told: list[Any] = []
        self.faults: list[Fault] = []
        self.real = street.venue.personas[0].account
        self._street, self._signal = street, signal
        self._losses = 0
        self._steps = 0
        for register in (exchange.on_order, exchange.on_fill, exchange.on_balance, exchange.on_position):
            register(self._note)
        exchange.on_fault(self._note_fault)
        exchange.on_state(self._on_state)

    def seen(self, kind: type) -> list[Any]:
        return [one for one in self.told if isinstance(one, kind)]

    async def cut(self, steps: int) -> None:
        """Lose the connection; the account acts so often while nobody listens."""
        losses, self._steps = self._losses, steps
        self._street.drop()
        await self._signal.until(lambda: self._losses > losses)

    def _note(self, event: Any) -> None:
        self.told.append(event)
        self._signal.changed()

    def _note_fault(self, fault: Fault) -> None:
        self.faults.append(fault)
        self._signal.changed()

    def _on_state(self, state: ConnectionState) -> None:
        if state is ConnectionState.DISCONNECTED:
            for step in range(self._steps):
                self.real.step(NAMES[step % 2], 0)
            self._losses += 1
        self._signal.changed()


def holds_the_real_balances(account: Account) -> bool:
    held = account.exchange.balances()
    real = {asset: float(free) for asset, free, _ in account.real.balances()}
    return {asset: one.value.free for asset, one in held.items() if not one.is_stale} == real


def holds_the_real_positions(account: Account) -> bool:
    held = {one.value.symbol: one.value for one in account.exchange.positions() if not one.is_stale}
    real = {Symbol(*one.symbol.split("_"), True): one for one in account.real.told_positions()}
    return {symbol: (one.size, one.entry_price) for symbol, one in held.items()} == {
        symbol: (float(one.size), float(one.entry_price)) for symbol, one in real.items()
    }


class Told:
    """Which fills an application was told, beside those that the account had since the first of them."""

    def __init__(self, account: Account, exchange_name: str) -> None:
        self._account = account
        self._spell = mexc_fill_id if exchange_name == "MEXC_SPOT" else str
        self._first = account.seen(Fill)[0].id

    def ids(self) -> list[str]:
        return [one.id for one in self._account.seen(Fill)]

    def missing(self) -> set[str]:
        real = [self._spell(one.id) for one in self._account.real.fills()]
        return {*real[real.index(self._first) :]} - {*self.ids()}

    def is_once(self) -> bool:
        return len(self.ids()) == len({*self.ids()})


Enter = Callable[..., AbstractAsyncContextManager[Account]]


@pytest.fixture
def enter(exchange_name: str, private_street: Any, fetch_account: Any, signal: Any) -> Enter:
    """Connects an application that is told events of this kind, and asks by REST for what `options` name."""

    def has_answered(kind: type) -> bool:
        # Fills are asked for after a hole only.
        return kind is Fill or bool(fetch_account.calls and not fetch_account.waiting)

    @asynccontextmanager
    async def entered(kind: type, **options: Any) -> AsyncIterator[Account]:
        async with PrivateExchange(private_street.config(exchange_name), **options) as exchange:
            account = Account(exchange, private_street, signal)
            await exchange.start([BTC, ETH])
            is_asked = kind is not Fill
            await signal.until(
                lambda: (
                    len(account.seen(kind)) > 8
                    and (not is_asked or (fetch_account.calls and not fetch_account.waiting))
                )
            )
            yield account

    return entered


async def test_balances_of_a_hole_are_asked_for(
    architecture: str, exchange_name: str, private_street: Any, fetch_account: Any, signal: Any, enter: Enter
) -> None:
    async with enter(Balance, fetch_balances=fetch_account) as account:
        exchange = account.exchange
        await private_street.hush()
        before = exchange.balances()
        await account.cut(60)
        assert all(one.is_stale for one in exchange.balances().values())
        await signal.until(lambda: holds_the_real_balances(account))
        assert exchange.balances() != before
        assert account.faults == []


@pytest.mark.parametrize("exchange_name", ["GATEIO_FUTURES"], indirect=True)
async def test_positions_of_a_hole_are_asked_for(
    architecture: str, exchange_name: str, private_street: Any, fetch_account: Any, signal: Any, enter: Enter
) -> None:
    async with enter(Position, fetch_positions=fetch_account) as account:
        exchange = account.exchange
        await private_street.hush()
        before = exchange.positions()
        await account.cut(60)
        assert all(one.is_stale for one in exchange.positions())
        await signal.until(lambda: holds_the_real_positions(account))
        assert exchange.positions() != before
        assert exchange.metrics()["positions"]["looks"] > 0
        assert account.faults == []


async def test_a_slow_answer_delays_no_push_and_sets_no_balance_back(
    architecture: str, exchange_name: str, private_street: Any, fetch_account: Any, signal: Any, enter: Enter
) -> None:
    async with enter(Balance, fetch_balances=fetch_account) as account:
        exchange = account.exchange
        fetch_account.let.clear()
        fetch_account.asked.clear()
        await account.cut(0)
        await fetch_account.asked.wait()
        assets = {asset for asset, _, _ in account.real.balances()}
        asked_at: dict[int, int] = {}

        def pushed() -> list[Balance]:
            """Since the newest question: each channel that is confirmed asks anew."""
            begin = asked_at.setdefault(fetch_account.calls, len(account.told))
            return [one for one in account.told[begin:] if isinstance(one, Balance)]

        await signal.until(lambda: assets <= {one.asset for one in pushed()})
        last = {one.asset: one for one in pushed()}
        assert {asset: held.value for asset, held in exchange.balances().items()} == last
        looks = exchange.metrics()["balances"]["looks"]
        fetch_account.let.set()
        await signal.until(lambda: exchange.metrics()["balances"]["looks"] > looks)
        await private_street.hush()
        for asset in assets:
            times = [one.timestamp for one in pushed() if one.asset == asset]
            assert times == sorted(times)
        await account.cut(0)
        await signal.until(lambda: holds_the_real_balances(account))


async def test_a_second_loss_while_asking_is_asked_about_anew(
    architecture: str, exchange_name: str, private_street: Any, fetch_account: Any, signal: Any, enter: Enter
) -> None:
    async with enter(Balance, fetch_balances=fetch_account) as account:
        await private_street.hush()
        fetch_account.let.clear()
        fetch_account.asked.clear()
        await account.cut(20)
        await fetch_account.asked.wait()
        begin = len(account.told)
        await account.cut(20)
        assert account.told[begin:] == []
        fetch_account.let.set()
        await signal.until(lambda: holds_the_real_balances(account))
        assert account.faults == []


async def test_a_rest_side_that_nobody_reaches_is_a_fault_and_what_it_should_tell_stays_stale(
    architecture: str, exchange_name: str, private_street: Any, fetch_account: Any, signal: Any, enter: Enter
) -> None:
    credentials = private_street.config(exchange_name).credentials
    fetch_account.real = type(fetch_account.real)("http://127.0.0.1:9", credentials)
    async with enter(Balance, fetch_balances=fetch_account) as account:
        exchange = account.exchange
        sent = await private_street.hush()
        await signal.until(lambda: len(account.told) >= sent)
        before, faults = exchange.balances(), len(account.faults)
        await account.cut(60)
        await signal.until(lambda: len(account.faults) > faults)
        fault = account.faults[-1]
        assert fault.kind == "balances"
        assert isinstance(fault.error, ExchangeRestError)
        assert fault.error.code == 503
        held = exchange.balances()
        assert {asset: one.value for asset, one in held.items()} == {a: one.value for a, one in before.items()}
        assert all(one.is_stale for one in held.values())


async def test_fills_of_a_hole_are_told_once_however_many(
    architecture: str, exchange_name: str, private_street: Any, fetch_account: Any, signal: Any, enter: Enter
) -> None:
    """More than fit into one answer, more than the application keeps, and the account goes on."""
    async with enter(Fill, fetch_fills=fetch_account, fills_kept=5) as account:
        exchange, told = account.exchange, Told(account, exchange_name)
        await private_street.hush()
        begin = len(account.real.fills())
        await account.cut(600)
        assert exchange.fills_missing_since() is not None
        assert len(account.real.fills()) - begin > 250
        private_street.move()
        await signal.until(lambda: exchange.fills_missing_since() is None)
        mended = len(account.told)
        await signal.until(lambda: len(account.told) > mended + 20)
        await private_street.hush()
        await account.cut(0)
        await signal.until(lambda: not told.missing() and exchange.fills_missing_since() is None)
        assert told.is_once()
        assert exchange.metrics()["fills"]["repeated"] > 0
        assert account.faults == []


async def test_fills_that_are_pushed_while_rest_is_slow_wait_for_nothing_and_come_once(
    architecture: str, exchange_name: str, private_street: Any, fetch_account: Any, signal: Any, enter: Enter
) -> None:
    async with enter(Fill, fetch_fills=fetch_account) as account:
        exchange, told = account.exchange, Told(account, exchange_name)
        fetch_account.let.clear()
        await account.cut(30)
        await fetch_account.asked.wait()
        begin = len(told.ids())
        await signal.until(lambda: len(told.ids()) > begin + 8)
        assert exchange.fills_missing_since() is not None
        pushed = account.seen(Fill)[begin:]
        assert [one.timestamp for one in pushed] == sorted(one.timestamp for one in pushed)
        fetch_account.let.set()
        await signal.until(lambda: exchange.fills_missing_since() is None)
        await private_street.hush()
        await account.cut(0)
        await signal.until(lambda: not told.missing() and exchange.fills_missing_since() is None)
        assert told.is_once()
        assert account.faults == []


async def test_a_second_loss_while_asking_for_fills_loses_none(
    architecture: str, exchange_name: str, private_street: Any, fetch_account: Any, signal: Any, enter: Enter
) -> None:
    async with enter(Fill, fetch_fills=fetch_account) as account:
        exchange, told = account.exchange, Told(account, exchange_name)
        await private_street.hush()
        fetch_account.let.clear()
        await account.cut(30)
        await fetch_account.asked.wait()
        since = exchange.fills_missing_since()
        await account.cut(30)
        assert exchange.fills_missing_since() == since
        assert told.missing()
        fetch_account.let.set()
        await signal.until(lambda: not told.missing() and exchange.fills_missing_since() is None)
        assert told.is_once()
        assert account.faults == []


async def test_fills_of_a_hole_that_rest_does_not_tell_stay_missing_until_it_does(
    architecture: str, exchange_name: str, private_street: Any, fetch_account: Any, signal: Any, enter: Enter
) -> None:
    credentials, real = private_street.config(exchange_name).credentials, fetch_account.real
    async with enter(Fill, fetch_fills=fetch_account) as account:
        exchange, told = account.exchange, Told(account, exchange_name)
        fetch_account.real = type(real)("http://127.0.0.1:9", credentials)
        await account.cut(30)
        since = exchange.fills_missing_since()
        await signal.until(lambda: account.faults)
        fault = account.faults[0]
        assert fault.kind == "fills"
        assert isinstance(fault.error, ExchangeRestError)
        assert fault.error.code == 503
        begin = len(told.ids())
        await signal.until(lambda: len(told.ids()) > begin + 4)
        assert exchange.fills_missing_since() == since
        assert told.missing()
        fetch_account.real = real
        await private_street.hush()
        await account.cut(30)
        await signal.until(lambda: not told.missing() and exchange.fills_missing_since() is None)
        assert told.is_once()
