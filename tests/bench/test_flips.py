"""Flips of the real stacks at a venue, as the application sees them."""

from __future__ import annotations

import asyncio
import json
import sys
from collections import defaultdict
from dataclasses import replace
from functools import partial
from importlib import import_module
from pathlib import Path
from time import monotonic, perf_counter_ns
from types import ModuleType
from typing import Any

import pytest
from openfeature import api

from bench.flip_audit import audit, once_each, p99
from bench.flip_drive import Application, HandFlag, Sent, until, venue_process
from bench.flips import Outcome, Session, flip_session, has_lines
from infrastructure.networking.websocket.migration import guard, stacks
from infrastructure.networking.websocket.migration.event import Side
from infrastructure.networking.websocket.migration.stage import Stage

DEAD_S = 3.0
BOUND_S = guard.SILENCE_S + 1.0
"""What the drill allows: silence, and one second."""


@pytest.fixture(autouse=True)
def no_kill_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WS_SHADOW_KILL", str(tmp_path / "websocket.kill"))


def checked(session: Session, least: int) -> Outcome:
    """The outcome, printed; with nothing wrong in it."""
    outcome = session.conclude()
    print(json.dumps(outcome.figures()))  # noqa: T201
    assert outcome.is_clean, outcome.figures()
    assert outcome.audited.exact.matched >= least
    assert outcome.audited.owed == outcome.audited.got
    assert outcome.sent["once"] > 0
    return outcome


@pytest.mark.checklist("R.5", "S.19")
async def test_four_flips_on_all_connections_are_not_noticed(tmp_path: Path) -> None:
    session = await flip_session(tmp_path, flips=2, rate=1200, dwell_s=0.3, dwell_events=150)
    outcome = checked(session, least=500)
    # Twelve connections' turns each way; the fastest round, so that a neighbour's turn is not taken for ours.
    rounds = [outcome.times.of_all("first")[at::4] for at in range(4)]
    assert len(outcome.times.of_all("first")) == 24
    assert min(p99(one) for one in rounds) <= 50
    damaged_lines_are_found(session)
    sent = session.application.sent
    twice = [Sent(sent[0].connection, sent[0].number, False), *sent]
    assert once_each(session.ledger, twice) == {"once": len(sent), "refused": 1}
    assert once_each(session.ledger, [Sent(sent[0].connection, 42_000_000, True)]) == {"never": 1}


def damaged_lines_are_found(session: Session) -> None:
    """What the audit says when four trades of one stream are each lost, doubled, late or changed."""
    lines = list(session.application.kept.lines)
    bodies = [json.loads(line) for _, line in lines]
    streams: dict[tuple[str, str], list[int]] = defaultdict(list)
    for at, body in enumerate(bodies):
        if body.get("type") == "trade" and session.began_ns + 10**8 < body["t"] < session.stopped_ns - 10**8:
            streams[body["c"], body["symbol"]].append(at)
    altered, late, next_one, doubled, lost = max(streams.values(), key=len)[:5]
    lines[altered] = (lines[altered][0], json.dumps(bodies[altered] | {"price": 1.0}).encode())
    lines[late], lines[next_one] = lines[next_one], lines[late]
    lines[doubled:doubled] = [lines[doubled]]
    del lines[lost + 1]
    found = audit(session.ledger, lines, session.began_ns, session.stopped_ns)[0].exact
    assert (found.altered, found.doubled, found.lost, found.invented) == (1, 1, 1, 0)
    assert found.reordered > 0


class Gate(ModuleType):
    """The new stacks' builders, with a gate behind which nothing of what they deliver comes out."""

    is_shut = False

    def build_gateio(self, *args: Any, **options: Any) -> Any:
        return self._build("gateio", *args, **options)

    def build_mexc(self, *args: Any, **options: Any) -> Any:
        return self._build("mexc", *args, **options)

    def _build(self, exchange: str, config: Any, is_private: bool, consume: Any, *rest: Any, **options: Any) -> Any:
        async def pass_on(message: Any) -> None:
            if not self.is_shut:
                await consume(message)

        builder = import_module(f"exchanges.integrations.{exchange}.builder").build
        return builder(config, is_private, pass_on, *rest, **options)


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> Gate:
    """Open at first."""
    one = Gate("gated_stack")
    monkeypatch.setitem(sys.modules, "gated_stack", one)
    for exchange in ("gateio", "mexc"):
        monkeypatch.setitem(stacks.BUILDERS, ("new", exchange), f"gated_stack:build_{exchange}")
    return one


