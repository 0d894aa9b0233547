"""The flag under every kind of trouble: consumers stay on the last good stage or go to legacy, never nowhere."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import ANY

import pytest
from openfeature import api
from openfeature.event import ProviderEventDetails
from openfeature.flag_evaluation import FlagEvaluationDetails, FlagValueType, Reason
from openfeature.hook import Hook, HookContext, HookHints

from infrastructure.networking.websocket.migration import file_provider
from infrastructure.networking.websocket.migration.file_provider import FileProvider, FlagState
from infrastructure.networking.websocket.migration.flag_reader import FlagReader
from infrastructure.networking.websocket.migration.stage import DOMAIN, FLAG, Stage, stage_of
from infrastructure.networking.websocket.migration.unit import Unit, account_name
from tests.src.infrastructure.networking.websocket.migration.teams_flags import (
    VARIANTS,
    InMemory,
    NeverReady,
    Unsteady,
)

BOOK = Unit("gateio", "spot", "book", "BTC_USDT")
GRACE_S = 5.0


def flags(default: str, targeting: dict[str, Any] | None = None) -> str:
    flag: dict[str, Any] = {"state": "ENABLED", "variants": VARIANTS, "defaultVariant": default}
    return json.dumps({"flags": {FLAG: flag | ({} if targeting is None else {"targeting": targeting})}})


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where the flag file is looked for; providers of the test are gone behind it."""
    monkeypatch.setenv("WS_SHADOW_FLAGS", str(tmp_path / "flags.json"))
    monkeypatch.setenv("WS_SHADOW_KILL", str(tmp_path / "websocket.kill"))
    yield tmp_path / "flags.json"
    # The next test has a question of its own.
    until(lambda: not any(thread.name in ("flag", "flag-check") for thread in threading.enumerate()))
    api.clear_providers()


def set_provider(provider: Any) -> None:
    api.set_provider(provider, DOMAIN)


def until(condition: Any) -> None:
    """Wait for another thread."""
    deadline = time.monotonic() + GRACE_S
    waiting = threading.Event()
    while not condition():
        assert time.monotonic() < deadline, "it did not come"
        waiting.wait(0.002)


