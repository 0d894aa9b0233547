"""The flag file says what the rules say, keeps what is a person's, and is whole at every moment."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infrastructure.networking.websocket.migration.stage import Stage
from shadow.errors import ShadowError, UsageError
from shadow.rollout import flag_file
from shadow.rollout.flag_file import FlagFile, Mark, evaluated, read_flag_file, write_flag_file
from shadow.rollout.stages import Rule, parse_position, position_of
from shadow.rollout.targeting import read_targeting, targeting_of
from shadow.rollout.units import Unit, parse_unit, representatives

UNITS = ["*", "mexc", "gateio.spot", "gateio.spot.*.*", "*.*.private", "gateio.spot.book.*", "*.spot.trade.BTC_USDT"]
SINGLE = ["gateio.spot.book.BTC_USDT", "gateio.spot.private", "gateio.spot.private.main"]
STAGES = ["off", "shadow", "canary", "live", "rampdown", "complete"]
PLAIN = st.builds(lambda unit, stage: rule(unit, stage), st.sampled_from(UNITS + SINGLE), st.sampled_from(STAGES))
SHARED = st.builds(lambda unit, share: rule(unit, f"canary:{share}"), st.sampled_from(UNITS), st.integers(1, 99))
RULES = st.lists(st.one_of(PLAIN, SHARED), max_size=5).map(tuple)


def rule(unit: str, stage: str) -> Rule:
    return Rule(parse_unit(unit), parse_position(stage))


@given(RULES)
def test_rules_are_read_as_they_were_written(rules: tuple[Rule, ...]) -> None:
    assert read_targeting(json.loads(json.dumps(targeting_of(rules)))) == rules


@given(RULES)
@settings(max_examples=40, deadline=None)
def test_flagd_gives_each_unit_the_stage_of_its_first_rule(rules: tuple[Rule, ...]) -> None:
    units = representatives(one.unit for one in rules)
    for unit, found in zip(units, evaluated(rules, units), strict=True):
        position = position_of(rules, unit)
        assert found in ((position.stage,) if position.share is None else (Stage.CANARY, Stage.SHADOW))


@given(RULES)
@settings(max_examples=60, deadline=None)
def test_a_whole_manager_gets_both_stacks_where_its_units_differ(rules: tuple[Rule, ...]) -> None:
    """It asks with `*` as channel and symbol; with off or complete it would hold one stack alone for all units."""
    public = [unit for unit in representatives(one.unit for one in rules) if unit.scope == "public"]
    for market in {(unit.exchange, unit.market) for unit in public}:
        stages = {position_of(rules, unit).stage for unit in public if (unit.exchange, unit.market) == market}
        (found,) = evaluated(rules, [Unit(*market, "public")])
        assert found in (stages if len(stages) == 1 else set(Stage) - {Stage.OFF, Stage.COMPLETE}) | (
            {Stage.SHADOW} if Stage.CANARY in stages else set()
        )


def test_a_share_chooses_about_as_many_and_a_greater_share_keeps_them() -> None:
    units = [Unit("gateio", "spot", "public", "book", f"S{n}_USDT") for n in range(1_000)]
    chosen = [
        {
            unit
            for unit, stage in zip(units, evaluated((rule("*", f"canary:{share}"),), units), strict=True)
            if stage is Stage.CANARY
        }
        for share in (10, 50)
    ]
    assert 60 < len(chosen[0]) < 140
    assert 430 < len(chosen[1]) < 570
    assert chosen[0] <= chosen[1]


def test_a_persons_other_flags_stay(tmp_path: Path) -> None:
    path = tmp_path / "flags.json"
    other = {"state": "ENABLED", "variants": {"on": True}, "defaultVariant": "on"}
    path.write_text(json.dumps({"$schema": "https://flagd.dev/schema/v0/flags.json", "flags": {"theirs": other}}))
    written = write_flag_file(path, read_flag_file(path), (rule("mexc", "shadow"),), Mark(3, 2, "ab"))
    found = json.loads(path.read_text())
    assert (found["flags"]["theirs"], found["$schema"]) == (other, "https://flagd.dev/schema/v0/flags.json")
    assert read_flag_file(path) == written
    assert written.mark == Mark(3, 2, "ab")


def test_a_file_stays_its_owners_and_as_readable_as_it_was(tmp_path: Path) -> None:
    """Whoever rolls back need not be the user whose application reads the file."""
    path = tmp_path / "flags.json"
    write_flag_file(path, FlagFile(), (), Mark(1))
    assert path.stat().st_mode & 0o777 == 0o600
    path.chmod(0o644)
    if os.geteuid() == 0:
        os.chown(path, 65534, 65534)
    before = path.stat()
    write_flag_file(path, read_flag_file(path), (), Mark(2))
    after = path.stat()
    assert (after.st_uid, after.st_gid, after.st_mode) == (before.st_uid, before.st_gid, before.st_mode)
    assert after.st_ino != before.st_ino


def test_a_file_whose_owner_cannot_be_kept_keeps_its_group_and_mode(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "flags.json"
    write_flag_file(path, FlagFile(), (), Mark(1))
    path.chmod(0o640)
    asked = []

    def refuse(descriptor: int, owner: int, group: int) -> None:
        asked.append((owner, group))
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "fchown", refuse)
    write_flag_file(path, read_flag_file(path), (), Mark(2))
    assert asked == [(os.geteuid(), os.getegid()), (-1, os.getegid())]
    assert path.stat().st_mode & 0o777 == 0o640
    assert read_flag_file(path).mark == Mark(2)


def test_a_link_stays_one_and_the_file_that_it_names_is_written(tmp_path: Path) -> None:
    real, link = tmp_path / "config" / "flags.json", tmp_path / "flags.json"
    write_flag_file(real, FlagFile(), (rule("mexc", "live"),), Mark(1))
    link.symlink_to(real)
    write_flag_file(link, read_flag_file(link), (rule("mexc", "shadow"),), Mark(2))
    assert link.is_symlink()
    assert read_flag_file(real).rules == (rule("mexc", "shadow"),)


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_a_write_that_fails_leaves_the_old_file(call: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "flags.json"
    before = write_flag_file(path, FlagFile(), (rule("mexc", "live"),), Mark(1))

    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, call, full)
    with pytest.raises(ShadowError, match="No space left"):
        write_flag_file(path, before, (), Mark(2))
    assert read_flag_file(path) == before


def test_what_would_not_say_what_it_should_is_not_put_in_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "flags.json"
    before = write_flag_file(path, FlagFile(), (rule("mexc", "shadow"),), Mark(1))
    monkeypatch.setattr(flag_file, "targeting_of", lambda _: targeting_of((rule("mexc", "live"),)))
    with pytest.raises(ShadowError, match="would give"):
        write_flag_file(path, before, (rule("mexc", "canary"),), Mark(2))
    assert read_flag_file(path) == before


STRANGE: list[tuple[Any, str]] = [
    ({"state": "DISABLED"}, "not ENABLED"),
    ({"defaultVariant": "live"}, "defaultVariant"),
    ({"variants": {"off": "off"}}, "variants"),
    ({"targeting": {"if": [{"==": [{"var": "exchange"}, "mexc"]}, "complete"]}}, "not understood"),
    ({"targeting": {"if": [{">": [{"var": "exchange"}, "mexc"]}, "live", "off"]}}, "not understood"),
    ({"targeting": {"if": [{"==": [{"var": "host"}, "a"]}, "live", "off"]}}, "not understood"),
    ({"targeting": {"if": [{"==": [{"var": "symbol"}, "BTC_USDT"]}, "live", "off"]}}, "not understood"),
    ({"targeting": {"if": [True, {"fractional": [["live", 10], ["off", 90]]}, "off"]}}, "not understood"),
    ({"targeting": {"if": [True, "on", "off"]}}, "not understood"),
    ({"targeting": {"if": [True, "live", "live"]}}, "have to be"),
    ({"targeting": {"if": [{"==": [{"var": "channel"}, "*"]}, "complete", "off"]}}, "follows from the other rules"),
    ({"extra": 1}, "holds more than"),
]


@pytest.mark.parametrize(("changes", "says"), STRANGE)
def test_what_is_not_understood_is_refused_with_the_way_out(changes: dict[str, Any], says: str, tmp_path: Path) -> None:
    path = tmp_path / "flags.json"
    write_flag_file(path, FlagFile(), (), Mark(1))
    content = json.loads(path.read_text())
    content["flags"]["websocket-stack"] |= changes
    path.write_text(json.dumps(content))
    with pytest.raises(UsageError, match=says) as refused:
        read_flag_file(path)
    assert "rollout rollback '*'" in str(refused.value)


@pytest.mark.parametrize("data", [b"{", b"\xff", b"[]", b'{"flags": []}', b"[" * 100_000])
def test_a_file_that_is_no_flag_file_is_refused(data: bytes, tmp_path: Path) -> None:
    (tmp_path / "flags.json").write_bytes(data)
    with pytest.raises(UsageError, match="rollback"):
        read_flag_file(tmp_path / "flags.json")
