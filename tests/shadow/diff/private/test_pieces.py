"""A leg compared in two pieces: what the second one has to know of the first."""

from __future__ import annotations

from typing import Any

import pytest

from shadow.diff.lines import Delivered, Spoken
from shadow.diff.part import Part
from shadow.online.accounts import Accounts

SPOT, FUTURES, MEXC = "gateio.spot.private", "gateio.futures.private", "mexc.spot.private"
ALL = (SPOT, FUTURES, MEXC)


def behind(scene: Any, t: int) -> Any:
    """The scene without what was sent and delivered up to a moment."""
    found = scene.copy()
    found.sends = [row for row in scene.sends if row["t_sent"] > t]
    found.lines = {role: [row for row in rows if row["t"] > t] for role, rows in scene.lines.items()}
    return found


def middle(scene: Any) -> int:
    """Between the two halves of the scene, in the middle of an order's life."""
    times = [row["t_sent"] for row in scene.sends if row["connection"] == SPOT]
    return int(times[len(times) // 2 + 1]) + 1_000_000


def kept_until(scene: Any, t: int) -> Accounts:
    part, accounts = Part(), Accounts()
    assert scene.judge(part=part).differences == []
    accounts.keep(part.judged, dict.fromkeys(ALL, (0, t)))
    return accounts


def test_the_second_half_of_an_account_is_clean_and_so_is_the_whole(scene: Any) -> None:
    t, part = middle(scene), Part(begun=set(ALL))
    accounts = kept_until(scene, t)
    assert behind(scene, t).judge(part=part).differences == []
    assert not any(accounts.is_broken(part.judged, name) for name in ALL)


@pytest.mark.parametrize("begun", [True, False])
def test_a_law_is_asked_of_the_whole_history_only(scene: Any, begun: bool) -> None:
    t, part = middle(scene), Part(begun=set(ALL) if begun else set())
    accounts = kept_until(scene, t)
    rest = behind(scene, t)
    rest.events("new", SPOT, "fill")[-1]["quantity"] += 1
    found = {(item.code, item.side) for item in rest.judge(part=part).differences}
    assert found == {("FIELD", "new")} if begun else {("FIELD", "new"), ("LIFECYCLE", "new")}
    assert [name for name in ALL if accounts.is_broken(part.judged, name)] == [SPOT]


def test_what_is_dropped_counts_no_more(scene: Any) -> None:
    accounts = kept_until(scene, middle(scene))
    held = accounts.kept()
    accounts.drop({SPOT})
    assert 0 < len(accounts.kept()) < len(held)
    accounts.drop(ALL)
    assert accounts.kept() == set()


def test_a_field_is_held_by_all_that_was_said_so_far() -> None:
    def said(count: int, **more: Any) -> Spoken:
        body = {"price": 1.0, **more}
        return Spoken([Delivered(n, 0, 0, "x", "trade", "A", body) for n in range(count)], [], [])

    part = Part()
    assert part.held({"new": said(3)}) == {"new": {("x", "trade"): set()}}
    assert part.held({"new": said(1, id="7")}) == {"new": {("x", "trade"): set()}}
    assert Part().held({"new": said(1, id="7")}) == {"new": {("x", "trade"): {"id"}}}
