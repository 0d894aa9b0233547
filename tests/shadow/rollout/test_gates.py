"""Each gate alone keeps a unit where it is, and says the way out; all open, the unit goes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from shadow.errors import UsageError
from shadow.rollout.consumers import Alarm, JudgeStatus, UnitStatus, write_status
from shadow.rollout.evidence import newest_session
from shadow.rollout.lease import release
from shadow.rollout.units import parse_unit

from .conftest import BOOK, PRIVATE, PUBLIC, TRADE, Desk

DAY_S = 86_400


def sabotage(desk: Desk, name: str) -> None:
    """Spoil one thing that a move from `shadow` to `canary` needs."""
    newest = desk.places.runs / f"run-{desk.now_s:.0f}-SHIP"
    acts: dict[str, Callable[[], Any]] = {
        "no controller": lambda: release(desk.places.lease, "watch"),
        "dead controller": lambda: setattr(desk, "now_s", desk.now_s + 11) or desk.beat(),
        "kill file": (desk.places.flags.parent / "websocket.kill").touch,
        "open trigger": lambda: desk.alarms.append(Alarm("memory", BOOK, "12 MiB")) or desk.beat(),
        "hold": lambda: desk.controller().hold(_unit(BOOK), "lunch"),
        "no session": lambda: newest.rename(desk.places.runs.parent / "elsewhere"),
        "newer HOLD": lambda: setattr(desk, "now_s", desk.now_s + 1) or (desk.session("HOLD") and desk.watch()),
        "grade quick": lambda: desk.session(grade="quick"),
        "other version": lambda: desk.session(versions={"ws-shadow": "0.0.1"}),
        "edited verdict": lambda: (newest / "verdict.json").write_text(
            json.dumps({"verdict": "SHIP", "grade": "release", "edited": True})
        ),
        "other symbol": lambda: desk.session(symbols=["ETH_USDT"]),
        "foreign stack": lambda: desk.session(commands={"legacy": "(own legacy)", "new": "./mine"}),
        "old drill": lambda: desk.drill(date_utc="2026-12-01T00:00:00+00:00"),
        "failed drill": lambda: desk.drill(passed=False),
        "drill of other version": lambda: desk.drill(version="0.0.1"),
        "drill of other machine": lambda: desk.drill(machine={"cores": 999, "system": "Linux"}),
        "drill of other stage": lambda: desk.drill(stage="live"),
        "no consumer": lambda: (desk.places.folder / "consumers" / "desk.json").unlink(),
        "silent consumer": lambda: desk.beat(at=desk.now_s - 6),
        "damaged status": lambda: (desk.places.folder / "consumers" / "desk.json").write_text("{"),
        "old generation": lambda: desk.beat(generation=0),
        "new not ready": lambda: desk.beat(units={BOOK: UnitStatus("legacy", other_ready=False)}),
    }
    acts[name]()


def _unit(text: str) -> Any:
    from shadow.rollout.units import parse_unit

    return parse_unit(text)


SPOILED = {
    "no controller": "rollout start",
    "dead controller": "rollout start",
    "kill file": "remove it first",
    "open trigger": "memory is open",
    "hold": "--approve NAME",
    "no session": "--grade release",
    "newer HOLD": "says HOLD",
    "grade quick": "--grade release",
    "other version": "of version 0.0.1",
    "edited verdict": "was altered",
    "other symbol": "no session has compared it",
    "foreign stack": "no session has compared it",
    "old drill": "older than 24 h",
    "failed drill": "shadow drill",
    "drill of other version": "shadow drill",
    "drill of other machine": "shadow drill",
    "drill of other stage": "shadow drill --stages shadow",
    "no consumer": "no consumer holds",
    "silent consumer": "no heartbeat",
    "damaged status": "no heartbeat",
    "old generation": "applied generation 0 of 1",
    "new not ready": "not ready",
}


@pytest.fixture
def ready(desk: Desk) -> Desk:
    """Public units at `shadow`, everything there that a canary asks for."""
    desk.session()
    desk.drill()
    desk.watch()
    desk.flip(PUBLIC, "shadow")
    desk.watch()
    return desk


def test_with_every_gate_open_the_unit_goes(ready: Desk) -> None:
    ready.flip(PUBLIC, "canary")
    assert ready.rules() == [f"{PUBLIC} canary"]


@pytest.mark.parametrize("spoiled", SPOILED)
def test_each_gate_alone_keeps_the_unit_and_says_the_way_out(spoiled: str, ready: Desk) -> None:
    if spoiled in ("other symbol", "foreign stack"):
        (ready.places.runs / f"run-{ready.now_s:.0f}-SHIP").rename(ready.places.runs.parent / "elsewhere")
    sabotage(ready, spoiled)
    with pytest.raises(UsageError, match=SPOILED[spoiled]):
        ready.flip(PUBLIC, "canary")
    assert ready.rules() == [f"{PUBLIC} shadow"]


@pytest.mark.parametrize(
    ("unit", "stage", "says"),
    [
        (PUBLIC, "live", "the next stage is canary"),
        (PUBLIC, "complete", "the next stage is canary"),
        ("gateio.spot", "canary", "stands at off"),
        (PRIVATE, "canary", "the next stage is shadow"),
    ],
)
def test_no_stage_is_left_out(unit: str, stage: str, says: str, ready: Desk) -> None:
    with pytest.raises(UsageError, match=says):
        ready.flip(unit, stage)


def test_private_units_go_after_the_public_ones(ready: Desk) -> None:
    ready.flip(PRIVATE, "shadow")
    ready.watch()
    with pytest.raises(UsageError, match="public units go first"):
        ready.flip(PRIVATE, "canary")
    with pytest.raises(UsageError, match="name them apart"):
        ready.flip("gateio.spot", "canary")
    with pytest.raises(UsageError, match="cannot be split"):
        ready.flip(PRIVATE, "canary:10")
    ready.flip(PUBLIC, "canary")
    ready.watch()
    ready.flip(PRIVATE, "canary")
    assert ready.rules() == [f"{PRIVATE} canary", f"{PUBLIC} canary"]


def test_live_takes_two_people(ready: Desk) -> None:
    ready.flip(PUBLIC, "canary")
    ready.now_s += DAY_S
    ready.drill()
    ready.watch()
    for names in ((), ("ada",), ("ada", "ADA "), ("ada", "")):
        with pytest.raises(UsageError, match="takes 2 people"):
            ready.flip(PUBLIC, "live", *names)
    ready.flip(PUBLIC, "live", "ada", "bob")
    assert ready.controller().books().reading.entries[-1].fields["names"] == ["ada", "bob"]


@pytest.mark.parametrize(
    ("judge", "says"),
    [
        (None, "no judge watches"),
        (JudgeStatus("judge", 0.0, "HOLD", "quiet"), "says HOLD"),
        (JudgeStatus("judge", 0.0, "PASS", "alarm"), "onset watch"),
        (JudgeStatus("judge", 0.0, "PASS", "unknown"), "onset watch"),
    ],
)
def test_a_canary_is_left_only_past_a_judge_that_is_quiet(judge: JudgeStatus | None, says: str, ready: Desk) -> None:
    ready.flip(PUBLIC, "canary:50")
    ready.now_s += DAY_S
    ready.watch()
    if judge is None:
        (ready.places.folder / "judges" / "judge.json").unlink()
    else:
        write_status(ready.places.folder, msgspec.structs.replace(judge, at=ready.now_s))
    with pytest.raises(UsageError, match=says):
        ready.flip(PUBLIC, "canary")


def test_a_flip_whose_audit_is_not_clean_ends_the_way(ready: Desk) -> None:
    ready.flip(PUBLIC, "canary")
    ready.now_s += DAY_S
    ready.watch()
    ready.beat(audit_clean=False)
    with pytest.raises(UsageError, match="audit"):
        ready.flip(PUBLIC, "live", "ada", "bob")


def test_a_stage_lasts_as_long_as_it_has_to(ready: Desk) -> None:
    ready.flip(PUBLIC, "canary")
    ready.now_s += 3_599
    ready.drill()
    ready.watch()
    with pytest.raises(UsageError, match="3600 s are asked for"):
        ready.flip(PUBLIC, "live", "ada", "bob")
    ready.now_s += 1
    ready.watch()
    ready.flip(PUBLIC, "live", "ada", "bob")


def test_complete_asks_for_the_sign_off(desk: Desk) -> None:
    desk.climb(PUBLIC, "rampdown")
    with pytest.raises(UsageError, match="--signoff FILE"):
        desk.flip(PUBLIC, "complete", "ada", "bob")
    desk.flip(PUBLIC, "complete", "ada", "bob", signoff="signoff.json sha256:12")
    assert desk.rules() == [f"{PUBLIC} complete"]


def test_a_rehearsal_asks_for_less_but_never_leaves_the_machine(desk: Desk) -> None:
    desk.session(grade="quick")
    desk.watch(rehearsal=True)
    for stage in ("shadow", "canary", "live", "rampdown"):
        desk.flip(PUBLIC, stage, rehearsal=True)
        desk.watch(rehearsal=True)
    lines = desk.controller().books().reading.entries
    assert all(line.fields["rehearsal"] is True for line in lines)
    desk.beat(urls=["ws://127.0.0.1:1/", "wss://wbs-api.mexc.com/ws"])
    with pytest.raises(UsageError, match="wbs-api"):
        desk.flip("mexc.spot.*.*", "shadow", rehearsal=True)
    with pytest.raises(UsageError, match="wbs-api"):
        desk.controller(rehearsal=True).turn(holder="watch")


def test_a_canary_chooses_at_least_one_unit_and_keeps_it(ready: Desk, tmp_path: Path) -> None:
    ready.flip(PUBLIC, "canary:1")
    chosen, rest = ready.rules()
    assert rest == f"{PUBLIC} canary:1"
    assert chosen in (f"{BOOK} canary", f"{TRADE} canary")
    ready.now_s += DAY_S
    ready.watch()
    ready.flip(PUBLIC, "canary:2")
    assert ready.rules() == [chosen, f"{PUBLIC} canary:2"]


@pytest.mark.parametrize(
    ("channels", "is_compared"),
    [(["balance"], False), (["fill", "order"], False), (["balance", "fill", "order"], True)],
)
def test_an_account_is_compared_as_a_whole(channels: list[str], is_compared: bool, desk: Desk) -> None:
    desk.session(channels={"gateio.spot.public": ["book"], "gateio.spot.private": channels})
    assert (newest_session(desk.places.runs, parse_unit(PRIVATE)) is not None) == is_compared
