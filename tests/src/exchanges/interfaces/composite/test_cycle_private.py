"""Whole private connections over loopback sockets, from the flag file to the application, on both architectures."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from typing import Any

import pytest

from exchanges.interfaces.composite import Fault, PrivateExchange
from exchanges.interfaces.composite.orders import FINISHED
from exchanges.structs import Balance, ConnectionState, ExchangeCredentials, Fill, Order, Position, Symbol
from shadow.venue.personas.mexc_private_frames import order_id as mexc_order_id

BTC, ETH = Symbol("BTC", "USDT"), Symbol("ETH", "USDT")

pytestmark = pytest.mark.no_cover


class Watch:
    """Every event that an application was called back with."""

    def __init__(self, exchange: PrivateExchange, signal: Any) -> None:
        self.events: dict[type, list[Any]] = defaultdict(list)
        self.faults: list[Fault] = []
        self.opened: set[str] = set()
        for register in (exchange.on_order, exchange.on_fill, exchange.on_balance, exchange.on_position):

            @register
            def note(event: Any) -> None:
                self.events[type(event)].append(event)
                # A fill shows that fills are subscribed, too: of an order that opens behind it nothing is missing.
                if isinstance(event, Order) and event.status == "open" and not event.filled and self.events[Fill]:
                    self.opened.add(event.id)
                signal.changed()

        exchange.on_fault(self.faults.append)

    def seen(self, *types: type, count: int) -> bool:
        return all(len(self.events[one]) >= count for one in types)


@pytest.mark.checklist("4.2.1", "4.2.7", "4.2.10", "4.2.12")
async def test_an_application_holds_the_account_on_either_stack(
    architecture: str, exchange_name: str, private_street: Any, signal: Any
) -> None:
    kinds = (Order, Fill, Balance, *([Position] if exchange_name == "GATEIO_FUTURES" else []))
    async with PrivateExchange(private_street.config(exchange_name)) as exchange:
        watch = Watch(exchange, signal)
        await exchange.start([BTC, ETH])
        await signal.until(
            lambda: (
                watch.seen(*kinds, count=8)
                and any(one.filled and one.status in FINISHED and one.id in watch.opened for one in watch.events[Order])
            )
        )
        sent = await private_street.hush()
        await signal.until(lambda: sum(map(len, watch.events.values())) >= sent)
        manager = exchange.metrics()["manager"]
        assert ("architecture_version" in manager) == (architecture == "new")
        assert watch.faults == []
        events = watch.events
        last = {order.id: order for order in events[Order]}
        for order_id, order in last.items():
            held = exchange.order(order_id)
            assert held is not None
            assert (held.value, held.is_stale) == (order, False)
            assert (order_id in exchange.open_orders()) == (order.status not in FINISHED)
            assert exchange.order_life(order_id) == [one for one in events[Order] if one.id == order_id]
        assert exchange.fills() == events[Fill]
        whole = [order for order in last.values() if order.status in FINISHED and order.id in watch.opened]
        assert whole
        for order in whole:
            assert sum(one.quantity for one in exchange.fills(order.id)) == pytest.approx(order.filled)
        assert {asset: held.value for asset, held in exchange.balances().items()} == {
            one.asset: one for one in events[Balance]
        }
        assert [held.value for held in exchange.positions()] == list(
            {(one.symbol, one.mode): one for one in events[Position]}.values()
        )


async def test_after_a_lost_connection_what_is_told_again_is_certain_and_the_rest_stale(
    architecture: str, exchange_name: str, private_street: Any, signal: Any
) -> None:
    async with PrivateExchange(private_street.config(exchange_name)) as exchange:
        watch = Watch(exchange, signal)
        lost: list[bool] = []

        @exchange.on_state
        def look(state: ConnectionState) -> None:
            if state is ConnectionState.DISCONNECTED:
                held = [*exchange.open_orders().values(), *exchange.balances().values(), *exchange.positions()]
                lost.extend(one.is_stale for one in held)

        await exchange.start([BTC, ETH])
        await signal.until(lambda: watch.seen(Order, Balance, count=5))
        private_street.drop()
        await signal.until(lambda: lost)
        assert all(lost)
        before = len(watch.events[Balance])
        await signal.until(lambda: len(watch.events[Balance]) > before and exchange.is_connected())
        newest = watch.events[Balance][-1]
        held = exchange.balance(newest.asset)
        assert held is not None
        assert (held.value, held.is_stale) == (newest, False)


@pytest.mark.parametrize("architecture", ["new"], indirect=True)
async def test_orders_that_changed_while_nobody_listened_are_asked_for(
    architecture: str, exchange_name: str, private_street: Any, fetch_orders: Any, signal: Any
) -> None:
    """The account goes on in the hole and tells nothing more afterwards: only REST knows."""
    async with PrivateExchange(private_street.config(exchange_name), fetch_orders=fetch_orders) as exchange:
        watch = Watch(exchange, signal)
        await exchange.start([BTC, ETH])
        await signal.until(lambda: watch.seen(Order, count=5) and len(exchange.open_orders()) > 2)
        await private_street.hush()
        before = exchange.open_orders()
        account = private_street.venue.personas[0].account

        stale: list[bool] = []

        @exchange.on_state
        def go_on(state: ConnectionState) -> None:
            if state is ConnectionState.DISCONNECTED:
                stale.extend(one.is_stale for one in exchange.open_orders().values())
                for step in range(60):
                    account.step(("BTC_USDT", "ETH_USDT")[step % 2], 0)
            signal.changed()

        private_street.drop()
        await signal.until(lambda: stale)
        assert all(stale)
        settled = {state.id: state for state in account.orders()}
        spell = mexc_order_id if exchange_name == "MEXC_SPOT" else str
        still_open = {spell(state.id) for state in settled.values() if state.is_open}
        await signal.until(lambda: exchange.open_orders().keys() == still_open)
        assert before.keys() - still_open
        assert {one for one in still_open if one not in before}
        assert not [one for one in exchange.open_orders().values() if one.is_stale]
        for state in settled.values():
            held = exchange.order(spell(state.id))
            if held is not None:
                assert (held.value.status, held.value.filled) == (state.status, float(state.filled))
                assert (held.value.kind, held.value.side, held.is_stale) == (state.kind, state.side, False)
        assert watch.faults == []


@pytest.mark.checklist("4.2.13")
async def test_wrong_credentials_are_no_silent_success(
    architecture: str, exchange_name: str, private_street: Any, signal: Any
) -> None:
    """The old stack takes every login for accepted: there the refused subscriptions tell."""
    config = private_street.config(exchange_name)
    wrong = replace(config, credentials=ExchangeCredentials(config.credentials.api_key, "wrong"))
    async with PrivateExchange(wrong) as exchange:
        watch = Watch(exchange, signal)
        states: list[ConnectionState] = []
        exchange.on_state(states.append)
        exchange.on_state(signal.changed)
        exchange.on_fault(signal.changed)
        await exchange.start([BTC])
        await signal.until(lambda: ConnectionState.ERROR in states or watch.faults)
        assert not watch.events
