"""A rollback goes whatever is broken, latches, and never lifts a unit."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from shadow.cli import main
from shadow.errors import RunError, ShadowError, UsageError
from shadow.rollout import ledger as ledger_module
from shadow.rollout.consumers import UnitStatus
from shadow.rollout.controller import Controller
from shadow.rollout.stages import OFF, Rule, parse_position
from shadow.rollout.units import EVERYTHING, parse_unit

from .conftest import BOOK, PUBLIC, TRADE, Desk, stages


def test_a_rollback_does_not_wait_for_whoever_keeps_the_lock(live: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledger_module, "LOCK_S", 0.0)
    live.drill()
    live.watch()
    with live.controller().ledger.locked():
        with pytest.raises(UsageError, match="locked by another process"):
            live.flip(PUBLIC, "rampdown")
        live.controller().rollback(EVERYTHING)
    assert stages(live) == ["shadow", "shadow", "off"]


def test_a_move_that_was_decided_on_an_older_state_is_not_made(live: Desk) -> None:
    """Such as one that a rollback overtook, which waits for no lock."""
    ledger = live.controller().ledger
    seen = ledger.read().state
    live.controller().rollback(EVERYTHING)
    with pytest.raises(UsageError, match="changed meanwhile"):
        ledger.change(live.now_s, seen, (Rule(parse_unit(PUBLIC), parse_position("rampdown")),))
    assert stages(live) == ["shadow", "shadow", "off"]


def test_a_move_that_a_rollback_overtook_on_its_way_to_the_flag_file_is_not_made(
    live: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its disk stood still under the lock, behind its line in the journal; the rollback waited no longer for it."""
    live.drill()
    live.session()
    live.watch()
    monkeypatch.setattr(ledger_module, "LOCK_S", 0.0)

    def overtaken(*words: Any, **more: Any) -> Any:
        with monkeypatch.context() as patch:
            patch.setattr(ledger_module, "write_flag_file", write)
            assert live.controller().rollback(EVERYTHING).trouble == ""
        return write(*words, **more)

    write = ledger_module.write_flag_file
    with monkeypatch.context() as patch:
        patch.setattr(ledger_module, "write_flag_file", overtaken)
        with pytest.raises(UsageError, match="changed meanwhile"):
            live.flip(PUBLIC, "rampdown")
    assert stages(live) == ["shadow", "shadow", "off"]
    assert live.controller().books().reading.finding is None
    live.watch()
    assert stages(live) == ["shadow", "shadow", "off"]
    assert live.rules() == [f"{PUBLIC} shadow"]


def test_a_rollback_latches_and_only_the_way_forth(live: Desk) -> None:
    """Two a day pass by themselves after ten minutes; then a person has to say so."""
    for times in (1, 2, 3):
        live.controller().rollback(parse_unit(BOOK), why="by hand")
        live.drill()
        live.session()
        live.now_s += 599
        live.watch()
        with pytest.raises(UsageError, match="wait 1 s more"):
            live.flip(BOOK, "canary", "ada")
        live.now_s += 1
        live.watch()
        if times == 3:
            with pytest.raises(UsageError, match="taken back 3 times in a day"):
                live.flip(BOOK, "canary")
        live.flip(BOOK, "canary", *(("ada",) if times == 3 else ()))
        assert stages(live)[0] == "canary"


def test_a_rollback_needs_nobody(live: Desk) -> None:
    """No controller, no consumer, no judge, no drill; and `off` for what harms the process."""
    live.now_s += 100_000
    for name in ("consumers", "judges"):
        for path in (live.places.folder / name).iterdir():
            path.unlink()
    live.controller().rollback(EVERYTHING, OFF)
    assert stages(live) == ["off", "off", "off"]


def test_a_rollback_never_lifts_a_unit(live: Desk) -> None:
    live.controller().rollback(parse_unit(PUBLIC))
    assert stages(live) == ["shadow", "shadow", "off"]