def damage(path: Path, how: str) -> None:
    good = path.read_text()
    match how:
        case "deleted":
            path.unlink()
        case "truncated":
            path.write_text(good[: len(good) // 2])
        case "emptied":
            path.write_text("")
        case "corrupt":
            path.write_bytes(b"\xff\xfe\x00")
        case "a folder":
            path.unlink()
            path.mkdir()
        case "no such variant":
            path.write_text(flags("everything"))
        case "another meaning":
            path.write_text(good.replace('"live": "live"', '"live": "complete"'))
        case "no flag":
            path.write_text('{"flags": {}}')
        case "unknown operator":
            path.write_text(flags("complete", {"perhaps": [1]}))
        case "rule without a stage":
            path.write_text(flags("complete", {"if": [True, "somewhere", "off"]}))


@pytest.mark.checklist("R.5")
@pytest.mark.parametrize(
    "how",
    [
        *("deleted", "truncated", "emptied", "corrupt", "a folder", "no such variant", "another meaning", "no flag"),
        "rule without a stage",
    ],
)
def test_a_damaged_file_leaves_the_last_good_stage(path: Path, how: str, caplog: pytest.LogCaptureFixture) -> None:
    path.write_text(flags("live"))
    provider = FileProvider()
    api.set_provider_and_wait(provider, DOMAIN)
    assert stage_of("gateio", "spot")[0] is Stage.LIVE
    damage(path, how)
    assert [stage_of("gateio", "spot")[0] for _ in range(3)] == [Stage.LIVE] * 3
    assert [record.message for record in caplog.records if "the last good one stays" in record.message] != []
    assert len(caplog.records) == 1
    assert provider.state.generation == 1
    assert provider.state.problem is not None
    if path.is_dir():
        path.rmdir()
    path.write_text(flags("shadow"))
    assert stage_of("gateio", "spot")[0] is Stage.SHADOW
    assert provider.state == FlagState(2, ANY, None)


@pytest.mark.parametrize("how", ["deleted", "truncated", "corrupt", "no such variant", "no flag"])
def test_a_process_that_never_saw_a_good_file_goes_to_legacy(path: Path, how: str) -> None:
    path.write_text(flags("live"))
    damage(path, how)
    assert stage_of("gateio", "spot")[0] is Stage.OFF


def test_a_file_that_stays_unusable_is_told_as_stale(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path.write_text(flags("live"))
    api.set_provider_and_wait(FileProvider(), DOMAIN)
    assert stage_of("gateio", "spot") == (Stage.LIVE, str(Reason.STATIC))
    path.unlink()
    assert stage_of("gateio", "spot") == (Stage.LIVE, str(Reason.STATIC))
    monkeypatch.setattr(file_provider, "STALE_AFTER_S", 0.0)
    assert stage_of("gateio", "spot") == (Stage.LIVE, str(Reason.STALE))


def test_an_older_backup_takes_effect_and_counts_as_a_generation(path: Path) -> None:
    provider = FileProvider()
    api.set_provider_and_wait(provider, DOMAIN)
    for generation, (variant, mtime) in enumerate((("live", 2_000_000_000), ("shadow", 1_000_000_000)), 1):
        path.write_text(flags(variant))
        os.utime(path, (mtime, mtime))
        assert stage_of("gateio", "spot")[0] is Stage(variant)
        assert provider.state.generation == generation


def test_an_unwritable_file_is_read_all_the_same(path: Path) -> None:
    path.write_text(flags("canary"))
    path.chmod(0o400)
    path.parent.chmod(0o500)
    try:
        assert stage_of("gateio", "spot")[0] is Stage.CANARY
    finally:
        path.parent.chmod(0o700)


RULES = {
    "exchange": ({"==": [{"var": "exchange"}, "mexc"]}, Unit("mexc", "spot")),
    "market": ({"==": [{"var": "market"}, "futures"]}, Unit("gateio", "futures")),
    "channel": ({"==": [{"var": "channel"}, "trade"]}, Unit("gateio", "spot", "trade", "BTC_USDT")),
    "symbol": ({"==": [{"var": "symbol"}, "ETH_USDT"]}, Unit("gateio", "spot", "book", "ETH_USDT")),
    "account": (
        {"==": [{"var": "account"}, account_name("key")]},
        Unit("gateio", "spot", "private", account=account_name("key")),
    ),
}


@pytest.mark.parametrize("name", RULES)
def test_a_rule_may_aim_by_each_part_of_a_unit(path: Path, name: str) -> None:
    rule, aimed_at = RULES[name]
    path.write_text(flags("shadow", {"if": [rule, "canary", "shadow"]}))

    def stage(unit: Unit) -> Stage:
        return stage_of(unit.exchange, unit.market, channel=unit.channel, symbol=unit.symbol, account=unit.account)[0]

    assert stage(aimed_at) is Stage.CANARY
    assert stage(BOOK) is Stage.SHADOW


@pytest.mark.no_cover
def test_a_percentage_takes_whole_units_and_only_grows(path: Path) -> None:
    symbols = [f"S{number}_USDT" for number in range(300)]
    taken: set[str] = set()
    for percent in (10, 50, 100):
        path.write_text(flags("shadow", {"fractional": [["canary", percent], ["shadow", 100 - percent]]}))
        now = {one for one in symbols if stage_of("gateio", "spot", channel="book", symbol=one)[0] is Stage.CANARY}
        assert abs(len(now) - 3 * percent) <= 25
        assert taken <= now
        taken = now


class Reader:
    """A FlagReader in use, with one unit, and how often it told of a change."""

    def __init__(self, first: Stage = Stage.OFF) -> None:
        self.changes = 0
        self.reader = FlagReader(self._note, first=first)
        self.reader.add([BOOK])
        self.reader.start()

    def _note(self) -> None:
        self.changes += 1

    @property
    def stage(self) -> Stage:
        return self.reader.stage(BOOK)


@pytest.fixture
def running(path: Path) -> Iterator[list[Reader]]:
    """Readers that are stopped behind the test."""
    readers: list[Reader] = []
    yield readers
    for one in readers:
        one.reader.stop()


def reading(running: list[Reader], first: Stage = Stage.OFF) -> Reader:
    running.append(Reader(first))
    return running[0]


@pytest.mark.checklist("R.5")
def test_a_running_process_follows_the_file_and_the_kill_file(path: Path, running: list[Reader]) -> None:
    path.write_text(flags("live"))
    one = reading(running)
    until(lambda: one.stage is Stage.LIVE)
    path.write_text(flags("shadow"))
    until(lambda: one.stage is Stage.SHADOW)
    path.write_text(flags("complete"))
    until(lambda: one.stage is Stage.COMPLETE)
    path.with_name("websocket.kill").touch()
    until(lambda: one.stage is Stage.OFF)
    path.with_name("websocket.kill").unlink()
    until(lambda: one.stage is Stage.COMPLETE)
    assert one.reader.generation == 3
    assert one.changes == 5
    path.unlink()
    one.reader.read_once()
    assert one.stage is Stage.COMPLETE


def test_a_provider_that_is_never_ready_means_legacy(running: list[Reader]) -> None:
    provider = NeverReady()
    set_provider(provider)
    try:
        assert stage_of("gateio", "spot")[0] is Stage.OFF
        one = reading(running)
        one.reader.read_once()
        assert one.stage is Stage.OFF
        assert one.reader.errors > 0
    finally:
        provider.go_on.set()


def test_a_frozen_provider_leaves_the_last_stage_and_the_kill_file_works(path: Path, running: list[Reader]) -> None:
    provider = Unsteady()
    api.set_provider_and_wait(provider, DOMAIN)
    one = reading(running)
    until(lambda: one.stage is Stage.LIVE)
    provider.mood = "frozen"
    try:
        began = time.monotonic()
        assert stage_of("gateio", "spot") == (Stage.OFF, "TIMEOUT")
        assert stage_of("gateio", "spot") == (Stage.OFF, "TIMEOUT")
        assert time.monotonic() - began < 2.0
        assert [one.stage] == [Stage.LIVE]
        path.with_name("websocket.kill").touch()
        until(lambda: one.reader.is_killed and one.stage is Stage.OFF)
    finally:
        provider.go_on.set()


def test_a_flapping_provider_moves_nobody(running: list[Reader]) -> None:
    provider = Unsteady("canary")
    provider.mood = "flapping"
    api.set_provider_and_wait(provider, DOMAIN)
    one = reading(running)
    until(lambda: one.stage is Stage.CANARY)
    for _ in range(20):
        one.reader.read_once()
        assert one.stage is Stage.CANARY
    assert one.reader.errors >= 10
    assert one.changes == 1


class RaisingHook(Hook):
    """Its `after` raises, which turns every answer into the coded default."""

    def __init__(self) -> None:
        self.calls = 0

    def after(self, hook_context: HookContext, details: FlagEvaluationDetails[FlagValueType], hints: HookHints) -> None:
        self.calls += 1
        raise RuntimeError("a hook of the application")


def test_a_raising_hook_leaves_the_last_stage(path: Path, running: list[Reader]) -> None:
    path.write_text(flags("live"))
    one = reading(running)
    until(lambda: one.stage is Stage.LIVE)
    hook = RaisingHook()
    api.add_hooks([hook])
    try:
        for _ in range(3):
            one.reader.read_once()
            assert one.stage is Stage.LIVE
        assert stage_of("gateio", "spot")[0] is Stage.OFF
        assert hook.calls >= 4
    finally:
        api.clear_hooks()


def test_events_in_any_order_carry_no_news(running: list[Reader]) -> None:
    """The provider's events come reversed, late and with old details; what counts is what the flag says then."""
    provider = InMemory("live")
    api.set_provider_and_wait(provider, DOMAIN)
    one = reading(running)
    until(lambda: one.stage is Stage.LIVE)
    api.set_provider_and_wait(InMemory("shadow"), DOMAIN)
    newest = InMemory("canary")
    api.set_provider_and_wait(newest, DOMAIN)
    newest.emit_provider_configuration_changed(ProviderEventDetails(message="canary"))
    newest.emit_provider_stale(ProviderEventDetails(message="live"))
    newest.emit_provider_configuration_changed(ProviderEventDetails(message="live"))
    newest.emit_provider_ready(ProviderEventDetails(message="shadow"))
    until(lambda: one.stage is Stage.CANARY)
    one.reader.read_once()
    assert one.stage is Stage.CANARY
