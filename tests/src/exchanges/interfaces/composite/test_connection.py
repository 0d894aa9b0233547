"""The life of one connection over an injected factory, what it reports, and what goes wrong on the way."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from exchanges.interfaces.composite import Fault, PrivateExchange, PublicExchange
from exchanges.structs import (
    ConfigurationError,
    ConnectionState,
    DecodeError,
    ExchangeConfig,
    ExchangeRestError,
    MessageType,
    PublicWebsocketChannelType,
    SubscriptionError,
    Symbol,
    Trade,
)

BTC, ETH = Symbol("BTC", "USDT"), Symbol("ETH", "USDT")
SPOT = ExchangeConfig("GATEIO_SPOT", websocket_url="ws://127.0.0.1:1/")
TRADE = Trade(BTC, 10.0, 1.0, "buy", 1, "7")


@pytest.mark.checklist("4.2.9")
async def test_the_injected_factory_is_asked_once_a_start_and_for_nothing_else(factory: Any) -> None:
    exchange = PublicExchange(SPOT, create_manager=factory)
    assert factory.made == []
    await exchange.start([BTC], [PublicWebsocketChannelType.TRADES])
    (manager,) = factory.made
    assert manager.config is SPOT
    assert not manager.is_private
    assert manager.started == ([BTC], [PublicWebsocketChannelType.TRADES])
    await exchange.close()
    await exchange.start([ETH])
    assert len(factory.made) == 2
    assert factory.manager.started == ([ETH], None)


async def test_a_private_one_asks_for_a_private_manager(factory: Any) -> None:
    exchange = PrivateExchange(SPOT, create_manager=factory)
    await exchange.start([BTC])
    assert factory.manager.is_private
    assert exchange.name == "gateio.spot.private"


async def test_on_a_futures_market_every_symbol_is_a_contract(factory: Any) -> None:
    exchange = PublicExchange(ExchangeConfig("GATEIO_FUTURES", websocket_url="ws://x/"), create_manager=factory)
    await exchange.start([BTC])
    await exchange.subscribe([ETH])
    assert factory.manager.started[0] == [Symbol("BTC", "USDT", True)]
    assert factory.manager.asked == [("subscribe", [Symbol("ETH", "USDT", True)])]


async def test_the_state_is_the_managers_last_word(factory: Any) -> None:
    states: list[tuple[ConnectionState, ConnectionState]] = []
    async with PublicExchange(SPOT, create_manager=factory) as exchange:
        exchange.on_state(lambda state: states.append((state, exchange.state)))
        assert exchange.state is ConnectionState.DISCONNECTED
        assert not exchange.is_connected()
        await exchange.start([BTC])
        await factory.manager.connect()
        assert exchange.is_connected()
        await factory.manager.lose()
        assert not exchange.is_connected()
    told = [ConnectionState.CONNECTED, ConnectionState.DISCONNECTED, ConnectionState.RECONNECTING]
    assert states == [(state, state) for state in (*told, ConnectionState.CLOSED)]
    assert factory.manager.closed == 1


@pytest.mark.checklist("4.2.13")
async def test_a_second_start_is_refused_in_words(factory: Any) -> None:
    exchange = PublicExchange(SPOT, create_manager=factory)
    await exchange.start([BTC])
    with pytest.raises(ConfigurationError, match=r"gateio\.spot\.public runs already; close it first"):
        await exchange.start([BTC])
    assert len(factory.made) == 1


@pytest.mark.checklist("4.2.13")
async def test_a_start_that_fails_is_closed_and_raises_and_may_be_tried_again(factory: Any) -> None:
    exchange = PublicExchange(SPOT, create_manager=factory)
    factory.error = ConfigurationError("no such channel")
    with pytest.raises(ConfigurationError, match="no such channel"):
        await exchange.start([BTC])
    assert factory.manager.closed == 1
    factory.error = None
    await exchange.start([BTC])
    assert factory.manager.started == ([BTC], None)


@pytest.mark.checklist("4.2.7", "4.2.12", "4.2.13")
async def test_what_the_real_factory_refuses_reaches_the_application() -> None:
    with pytest.raises(ConfigurationError, match="unknown exchange 'NO_SUCH'"):
        PublicExchange(ExchangeConfig("NO_SUCH"))
    with pytest.raises(ConfigurationError, match=r"no address; set ExchangeConfig\.websocket_url"):
        await PublicExchange(ExchangeConfig("MEXC_SPOT")).start([BTC])
    with pytest.raises(ConfigurationError, match=r"needs credentials; set ExchangeConfig\.credentials"):
        await PrivateExchange(SPOT).start([BTC])
    with pytest.raises(ConfigurationError, match=r"gateio\.spot\.private: give at least one symbol"):
        await PrivateExchange(SPOT).start([])


@pytest.mark.checklist("4.2.13")
async def test_calls_before_start_and_after_close_say_offline(factory: Any) -> None:
    exchange = PublicExchange(SPOT, create_manager=factory)
    await exchange.close()
    for _ in range(2):
        with pytest.raises(ExchangeRestError, match=r"503.*gateio\.spot\.public is not started"):
            await exchange.subscribe([BTC])
        await exchange.start([BTC])
        await exchange.close()
        await exchange.close()


@pytest.mark.checklist("4.2.13")
async def test_a_refused_subscription_and_an_unreadable_frame_are_faults(
    factory: Any, caplog: pytest.LogCaptureFixture
) -> None:
    faults: list[Fault] = []
    exchange = PublicExchange(SPOT, create_manager=factory)
    exchange.on_fault(faults.append)
    await exchange.start([BTC])
    await factory.manager.connect()
    with caplog.at_level(logging.WARNING):
        await factory.manager.tell(MessageType.SUBSCRIPTION_ERROR, "unknown currency pair")
        await factory.manager.tell(MessageType.ERROR, "unreadable frame: balance 17")
    assert [(fault.kind, type(fault.error), str(fault.error)) for fault in faults] == [
        ("subscribe", SubscriptionError, "unknown currency pair"),
        ("decode", DecodeError, "unreadable frame: balance 17"),
    ]
    assert exchange.metrics()["faults"] == {"subscribe": 1, "decode": 1}
    assert "unknown currency pair" in caplog.text
    assert "balance 17" not in caplog.text


@pytest.mark.checklist("4.2.13")
async def test_a_callback_that_raises_is_counted_reported_logged_and_ends_nothing(
    factory: Any, caplog: pytest.LogCaptureFixture
) -> None:
    faults: list[Fault] = []
    mistake = ZeroDivisionError("the application's")
    exchange = PublicExchange(SPOT, create_manager=factory)

    @exchange.on_trade
    @exchange.on_state
    def breaks(_: object) -> None:
        raise mistake

    exchange.on_fault(faults.append)
    await exchange.start([BTC])
    await factory.manager.connect()
    await factory.manager.tell(MessageType.TRADES, [TRADE, TRADE])
    assert faults == 3 * [Fault("callback", mistake)]
    assert exchange.metrics()["faults"] == {"callback": 3}
    assert exchange.trades(BTC) == [TRADE, TRADE]
    assert caplog.text.count("ZeroDivisionError: the application's") == 3


async def test_an_on_fault_that_raises_is_counted_and_logged_once(
    factory: Any, caplog: pytest.LogCaptureFixture
) -> None:
    exchange = PublicExchange(SPOT, create_manager=factory)

    @exchange.on_fault
    def breaks(fault: Fault) -> None:
        raise RuntimeError("no more")

    await exchange.start([BTC])
    await factory.manager.tell(MessageType.SUBSCRIPTION_ERROR, "unknown")
    assert exchange.metrics()["faults"] == {"subscribe": 1, "callback": 1}
    assert caplog.text.count("RuntimeError: no more") == 1


async def test_metrics_are_the_managers_own_beside_what_is_held(factory: Any) -> None:
    exchange = PublicExchange(SPOT, create_manager=factory)
    assert exchange.metrics()["manager"] == {}
    await exchange.start([BTC])
    assert exchange.metrics()["manager"] == {"messages_processed": 7}
    assert exchange.metrics()["symbols"] == 1


async def test_an_application_may_close_from_its_own_callback(factory: Any) -> None:
    exchange = PublicExchange(SPOT, create_manager=factory)

    @exchange.on_trade
    async def close(trade: Trade) -> None:
        await exchange.close()

    await exchange.start([BTC])
    await factory.manager.connect()
    await factory.manager.tell(MessageType.TRADES, [TRADE])
    assert exchange.state is ConnectionState.CLOSED
    assert exchange.metrics()["faults"] == {}
