"""A rollout's files in a folder of the test's own, a clock that the test moves, and the evidence that gates ask for."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from shadow.capture.manifest import write_manifest
from shadow.config import machine
from shadow.rollout.consumers import Alarm, ConsumerStatus, JudgeStatus, UnitStatus, write_status
from shadow.rollout.controller import Controller
from shadow.rollout.evidence import our_version
from shadow.rollout.flag_file import evaluated
from shadow.rollout.gates import Ask
from shadow.rollout.places import Places
from shadow.rollout.stages import parse_position
from shadow.rollout.units import parse_unit

BOOK = "gateio.spot.book.BTC_USDT"
TRADE = "gateio.spot.trade.BTC_USDT"
PRIVATE = "gateio.spot.private"
UNITS = (BOOK, TRADE, PRIVATE)
PUBLIC = "gateio.spot.*.*"


@dataclass
class Desk:
    """Everything around a controller; `now_s` is its clock."""

    places: Places
    now_s: float = 1_800_000_000.0
    units: tuple[str, ...] = UNITS
    alarms: list[Alarm] = field(default_factory=list)

    def controller(self, *, rehearsal: bool = False) -> Controller:
        return Controller(self.places, lambda: self.now_s, rehearsal=rehearsal)

    def beat(self, **changes: Any) -> None:
        """A heartbeat of one consumer that has applied the newest flag, of one judge and of the controller."""
        state = self.controller().books().state
        serving = {unit: UnitStatus("legacy", other_ready=True) for unit in self.units}
        status = ConsumerStatus("desk", 1, self.now_s, state.generation, serving, ["ws://127.0.0.1:1/"])
        write_status(self.places.folder, msgspec.structs.replace(status, **changes))
        write_status(self.places.folder, JudgeStatus("judge", self.now_s, "PASS", "quiet", self.alarms))

    def watch(self, *, strict: bool = False, rehearsal: bool = False) -> list[tuple[str, str]]:
        self.beat()
        found = self.controller(rehearsal=rehearsal).turn(strict=strict, holder="watch")
        return [(reaction.kind, str(reaction.unit)) for reaction in found]

    def flip(self, unit: str, stage: str, *names: str, rehearsal: bool = False, signoff: str = "") -> str:
        ask = Ask(parse_unit(unit), parse_position(stage), names, rehearsal, signoff)
        return self.controller(rehearsal=rehearsal).flip(ask).says

    def climb(self, unit: str, stage: str) -> None:
        """Through every stage as two careful people would, a day apart."""
        for name in ("shadow", "canary", "live", "rampdown", "complete"):
            self.session()
            self.drill()
            self.watch()
            self.flip(unit, name, "ada", "bob", signoff="file" if name == "complete" else "")
            self.now_s += 86_401
            if name == stage:
                break
        self.watch()

    def session(self, verdict: str = "SHIP", grade: str = "release", **changes: Any) -> Path:
        """A sealed run directory about everything of Gate.io spot."""
        folder = self.places.runs / f"run-{self.now_s:.0f}-{verdict}"
        folder.mkdir(parents=True, exist_ok=True)
        session = {
            "connections": ["gateio.spot.public", "gateio.spot.private"],
            "channels": {
                "gateio.spot.public": ["book", "trade"],
                "gateio.spot.private": ["order", "fill", "balance"],
            },
            "symbols": ["BTC_USDT"],
            "commands": {"legacy": "(own legacy)", "new": "(own new)"},
            "versions": {"ws-shadow": our_version()},
            "started_utc": utc(self.now_s),
        }
        (folder / "session.json").write_text(json.dumps(session | changes))
        (folder / "verdict.json").write_text(json.dumps({"verdict": verdict, "grade": grade}))
        write_manifest(folder)
        return folder

    def drill(self, **changes: Any) -> None:
        """A record for each stage that is left by one, as `shadow drill` writes it."""
        triggers = ("performance", "stability", "memory", "functionality", "")
        record = {
            "version": our_version(),
            "machine": machine(),
            "date_utc": utc(self.now_s),
            "passed": True,
            "lines": [{"result": "ok", "drill": {"what": "one", "trigger": trigger}} for trigger in triggers],
        }
        for stage in ("shadow", "live"):
            folder = self.places.runs / "drills" / stage
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "drill.json").write_text(json.dumps(record | {"stage": stage} | changes))

    def rules(self) -> list[str]:
        return [str(rule) for rule in self.controller().books().state.rules]


def places_in(folder: Path) -> Places:
    return Places(folder / "flags.json", folder / "rollout", folder / "runs")


def stages(desk: Desk) -> list[str]:
    """What flagd's own core gives each unit out of the file."""
    return [stage.value for stage in evaluated(desk.places.flags, [parse_unit(unit) for unit in UNITS])]


def utc(at_s: float) -> str:
    return datetime.fromtimestamp(at_s, UTC).isoformat()


@pytest.fixture(autouse=True)
def _impatient_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing here loses power; that fsync is called, and when, test_journal.py sees."""
    monkeypatch.setattr(os, "fsync", lambda _: None)


@pytest.fixture
def make_desk(monkeypatch: pytest.MonkeyPatch) -> Callable[[Path], Desk]:
    def make(folder: Path) -> Desk:
        monkeypatch.setenv("WS_SHADOW_KILL", str(folder / "websocket.kill"))
        return Desk(places_in(folder))

    return make


@pytest.fixture
def desk(tmp_path: Path, make_desk: Callable[[Path], Desk]) -> Desk:
    return make_desk(tmp_path)


@pytest.fixture
def live(desk: Desk) -> Desk:
    """Public units at `live`, watched."""
    desk.climb(PUBLIC, "live")
    return desk
