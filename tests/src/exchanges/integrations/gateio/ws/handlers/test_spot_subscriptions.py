"""What the Gate.io handler asks for, and what the answers make of it."""

from __future__ import annotations

import asyncio

import pytest

from exchanges.structs import ExchangeRestError, Symbol
from infrastructure.networking.websocket.testing import settle

from .spot_scene import BTC, ETH, Channel, Scene, play


def test_books_have_a_frame_each_and_other_channels_one_for_all_pairs() -> None:
    async def scene(stage: Scene) -> None:
        await stage.start([BTC, ETH], list(Channel))
        assert [(r["channel"], r["event"], r["payload"]) for r in stage.requests()] == [
            ("spot.order_book_update", "subscribe", ["BTC_USDT", "100ms"]),
            ("spot.order_book_update", "subscribe", ["ETH_USDT", "100ms"]),
            ("spot.trades", "subscribe", ["BTC_USDT", "ETH_USDT"]),
            ("spot.book_ticker", "subscribe", ["BTC_USDT", "ETH_USDT"]),
            ("spot.tickers", "subscribe", ["BTC_USDT", "ETH_USDT"]),
        ]
        assert len({r["id"] for r in stage.requests()}) == 5

    play(scene)


def test_symbols_are_active_by_the_answer_alone() -> None:
    """L15."""

    async def scene(stage: Scene) -> None:
        await stage.start([BTC, ETH], [Channel.ORDERBOOK])
        assert stage.handler.active_symbols == set()
        btc, eth = stage.requests()
        await stage.answer(btc)
        assert stage.handler.active_symbols == {BTC}
        await stage.answer(eth, "unknown currency pair: ETH_USDT")
        assert stage.handler.active_symbols == {BTC}
        assert stage.handler.wanted_symbols == [BTC]
        assert [answer.error for answer in stage.listener.answers] == [None, "unknown currency pair: ETH_USDT"]
        assert stage.listener.errors == [("subscribe", "unknown currency pair: ETH_USDT")]
        assert stage.listener.answers[-1].complete

    play(scene)


@pytest.mark.parametrize("keep", [("id",), ("payload",), ()])
def test_answers_are_matched_by_id_or_payload_or_order(keep: tuple[str, ...]) -> None:
    async def scene(stage: Scene) -> None:
        await stage.start([BTC, ETH], [Channel.ORDERBOOK])
        btc, eth = stage.requests()
        for request in (eth, btc) if keep else (btc, eth):
            await stage.answer({k: v for k, v in request.items() if k in ("channel", "event", *keep)})
        assert stage.handler.active_symbols == {BTC, ETH}

    play(scene)


def test_an_answer_is_judged_by_its_error_alone() -> None:
    async def scene(stage: Scene) -> None:
        await stage.start([BTC], [Channel.TRADES])
        await stage.answer(stage.requests()[0], result=None, error=None)
        assert stage.handler.active_symbols == {BTC}
        await stage.answer(stage.requests()[0])
        assert len(stage.listener.answers) == 1

    play(scene)


@pytest.mark.checklist("4.1.15")
def test_a_reconnect_asks_for_exactly_what_is_wanted() -> None:
    """L14, L15: not for what was refused, nor for what was given up, offline or not."""

    async def scene(stage: Scene) -> None:
        await stage.start([BTC, ETH, Symbol("X", "Y"), Symbol("Q", "R")], [Channel.ORDERBOOK])
        for request in stage.requests():
            await stage.answer(request, "unknown" if request["payload"][0] == "X_Y" else None)
        await stage.handler.unsubscribe([ETH])
        assert (stage.requests()[-1]["event"], stage.requests()[-1]["payload"]) == (
            "unsubscribe",
            ["ETH_USDT", "100ms"],
        )
        stage.server.fails_always = OSError("down")
        stage.server.socket.end()
        await settle()
        await stage.handler.unsubscribe([Symbol("Q", "R")])
        with pytest.raises(ExchangeRestError) as caught:
            await stage.handler.subscribe([Symbol("NEW", "ONE")])
        assert caught.value.code == 503
        stage.server.fails_always = None
        await asyncio.sleep(10)
        assert [r["payload"] for r in stage.requests()] == [["BTC_USDT", "100ms"]]

    play(scene)


def test_subscribe_and_unsubscribe_while_connected() -> None:
    async def scene(stage: Scene) -> None:
        await stage.start([BTC], [Channel.TRADES])
        await stage.answer(stage.requests()[0])
        await stage.handler.subscribe([BTC, ETH])
        added = stage.requests()[-1]
        assert (added["event"], added["payload"]) == ("subscribe", ["ETH_USDT"])
        await stage.answer(added)
        assert stage.handler.active_symbols == {BTC, ETH}
        await stage.handler.unsubscribe([ETH])
        await stage.answer(stage.requests()[-1])
        assert stage.handler.active_symbols == {BTC}
        assert stage.handler.wanted_symbols == [BTC]
        await stage.handler.unsubscribe([ETH])
        assert len(stage.requests()) == 3

    play(scene)


def test_a_failed_send_forgets_the_symbols(caplog: pytest.LogCaptureFixture) -> None:
    async def scene(stage: Scene) -> None:
        await stage.start([BTC], [Channel.TRADES])
        stage.server.socket.fails_to_send = True
        with pytest.raises(ExchangeRestError) as caught:
            await stage.handler.subscribe([ETH])
        assert caught.value.code == 400
        assert stage.handler.wanted_symbols == [BTC]
        await stage.handler.unsubscribe([BTC])
        assert stage.handler.wanted_symbols == []

    play(scene)
    assert any(text.startswith("Unsubscribe failed") for text in caplog.messages)


def test_nothing_wanted_asks_for_nothing() -> None:
    async def scene(stage: Scene) -> None:
        await stage.start([], [])
        assert stage.requests() == []
        assert stage.handler.channels == list(Channel)

    play(scene)


def test_a_channel_that_is_no_channel_is_refused_at_once() -> None:
    with pytest.raises(ValueError, match="trades"):
        Scene().handler.set_subscriptions([BTC], ["trades"])  # type: ignore[list-item]  # the caller's mistake


def test_refusals_name_their_request_by_id_where_the_channel_is_lost() -> None:
    async def scene(stage: Scene) -> None:
        await stage.start([BTC], [Channel.TRADES])
        await stage.answer(stage.requests()[0], "request payload does not follow json schema", channel="", event="")
        assert stage.handler.wanted_symbols == []
        assert stage.listener.answers[0].channel == "spot.trades"

    play(scene)
