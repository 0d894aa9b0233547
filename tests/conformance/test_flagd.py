"""flagd's official provider over gRPC, against a stand-in for the daemon, with both real stacks behind one manager."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from openfeature import api

from exchanges.structs import ExchangeConfig, FlagProviderError, Symbol
from infrastructure.networking.websocket.migration import flag_reader
from infrastructure.networking.websocket.migration.dual_run import DualRunManager
from infrastructure.networking.websocket.migration.event import Side
from infrastructure.networking.websocket.migration.provider_check import check_provider
from infrastructure.networking.websocket.migration.stage import Stage, stage_of
from infrastructure.networking.websocket.utils import create_websocket_manager
from tests.conformance.dual.traffic import Traffic, connected, versions_seen
from tests.src.infrastructure.networking.websocket.migration.test_flag import flags, until

pytest.importorskip("openfeature.contrib.provider.flagd", reason="the extra [flagd] is not installed")
from tests.src.infrastructure.networking.websocket.migration.flagd_stub import FlagdStub

BTC = Symbol("BTC", "USDT")
NEVER_S = 60.0
WITHIN_S = 10.0


@pytest.fixture
def flagd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FlagdStub]:
    """The daemon with every unit at shadow, and an environment that names it."""
    stub = FlagdStub(flags("shadow"))
    stub.start()
    monkeypatch.setenv("WS_SHADOW_KILL", str(tmp_path / "websocket.kill"))
    monkeypatch.setenv("WS_SHADOW_FLAG_PROVIDER", "infrastructure.networking.websocket.migration.flagd:make_flagd")
    monkeypatch.setenv("FLAGD_HOST", "127.0.0.1")
    monkeypatch.setenv("FLAGD_PORT", str(stub.port))
    monkeypatch.setenv("FLAGD_RETRY_BACKOFF_MAX_MS", "100")
    yield stub
    api.clear_providers()
    stub.die()
    # What a process would wait for at its end.
    until(lambda: not timers())


def timers() -> list[threading.Timer]:
    """Of the provider; each keeps a process alive for as long as it runs."""
    return [thread for thread in threading.enumerate() if isinstance(thread, threading.Timer)]


@pytest.fixture
async def dual(flagd: FlagdStub, exchange_config: ExchangeConfig, caller: Any) -> AsyncIterator[DualRunManager]:
    """What the factory gives a caller; closed at the end."""
    built = create_websocket_manager(exchange_config, False, caller.on_message, caller.on_state, placement="inline")
    assert isinstance(built, DualRunManager)
    yield built
    await built.close()


async def until_then(traffic: Traffic, condition: Callable[[], bool]) -> None:
    """Events go on, each delivered before the next, until it holds, and once more behind that."""
    async with asyncio.timeout(WITHIN_S):
        is_over = False
        while not is_over:
            is_over = condition()
            await traffic.push()
            await traffic.caller.until(lambda: len(versions_seen(traffic.caller)) + 100 == traffic.number)


def is_stale(dual: DualRunManager) -> bool:
    stale: bool = dual.get_performance_metrics()["migration"]["is_stale"]
    return stale


@pytest.mark.checklist("R.5")
@pytest.mark.parametrize("venue", ["gateio"], indirect=True)
async def test_a_running_manager_follows_the_push_outlives_the_daemon_and_follows_it_again(
    flagd: FlagdStub, dual: DualRunManager, venue: Any, caller: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stands(stage: Stage, side: Side) -> bool:
        return set(dual.stages().values()) == {stage} and set(dual.serving().values()) == {side}

    monkeypatch.setattr(flag_reader, "POLL_S", NEVER_S)
    await connected(dual, venue, caller)
    traffic = Traffic(venue, caller, seed=8)
    await until_then(traffic, lambda: stands(Stage.SHADOW, Side.LEGACY))
    flagd.turn(flags("live"))
    await until_then(traffic, lambda: stands(Stage.LIVE, Side.NEW))

    monkeypatch.setattr(flag_reader, "POLL_S", 0.05)
    monkeypatch.setattr(flag_reader, "STALE_AFTER_S", 0.5)
    flagd.die()
    await until_then(traffic, lambda: is_stale(dual))
    assert stands(Stage.LIVE, Side.NEW)

    flagd.turn(flags("shadow"), tells=False)
    flagd.start()
    await until_then(traffic, lambda: stands(Stage.SHADOW, Side.LEGACY) and not is_stale(dual))


def test_each_unit_is_asked_for_by_itself_and_no_answer_is_kept(flagd: FlagdStub) -> None:
    eth = {"if": [{"==": [{"var": "symbol"}, "ETH_USDT"]}, "canary", "shadow"]}
    flagd.turn(flags("off", eth), tells=False)
    check_provider(keeps=True)

    def stage(symbol: str) -> Stage:
        return stage_of("gateio", "spot", channel="book", symbol=symbol)[0]

    assert (stage("ETH_USDT"), stage("BTC_USDT")) == (Stage.CANARY, Stage.SHADOW)
    assert flagd.asked[-2:] == ["gateio.spot.book.ETH_USDT", "gateio.spot.book.BTC_USDT"]
    # An event that got lost must not leave a unit where it was.
    for variant in ("live", "rampdown"):
        flagd.turn(flags(variant), tells=False)
        assert (stage("ETH_USDT"), stage("BTC_USDT")) == (Stage(variant), Stage(variant))


def test_a_daemon_that_is_away_at_the_start_is_one_line_and_legacy(
    flagd: FlagdStub, monkeypatch: pytest.MonkeyPatch
) -> None:
    flagd.die()
    monkeypatch.setenv("FLAGD_DEADLINE_MS", "100")
    with pytest.raises(
        FlagProviderError, match=r"flagd:make_flagd' gives no stage: Blocking init .*; mend \$WS_SHADOW"
    ):
        check_provider(keeps=True)
    assert stage_of("gateio", "spot")[0] is Stage.OFF
    until(timers)
    assert [timer.interval for timer in timers()] == [1]
    flagd.start()
    until(lambda: stage_of("gateio", "spot")[0] is Stage.SHADOW)
