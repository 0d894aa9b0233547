"""One connection takes over from another: every event once and in order, over real loopback sockets at both doors."""

from __future__ import annotations

import asyncio
import json
import logging
import math
import os
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from typing import Any

import pytest

from exchanges.integrations.mexc.builder import build_handler
from exchanges.structs import ConfigurationError, ConnectionState, ExchangeConfig, Symbol
from infrastructure.networking.websocket.mixins.renewal_mixin import RenewalMixin
from infrastructure.networking.websocket.testing import settle

State = ConnectionState
BTC, ETH = Symbol("BTC", "USDT"), Symbol("ETH", "USDT")
LONG_S = 30.0


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """A renewal's own times, shortened."""
    for name, seconds in {"OVERLAP_S": 0.05, "RETRY_S": 0.05}.items():
        monkeypatch.setattr(RenewalMixin, name, seconds)


@pytest.fixture(params=["direct", "factory"])
def door(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture
async def start(exchange: Any, consumer: Any) -> AsyncIterator[Callable[..., Any]]:
    """Connects, with events 1 to 5 delivered over the first connection; closes at last."""
    made = []

    async def begin(door: str = "direct", renew_after_s: float = 0.05, **options: Any) -> Any:
        connection = consumer.connect(exchange, door, renew_after_s=renew_after_s, **options)
        made.append(connection)
        await (connection.start if door == "direct" else connection.initialize)([BTC])
        await (await exchange.asked(0)).send(range(1, 6))
        await consumer.has(5)
        return connection

    yield begin
    for connection in made:
        await connection.close()


def at_second(exchange: Any, act: Callable[..., Any]) -> None:
    """Confirm what the second connection asks, and do this right behind the answer: the client has not seen it yet."""

    async def confirm_and_act(link: Any, asked: Any) -> None:
        await link.confirm(asked)
        await act(exchange.links[0], link)

    exchange.on_asked[1] = confirm_and_act


@pytest.mark.no_cover
@pytest.mark.checklist("5.2.12")
@pytest.mark.parametrize(("first_until", "second_until"), [(10, 10), (10, 17), (17, 10), (6, 17), (17, 6), (10, 5)])
async def test_every_event_comes_once_and_in_order(
    exchange: Any, consumer: Any, start: Any, door: str, first_until: int, second_until: int
) -> None:
    """While both run, either is ahead of the other, or the second is silent until the first is gone."""

    async def both(first: Any, second: Any) -> None:
        await second.send(range(6, second_until + 1))
        await first.send(range(6, first_until + 1))

    at_second(exchange, both)
    connection = await start(door)
    second = await exchange.asked(1)
    await exchange.links[0].gone.wait()
    await second.send(range(second_until + 1, 26))
    await consumer.has(25)
    assert consumer.has_each_once(25)
    assert consumer.states == [State.CONNECTING, State.CONNECTED]
    assert consumer.errors == []
    assert len(consumer.answers) == 1
    handler = connection.handler
    assert handler.interface_metrics()["renewals"] == 1
    assert handler.interface_metrics()["reconnections"] == 0
    assert exchange.links[0].asked[0]["params"] == second.asked[0]["params"]
    assert exchange.calls == ([] if exchange.scope == "public" else ["POST"])
    if exchange.scope == "public":
        await consumer.until(lambda: handler.book(BTC) is not None)
        assert handler.book(BTC).last == 25
        assert handler.handler_metrics()["books"]["gaps"] == 0


@pytest.mark.no_cover
@pytest.mark.parametrize("transport", ["websockets", "picows"])
async def test_a_stream_without_a_pause(exchange: Any, consumer: Any, start: Any, door: str, transport: str) -> None:
    """The exchange sends the same event to every connection, whatever happens to them."""
    await start(door, transport=transport)
    number = 5
    while not (len(exchange.links) > 1 and exchange.links[0].gone.is_set()) or number < 300:
        number += 1
        for link in exchange.links:
            if link.asked and not link.socket.closed:
                with suppress(ConnectionError):
                    await link.send([number])
        await asyncio.sleep(0)
    await consumer.has(number)
    assert consumer.has_each_once(number)


async def test_each_connection_is_renewed_in_its_turn(exchange: Any, consumer: Any, start: Any) -> None:
    connection = await start()
    for number in range(1, 4):
        link = await exchange.asked(number)
        await exchange.links[number - 1].gone.wait()
        await link.send([5 + number])
        await consumer.has(5 + number)
    assert consumer.has_each_once(8)
    assert connection.handler.interface_metrics()["renewals"] >= 2


async def fail_to_open(exchange: Any) -> str:
    exchange.is_shut = True
    return "connect"


async def never_confirm(exchange: Any) -> str:
    async def be_silent(link: Any, asked: Any) -> None:
        await link.send([1])

    exchange.on_asked[1] = be_silent
    return "connect"


async def refuse(exchange: Any) -> str:
    async def say_no(link: Any, asked: Any) -> None:
        text = f"Not Subscribed successfully! [{','.join(asked['params'])}].  Reason： Blocked! "
        await link.socket.send_str(json.dumps({"id": asked["id"], "code": 0, "msg": text}, ensure_ascii=False))

    exchange.on_asked[1] = say_no
    return "subscribe"


async def answer_something_else(exchange: Any) -> str:
    async def babble(link: Any, asked: Any) -> None:
        await link.socket.send_str(json.dumps({"id": asked["id"], "code": 0, "msg": "something new"}))

    exchange.on_asked[1] = babble
    return "subscribe"


async def break_while_both_run(exchange: Any) -> str:
    async def die(first: Any, second: Any) -> None:
        second.abort()

    at_second(exchange, die)
    return "connect"


FAILURES = [fail_to_open, never_confirm, refuse, answer_something_else, break_while_both_run]


@pytest.mark.parametrize("failure", FAILURES)
async def test_a_second_connection_that_fails_leaves_the_first_alone(
    exchange: Any,
    consumer: Any,
    start: Any,
    failure: Callable[[Any], Any],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """One warning, one error, the stream goes on; a later try succeeds."""
    monkeypatch.setattr(RenewalMixin, "CONFIRM_WITHIN_S", 0.1)
    monkeypatch.setattr(RenewalMixin, "RETRY_S", 0.2)
    kind = await failure(exchange)
    caplog.set_level(logging.WARNING, "websocket")
    connection = await start()
    await consumer.until(lambda: bool(consumer.errors))
    assert [told for told, _ in consumer.errors] == [kind]
    assert [record.message.startswith("Connection not renewed: ") for record in caplog.records] == [True]
    assert connection.handler.error_count == 1
    await exchange.links[0].send([6])
    await consumer.has(6)
    exchange.is_shut = False
    third = await exchange.asked(1 if failure is fail_to_open else 2)
    await exchange.links[0].gone.wait()
    await third.send([7])
    await consumer.has(7)
    assert consumer.has_each_once(7)
    assert consumer.states == [State.CONNECTING, State.CONNECTED]
    assert connection.handler.interface_metrics()["renewals"] == 1


@pytest.mark.parametrize("exchange", ["private"], indirect=True)
async def test_a_listen_key_that_lets_no_second_connection_in(exchange: Any, consumer: Any, start: Any) -> None:
    """Five connections may have it. The first one keeps it, and it is not replaced."""

    async def turn_away(link: Any, asked: Any) -> None:
        await link.socket.send_str("Invalid listen key")

    exchange.on_asked[1] = turn_away
    await start()
    await consumer.until(lambda: bool(consumer.errors))
    assert consumer.errors == [("auth", "Invalid listen key")]
    await exchange.asked(2)
    await exchange.links[0].gone.wait()
    assert exchange.calls == ["POST"]


@pytest.mark.parametrize("ends_by", ["abort", "close"])
async def test_the_first_connection_ends_while_both_run(
    exchange: Any, consumer: Any, start: Any, door: str, monkeypatch: pytest.MonkeyPatch, ends_by: str
) -> None:
    """The second takes over at once, and nothing is told."""
    monkeypatch.setattr(RenewalMixin, "OVERLAP_S", LONG_S)
    connection = await start(door)
    second = await exchange.asked(1)
    await exchange.links[0].send([6, 7])
    await second.send([6, 7, 8])
    await consumer.has(7)
    if ends_by == "abort":
        exchange.links[0].abort()
    else:
        await exchange.links[0].socket.close(code=1001)
    await consumer.has(8)
    await second.send([9])
    await consumer.has(9)
    assert consumer.has_each_once(9)
    assert consumer.states == [State.CONNECTING, State.CONNECTED]
    assert connection.handler.interface_metrics()["renewals"] == 1
    assert connection.handler.interface_metrics()["reconnections"] == 0


async def test_the_first_connection_ends_before_the_second_is_confirmed(
    exchange: Any, consumer: Any, start: Any
) -> None:
    """An ordinary reconnection, at once."""

    async def break_the_first(link: Any, asked: Any) -> None:
        consumer.connection.handler._renew_after_s = math.inf
        exchange.links[0].abort()

    exchange.on_asked[1] = break_the_first
    connection = await start()
    third = await exchange.asked(2)
    await exchange.links[1].gone.wait()
    await third.send([6])
    await consumer.has(6)
    assert consumer.has_each_once(6)
    assert State.DISCONNECTED in consumer.states
    metrics = connection.handler.interface_metrics()
    assert (metrics["renewals"], metrics["reconnections"]) == (0, 1)


async def test_both_connections_end_while_both_run(
    exchange: Any, consumer: Any, start: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(RenewalMixin, "OVERLAP_S", LONG_S)
    connection = await start()
    await exchange.asked(1)
    for link in tuple(exchange.links):
        link.abort()
    third = await exchange.asked(2)
    await third.send([6])
    await consumer.has(6)
    assert consumer.has_each_once(6)
    assert connection.handler.interface_metrics()["reconnections"] == 1


@pytest.mark.parametrize("exchange", ["public"], indirect=True)
async def test_what_is_subscribed_while_both_run_puts_the_change_off(
    exchange: Any, consumer: Any, start: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(RenewalMixin, "OVERLAP_S", 0.2)
    connection = await start()
    await exchange.asked(1)
    await connection.subscribe([ETH])
    await consumer.until(lambda: bool(consumer.errors))
    assert consumer.errors == [("connect", "subscriptions changed meanwhile")]
    third = await exchange.asked(2)
    await exchange.links[0].gone.wait()
    assert len(third.asked[0]["params"]) == 8
    assert connection.handler.active_symbols == {BTC, ETH}


def held() -> tuple[int, int]:
    """Tasks and open files of this process."""
    return len(asyncio.all_tasks()), len(os.listdir("/proc/self/fd"))


@pytest.mark.parametrize("phase", ["opened", "asked", "both run", "changed"])
async def test_close_leaves_nothing_behind(
    exchange: Any, consumer: Any, door: str, monkeypatch: pytest.MonkeyPatch, phase: str
) -> None:
    """What came over the first connection is delivered, whatever the second one was about."""
    before = held()
    if phase == "both run":
        monkeypatch.setattr(RenewalMixin, "OVERLAP_S", LONG_S)
    reached = asyncio.Event()

    async def reach(link: Any, asked: Any) -> None:
        if phase != "asked":
            await link.confirm(asked)
        reached.set()

    exchange.on_asked[1] = reach
    connection = consumer.connect(exchange, door, renew_after_s=0.05)
    await (connection.start if door == "direct" else connection.initialize)([BTC])
    first = await exchange.asked(0)
    if phase == "opened":
        await exchange.opened(1)
    else:
        await reached.wait()
    if phase == "changed":
        await first.gone.wait()
    else:
        await first.send([1])
    await connection.close()
    assert consumer.got == dict.fromkeys(consumer.got, [] if phase == "changed" else [1])
    assert consumer.states[-1] is State.CLOSED
    for link in exchange.links:
        await link.gone.wait()
    while held() != before:
        await settle()


async def test_how_long_a_connection_lasts_is_the_builders_to_say() -> None:
    config = ExchangeConfig("MEXC_SPOT", websocket_url="ws://127.0.0.1:1")
    handler: Any = build_handler(config, False)
    assert handler._renew_after_s == 85_800
    handler = build_handler(config, False, renew_after_s=math.inf)
    assert handler._renew_after_s == math.inf
    for seconds in (0.0, -1.0, math.nan):
        with pytest.raises(ConfigurationError, match="renew_after_s"):
            build_handler(config, False, renew_after_s=seconds)


async def test_never_is_a_time_too(exchange: Any, consumer: Any, start: Any) -> None:
    await start(renew_after_s=math.inf)
    await exchange.links[0].send([6])
    await consumer.has(6)
    assert len(exchange.links) == 1
