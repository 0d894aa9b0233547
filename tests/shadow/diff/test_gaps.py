"""A hole that the venue made must be healed by a stack that rebuilds books, given time."""

from __future__ import annotations

from typing import Any

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
