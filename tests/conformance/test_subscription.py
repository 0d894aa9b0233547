"""subscribe, unsubscribe and send_message, alike on every stack."""

from __future__ import annotations

from typing import Any

import pytest

from exchanges.structs import ExchangeRestError, MessageType, PublicWebsocketChannelType, Symbol

BTC, ETH = Symbol("BTC", "USDT"), Symbol("ETH", "USDT")
# Half of a surrogate pair: no encoder can send it.
UNSENDABLE = Symbol("\ud800", "USDT")

pytestmark = pytest.mark.checklist("4.1.9", "4.1.15")


async def test_recorded_symbols_are_asked_for_on_all_channels(manager: Any, venue: Any) -> None:
    await manager.initialize([BTC, ETH])
    await venue.subscribed(0, BTC, ETH)
    assert venue.asked(0) == venue.market(BTC, ETH)


@pytest.mark.parametrize(
    ("channel", "kind"),
    [
        (PublicWebsocketChannelType.ORDERBOOK, "book"),
        (PublicWebsocketChannelType.TRADES, "trade"),
        (PublicWebsocketChannelType.BOOK_TICKER, "book_ticker"),
        (PublicWebsocketChannelType.TICKER, "ticker"),
    ],
)
async def test_default_channels_limit_what_is_asked(manager: Any, venue: Any, channel: Any, kind: str) -> None:
    await manager.initialize([BTC], [channel])
    await venue.until(lambda: venue.asked(0))
    await manager.subscribe([ETH])
    await venue.until(lambda: len(venue.asked(0)) >= 2)
    assert venue.asked(0) == {(kind, venue.wire.spell(symbol)) for symbol in (BTC, ETH)}


async def test_subscribe_and_unsubscribe_while_connected(manager: Any, venue: Any, caller: Any) -> None:
    await manager.initialize([BTC])
    connection = await venue.subscribed(0, BTC)
    await manager.subscribe([ETH])
    await venue.subscribed(0, BTC, ETH)
    await manager.unsubscribe([BTC])
    await venue.until(lambda: venue.asked(0, subscribe=False) >= venue.market(BTC))
    assert venue.asked(0, subscribe=False) == venue.market(BTC)
    # A marker behind the acks, which not every stack reports: the reader is waiting when the drop comes.
    await connection.send(venue.wire.push("trade", ETH, 1))
    await caller.got(1, MessageType.TRADES)
    await connection.close(1001)
    await venue.subscribed(1, ETH)
    assert venue.asked(1) == venue.market(ETH)


async def test_offline_calls(manager: Any) -> None:
    for call in (manager.subscribe([ETH]), manager.send_message({"any": 1})):
        with pytest.raises(ExchangeRestError) as raised:
            await call
        assert raised.value.code == 503
    assert await manager.unsubscribe([ETH]) is None


async def test_what_cannot_be_sent(manager: Any, venue: Any) -> None:
    await manager.initialize([BTC])
    await venue.subscribed(0, BTC)
    for call in (manager.subscribe([UNSENDABLE]), manager.send_message({"any": object()})):
        with pytest.raises(ExchangeRestError) as raised:
            await call
        assert raised.value.code == 400
    assert await manager.unsubscribe([UNSENDABLE]) is None
    assert manager.is_connected()


async def test_send_message_is_one_json_text_frame(manager: Any, venue: Any) -> None:
    message = {"method": "PING", "channel": "spot.ping", "time": 1}
    await manager.initialize([BTC])
    await venue.subscribed(0, BTC)
    await manager.send_message(message)
    await venue.until(lambda: message in venue.requests[0])


async def test_a_confirmation_reaches_the_handler(manager: Any, venue: Any, caller: Any) -> None:
    await manager.initialize([BTC])
    confirms = await caller.got(1, MessageType.SUBSCRIPTION_CONFIRM)
    assert all(isinstance(text, str) for text in confirms[0].data)
    assert venue.wire.spell(BTC) in "".join(confirms[0].data)
    assert not caller.of(MessageType.SUBSCRIPTION_ERROR, MessageType.ERROR)


async def test_a_refusal_reaches_the_handler_and_ends_nothing(manager: Any, venue: Any, caller: Any) -> None:
    await manager.initialize([BTC])
    connection = await venue.subscribed(0, BTC)
    await caller.got(1, MessageType.SUBSCRIPTION_CONFIRM)
    venue.refuse = True
    await manager.subscribe([ETH])
    refusals = await caller.got(1, MessageType.SUBSCRIPTION_ERROR)
    assert isinstance(refusals[0].data, str)
    await connection.send(venue.wire.push("trade", BTC, 1))
    assert (await caller.got(1, MessageType.TRADES))[0].data == venue.expected("trade", BTC, 1)
    assert manager.is_connected()
    assert len(venue.connections) == 1
