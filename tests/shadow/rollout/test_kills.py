"""Killed between any two steps, a controller leaves the state that its journal says."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from shadow.errors import ShadowError
from shadow.rollout import ledger as ledger_module
from shadow.rollout.consumers import Alarm
from shadow.rollout.flag_file import read_flag_file
from shadow.rollout.journal import Head, Journal, read_journal
from shadow.rollout.lease import renew
from shadow.rollout.units import EVERYTHING

from .conftest import PUBLIC, Desk, places_in, stages

STEPS = ("write", "fsync", "replace")


class Killed(BaseException):
    """Stands for kill -9: nothing that runs after it may tidy up."""


def test_a_rollback_without_journal_is_not_undone_by_a_move_that_a_kill_cut_short(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The journal says `live`, the flag never did; the rollback reached the flag alone."""
    desk.climb(PUBLIC, "canary")
    desk.drill()
    desk.watch()

    def killed(*_: Any, **__: Any) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(ledger_module, "write_flag_file", killed)
        with pytest.raises(Killed):
            desk.flip(PUBLIC, "live", "ada", "bob")
    with monkeypatch.context() as patch:
        patch.setattr(Journal, "append", no_journal)
        assert desk.controller().rollback(EVERYTHING).trouble == "no journal"
    desk.watch()
    assert stages(desk) == ["shadow", "shadow", "off"]
    assert desk.rules() == [f"{PUBLIC} shadow"]


def test_any_number_of_kills_between_a_line_and_its_repeat_is_no_tampering(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.climb(PUBLIC, "shadow")
    left: list[bool] = []

    def killed_when_none_is_left(journal: Journal, head: Head) -> None:
        if not left:
            raise Killed
        left.pop()
        write_head(journal, head)

    write_head = Journal.write_head
    monkeypatch.setattr(Journal, "write_head", killed_when_none_is_left)
    for times in (0, 0, 1, 1, 0):
        left[:] = [True] * times
        with pytest.raises(Killed):
            desk.controller().hold(EVERYTHING, "lunch")
        reading = desk.controller().books().reading
        assert len(reading.entries) - reading.head.count == 1
    left[:] = [True] * 9
    assert desk.controller().rollback(EVERYTHING).trouble == ""
    assert desk.controller().hold(EVERYTHING, "lunch").says == "* is held where it is: lunch"


def no_journal(*_: Any, **__: Any) -> None:
    raise ShadowError("no journal")


@pytest.mark.parametrize("act", ["flip", "rollback", "watch"])
def test_after_a_kill_between_any_two_steps_the_state_is_the_journals(
    act: str, tmp_path: Path, make_desk: Callable[[Path], Desk], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed before the n-th call that touches the disk, for each n until the act ends by itself."""
    before = ["canary", "canary", "off"]
    after = ["live", "live", "off"] if act == "flip" else ["shadow", "shadow", "off"]
    first = make_desk(tmp_path / "first")
    first.climb(PUBLIC, "canary")
    first.drill()
    first.alarms = [Alarm("memory", "*", "+21 %")] if act == "watch" else []
    first.beat()
    renew(first.places.lease, "watch", first.now_s)
    seen = []
    for number in range(60):
        shutil.copytree(tmp_path / "first", tmp_path / str(number))
        desk = Desk(places_in(tmp_path / str(number)), first.now_s)
        ended = killed_at(desk, act, number, monkeypatch)
        assert stages(desk) in (before, after)
        assert read_journal(desk.places.journal, read_flag_file(desk.places.flags).mark).finding is None
        journal = [str(rule) for rule in desk.controller().books().state.rules]
        desk.watch()
        assert [str(rule) for rule in read_flag_file(desk.places.flags).rules] == journal == desk.rules()
        seen.append(stages(desk))
        if ended:
            break
    assert ended
    assert seen[0] == before
    assert seen[-1] == after
    assert seen == sorted(seen, key=lambda one: one == after)


def killed_at(desk: Desk, act: str, number: int, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Do it, killed before the n-th step; whether it came to its end."""
    left = number
    acts: dict[str, Callable[[], Any]] = {
        "flip": lambda: desk.flip(PUBLIC, "live", "ada", "bob"),
        "rollback": lambda: desk.controller().rollback(EVERYTHING),
        "watch": lambda: desk.controller().turn(holder="watch"),
    }

    def counted(call: Callable[..., Any]) -> Callable[..., Any]:
        def step(*words: Any) -> Any:
            nonlocal left
            left -= 1
            if left < 0:
                raise Killed
            return call(*words)

        return step

    with monkeypatch.context() as patch:
        for name in STEPS:
            patch.setattr(os, name, counted(getattr(os, name)))
        try:
            acts[act]()
        except Killed:
            return False
    return True
