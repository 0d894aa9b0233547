"""A hole that the venue made must be healed by a stack that rebuilds books, given time."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from shadow.diff.expected import Owed
from shadow.diff.gaps import Versions, gaps, version_of

GATEIO = "gateio.spot.public"
MS = 1_000_000


def hole_and_time(scene: Any, healed: bool) -> Any:
    scene.step(GATEIO, to=("legacy",))
    scene.step(GATEIO)
    if healed:
        scene.rebuild("new", GATEIO)
    for _ in range(13):
        scene.now += 1000 * MS
        scene.step(GATEIO)
    return scene.judge()


def test_a_hole_that_is_never_healed_is_a_critical_gap_of_the_stack_that_could(scene: Any) -> None:
    diff = hole_and_time(scene, healed=False)
    assert [(item.code, item.side, item.severity) for item in diff.differences] == [("GAP", "new", "critical")]


def test_a_hole_that_was_healed_is_none(scene: Any) -> None:
    assert hole_and_time(scene, healed=True).differences == []


def test_a_stack_that_never_rebuilds_is_seeded_and_has_no_gap(scene: Any) -> None:
    scene.step(GATEIO, to=("new",))
    for _ in range(13):
        scene.now += 1000 * MS
        scene.step(GATEIO)
    diff = scene.judge()
    assert diff.differences == []
    assert diff.totals["legacy"]["seeded"] == 3


def without_updates(scene: Any) -> None:
    lines = scene.lines["new"]
    scene.lines["new"] = [line for line in lines if not any(line is one for one in scene.events("new", GATEIO, "book"))]


def snapshots_for_updates(scene: Any, rounds: int, each: int) -> None:
    """The new side leaves all updates out and tells a whole book every so many rounds."""
    for number in range(rounds):
        scene.now += 100 * MS
        scene.step(GATEIO)
        if number % each == each - 1:
            scene.rebuild("new", GATEIO)
    without_updates(scene)


def test_a_stack_that_tells_whole_books_in_place_of_all_updates_has_a_gap(scene: Any) -> None:
    snapshots_for_updates(scene, 60, 15)
    diff = scene.judge()
    assert [(item.code, item.side, item.field, item.severity) for item in diff.differences] == [
        ("GAP", "new", "recovered", "major")
    ]
    assert diff.totals["new"]["codes"].get("MISSING", 0) == 0


def lost(version: int, t: int, code: str = "CONFLATED", fault: str = "") -> Owed:
    event: Any = SimpleNamespace(first=version, last=version)
    return Owed(event, version, 0, version, 1, t, fault, False, code)


@pytest.mark.parametrize(
    ("run", "wholes", "found"),
    [
        ([lost(1, 10), lost(2, 20)], [(30, 2)], []),
        ([lost(1, 10), lost(2, 20), lost(3, 40)], [(30, 2), (50, 3)], [3]),
        ([lost(1, 10), lost(2, 20), lost(3, 40)], [(30, 3)], []),
        ([lost(1, 10), lost(2, 20), lost(3, 40), lost(4, 41)], [(30, 2), (50, 4)], [3]),
        ([lost(1, 10), lost(2, 35, fault="drop"), lost(3, 40)], [(30, 1), (50, 3)], []),
        ([lost(1, 10), lost(2, 35, "IN_FLIGHT"), lost(3, 40)], [(30, 1), (50, 3)], []),
    ],
)
def test_a_loss_that_goes_on_behind_a_whole_book_that_is_older_is_a_gap(
    run: list[Owed], wholes: list[tuple[int, int]], found: list[int]
) -> None:
    told = [(field, version_of(item)) for field, item in gaps(run, [False] * len(run), wholes, True)]
    assert told == [("recovered", version) for version in found]


@pytest.mark.parametrize("cut", [1, 2, 3])
def test_such_a_loss_is_told_once_wherever_it_is_cut(cut: int) -> None:
    run = [lost(1, 10), lost(2, 20), lost(3, 40), lost(4, 60)]
    now, told = Versions(), []
    for part, upto in ((run[:cut], run[cut].t_sent), (run[cut:], 99)):
        wholes = [whole for whole in [(30, 2), (50, 3), (70, 4)] if whole[0] < upto]
        told += [version_of(item) for _, item in gaps(part, [False] * len(part), wholes, True, now)]
    assert told == [3]