@pytest.mark.parametrize("damage", ["tampered", "unreadable", "gone", "read-only", "no folder"])
def test_a_rollback_works_whatever_became_of_the_journal(
    damage: str, live: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = live.places.journal
    if damage == "tampered":
        path.write_bytes(path.read_bytes().replace(b"by hand", b"by hond", 1))
    elif damage == "gone":
        path.unlink()
    elif damage == "unreadable":
        path.unlink()
        path.mkdir()
    elif damage == "no folder":
        shutil.rmtree(live.places.folder)
        live.places.folder.write_text("in the way")
    else:
        write = os.open

        def refuse(name: Any, flags: int, *rest: Any) -> int:
            if name == path:
                raise OSError(30, "Read-only file system")
            return write(name, flags, *rest)

        monkeypatch.setattr(os, "open", refuse)
    outcome = live.controller().rollback(EVERYTHING)
    assert outcome.trouble
    assert stages(live) == ["shadow", "shadow", "off"]
    if damage not in ("read-only", "no folder"):
        with pytest.raises(RunError, match="journal"):
            live.flip(PUBLIC, "canary")


@pytest.mark.parametrize("torn", [b"", b'{"hash":"12'])
def test_a_rollback_works_beside_a_journal_of_another_user(
    torn: bytes, live: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whole or cut short by a kill, it may be read alone."""
    path = live.places.journal
    path.write_bytes(path.read_bytes() + torn)
    for module, name in ((os, "open"), (Path, "open")):
        monkeypatch.setattr(module, name, denied(getattr(module, name), path))
    outcome = live.controller().rollback(EVERYTHING)
    assert "cannot be written: Permission denied" in outcome.trouble
    assert stages(live) == ["shadow", "shadow", "off"]


def denied(call: Callable[..., Any], path: Path) -> Callable[..., Any]:
    """The call, but not to open the path for more than to read it."""

    def refuse(name: Any, *words: Any, **more: Any) -> Any:
        if name == path and "rb" not in (*words, more.get("mode")):
            raise PermissionError(13, "Permission denied")
        return call(name, *words, **more)

    return refuse


def test_a_rollback_works_where_the_file_system_knows_no_locks(live: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_locks(*_: Any) -> None:
        raise OSError(37, "No locks available")

    live.drill()
    live.watch()
    monkeypatch.setattr("fcntl.flock", no_locks)
    with pytest.raises(UsageError, match="locked by another process, or cannot be"):
        live.flip(PUBLIC, "rampdown")
    live.controller().rollback(EVERYTHING)
    assert stages(live) == ["shadow", "shadow", "off"]


DISABLED = b'{"flags": {"websocket-stack": {"state": "DISABLED"}}}'


@pytest.mark.parametrize("damage", [b"", b"{", b"\xff", b'{"flags": 3}', DISABLED])
def test_a_rollback_writes_a_damaged_flag_file_anew_with_legacy_everywhere(damage: bytes, live: Desk) -> None:
    live.places.flags.write_bytes(damage)
    outcome = live.controller().rollback(parse_unit(BOOK))
    assert outcome.trouble
    assert stages(live) == ["off", "off", "off"]
    assert live.places.flags.with_name("flags.json.before-rollback").read_bytes() == damage


def test_a_flag_file_that_cannot_be_written_says_so(live: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(ShadowError, match="No space left"):
        live.controller().rollback(EVERYTHING)


def test_complete_cannot_be_undone_by_the_flag(desk: Desk) -> None:
    desk.climb(PUBLIC, "complete")
    with pytest.raises(UsageError, match=r"touch .*websocket\.kill, and start again"):
        desk.controller().rollback(EVERYTHING)
    assert stages(desk) == ["complete", "complete", "off"]
    desk.places.flags.write_bytes(b"{")
    desk.controller().rollback(EVERYTHING)
    assert stages(desk) == ["complete", "complete", "off"]


@pytest.mark.parametrize("unit", ["gateoi.spot", "gateio.futur.book.BTC_USDT", "mexc.futures"])
def test_a_slip_of_the_pen_is_no_rollback(unit: str, live: Desk) -> None:
    for act in (live.controller().rollback, lambda one: live.controller().hold(one, "lunch")):
        with pytest.raises(UsageError, match="look at the name"):
            act(parse_unit(unit))
    assert stages(live) == ["live", "live", "off"]


def test_an_exchange_of_somebody_elses_goes_back_by_its_rule_or_its_consumer(desk: Desk) -> None:
    unit = parse_unit("kraken.spot.book.BTC_USDT")
    desk.units = (str(unit),)
    desk.watch()
    assert "no farther" in desk.controller().rollback(unit).says
    desk.flip(str(unit), "shadow")
    (desk.places.folder / "consumers" / "desk.json").unlink()
    assert "is back at off" in desk.controller().rollback(unit, OFF).says


def test_a_rollback_that_no_consumer_could_hear_of_says_so(
    live: Desk, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("shadow.rollout.places.places", lambda: live.places)
    monkeypatch.setattr(Controller.__init__, "__defaults__", (lambda: live.now_s,))
    assert main(["rollout", "rollback", "gateio.spot.book.BTCUSDT"]) == 0
    assert "no consumer holds a unit of gateio.spot.book.BTCUSDT" in capsys.readouterr().err
    assert main(["rollout", "rollback", BOOK]) == 0
    assert "no consumer holds" not in capsys.readouterr().err


@pytest.fixture
def typed(live: Desk, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """Whose rollout the command line finds, on its clock; it waits for nobody."""
    monkeypatch.setattr("shadow.rollout.places.places", lambda: live.places)
    monkeypatch.setattr(Controller.__init__, "__defaults__", (lambda: live.now_s,))
    monkeypatch.setattr("shadow.commands.flip.ARRIVES_WITHIN_S", 0.0)
    return live


NEW_SERVES = {unit: UnitStatus("new", other_ready=True) for unit in (BOOK, TRADE)}
COMMANDS = (["rollout", "rollback"], ["flip", "*", "off"])


@pytest.mark.parametrize("words", COMMANDS)
def test_a_rollback_that_a_consumer_has_not_applied_is_no_success(
    words: list[str], typed: Desk, capsys: pytest.CaptureFixture[str]
) -> None:
    """Such as one that may not read the flag file."""
    typed.beat(units=NEW_SERVES)
    for _ in range(2):
        assert main(words) == 1
        said = capsys.readouterr().err
        assert f"but desk has applied generation 3 alone and new serves {BOOK}" in said
        assert "touch websocket.kill" in said


@pytest.mark.parametrize("words", COMMANDS)
def test_a_rollback_that_a_consumer_has_applied_is_told_without_a_but(
    words: list[str], typed: Desk, capsys: pytest.CaptureFixture[str]
) -> None:
    typed.beat(generation=4)
    assert main(words) == 0
    assert "but " not in capsys.readouterr().err


@pytest.mark.parametrize(("late_s", "whom"), [(6.0, "consumers/desk.json"), (None, "any consumer")])
def test_a_rollback_of_which_no_status_tells_is_not_told_as_applied(
    late_s: float | None, whom: str, typed: Desk, capsys: pytest.CaptureFixture[str]
) -> None:
    if late_s is None:
        (typed.places.folder / "consumers" / "desk.json").unlink()
    else:
        typed.beat(units=NEW_SERVES)
        typed.now_s += late_s
    assert main(["rollout", "rollback"]) == 0
    assert f"but whether {whom} has applied it is not known" in capsys.readouterr().err


def test_a_rollback_waits_until_a_consumer_has_applied_it(typed: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    typed.beat(units=NEW_SERVES)
    monkeypatch.setattr("shadow.commands.flip.ARRIVES_WITHIN_S", 30.0)
    monkeypatch.setattr("shadow.commands.flip.time.sleep", lambda _: typed.beat())
    assert main(["rollout", "rollback"]) == 0