async def test_new_dead_in_stage_live_leaves_nothing_missing(
    tmp_path: Path, gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    """First it is left by itself within a second and a bit, then by the flag after three."""
    took_s = []

    async def die(application: Application) -> None:
        await application.turn(Stage.LIVE, Side.NEW)
        gate.is_shut, began = True, monotonic()
        await until(lambda: application.is_served_by(Side.LEGACY))
        took_s.append(monotonic() - began)
        assert set(application.taken_back().values()) == {"new has been silent for 1 s while legacy was not"}
        gate.is_shut = False
        await application.turn(Stage.SHADOW, Side.LEGACY)
        await until(lambda: not application.taken_back())
        monkeypatch.setattr(guard, "SILENCE_S", 60.0)
        await application.turn(Stage.LIVE, Side.NEW)
        gate.is_shut = True
        # Not to wait for something: so long is the outage.
        await asyncio.sleep(DEAD_S)
        assert application.is_served_by(Side.NEW)
        await application.turn(Stage.SHADOW, Side.LEGACY)
        # On a busy machine the venue sends less in that time.
        await until(partial(has_lines, application, 2500))
        await application.catch_up()

    outcome = checked(await flip_session(tmp_path, flips=0, rate=900, dwell_s=0.0, then=die), least=2000)
    assert outcome.audited.unversioned.is_clean
    assert 1.0 <= took_s[0] <= BOUND_S


class WrongKey(ModuleType):
    """The new stack of Gate.io with a secret that the exchange does not know."""

    def build(self, config: Any, *rest: Any, **options: Any) -> Any:
        credentials = replace(config.credentials, secret_key="f" * 64)
        return import_module("exchanges.integrations.gateio.builder").build(
            replace(config, credentials=credentials), *rest, **options
        )


async def test_a_new_stack_that_is_refused_never_serves_and_is_not_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setitem(sys.modules, "wrong_key", WrongKey("wrong_key"))
    monkeypatch.setitem(stacks.BUILDERS, ("new", "gateio"), "wrong_key:build")
    ledger, name = tmp_path / "ledger", "gateio.spot.private"
    try:
        async with venue_process(400, 1, ledger) as ready:
            application = Application(ready, HandFlag(Stage.SHADOW), [name])
            lines = application.kept.lines
            try:
                await application.start()
                await until(lambda: len(lines) > 20)
                began_ns = perf_counter_ns()
                for stage in (Stage.SHADOW, Stage.CANARY, Stage.LIVE):
                    application.flag.turn(stage)
                    manager, so_far = application.managers[name], len(lines)
                    await until(lambda manager=manager, stage=stage: set(manager.stages().values()) == {stage})
                    await until(lambda so_far=so_far: len(lines) > so_far + 60)
                    assert application.is_served_by(Side.LEGACY)
                    assert not manager._legs[Side.NEW].is_connected()
                stopped_ns = perf_counter_ns()
                await application.catch_up()
            finally:
                await application.close()
    finally:
        api.clear_providers()
    audited, _ = audit(ledger, lines, began_ns, stopped_ns)
    assert audited.exact.is_clean
    assert audited.exact.matched == audited.owed > 100
    assert "AUTHENTICATION_FAILED" in caplog.text


@pytest.mark.long
@pytest.mark.checklist("R.5", "S.19")
async def test_fifty_flips_each_way_at_two_thousand_messages_a_second(tmp_path: Path) -> None:
    outcome = checked(await flip_session(tmp_path, flips=50, rate=2000, dwell_s=0.5), least=80_000)
    assert outcome.rate > 1900
    assert len(outcome.times.of_all("first")) == 600
    assert p99(outcome.times.switch) <= 50
    assert max(outcome.times.above) <= 10
    assert p99(outcome.times.of_all("reached")) <= 50
    # Missed, see docs/long-tests.md: where the exchange is quiet, for 0.1 s of each second, nothing can come.
    assert p99(outcome.times.of_all("first")) <= 50
