"""New's versions run too high while it serves: whatever the consumer has by then, legacy's events come behind it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from infrastructure.networking.websocket.migration.arbiter import Arbiter
from infrastructure.networking.websocket.migration.event import Event, Limits, Side

LEGACY, NEW = Side.LEGACY, Side.NEW
PERIOD_S = 0.125
MILLION = 1_000_000


class Scene:
    """One stream that new serves from its 20th event on; legacy's copy comes first, or `lag` events later."""

    def __init__(self, *, is_contiguous: bool = True, lag: int = 0) -> None:
        self.arbiter = Arbiter(LEGACY, is_contiguous=is_contiguous, limits=Limits())
        for side in Side:
            self.arbiter.set_connected(side, True)
        self.got: list[Event] = []
        self.now, self.version, self.lag = 0.0, 100, 0
        self.run(20)
        assert self.arbiter.flip(NEW, self.now) is None
        self.lag = lag
        self.version += lag

    def run(self, periods: int, shift: int = 0) -> None:
        for _ in range(periods):
            self.now += PERIOD_S
            self.version += 1
            self._offer(LEGACY, self.version - self.lag)
            self._offer(NEW, self.version + shift)

    def _offer(self, side: Side, version: int) -> None:
        self.arbiter.offer(side, Event(version, version, version), self.now)
        for at in (self.now, self.now + self.arbiter.limits.hole_wait_s):
            while (event := self.arbiter.take(self.arbiter.epoch, at)) is not None:
                self.got.append(replace(event))
                self.arbiter.done(self.arbiter.epoch)

    def go_back(self) -> None:
        self.arbiter.fills = False
        self.arbiter.roll_back(LEGACY, self.now)
        self.got.clear()

    def legacys(self) -> list[int]:
        return [event.item for event in self.got if event.side is LEGACY]


@pytest.mark.parametrize("is_contiguous", [True, False])
def test_after_the_way_back_legacys_very_next_event_comes_and_the_audit_says_so(is_contiguous: bool) -> None:
    scene = Scene(is_contiguous=is_contiguous)
    scene.run(20, shift=MILLION)
    assert scene.got[-1].last > MILLION
    scene.go_back()
    first = scene.version + 1
    scene.run(150, shift=MILLION)
    assert scene.legacys() == list(range(first, scene.version + 1))
    assert scene.arbiter.counts.resets == 1
    audit = scene.arbiter.audit()
    assert (audit.is_complete, audit.is_clean, audit.reordered) == (True, False, 1)


def test_one_wrong_version_of_new_holds_nothing_up_while_it_serves() -> None:
    scene = Scene()
    scene.run(10)
    scene.run(1, shift=MILLION)
    scene.got.clear()
    first = scene.version + 1
    scene.run(20)
    assert [event.last for event in scene.got] == list(range(first + 1, scene.version + 1))


def test_versions_a_little_too_high_are_waited_for_no_longer_than_a_count_that_began_anew() -> None:
    scene = Scene()
    scene.run(20, shift=5_000)
    scene.go_back()
    first = scene.version + 1
    scene.run(150, shift=5_000)
    began = first + round(scene.arbiter.limits.reset_after_s / PERIOD_S)
    assert scene.legacys() == list(range(began, scene.version + 1))
    assert not scene.arbiter.audit().is_clean


@pytest.mark.no_cover
def test_a_legacy_that_lags_by_thousands_doubles_nothing() -> None:
    scene = Scene(lag=4)
    scene.run(50)
    # A burst that legacy has still to deliver.
    burst = range(scene.version + 1, scene.version + 20_001)
    for version in burst:
        scene._offer(NEW, version)
    before = scene.version - scene.lag
    scene.go_back()
    for version in range(before + 1, burst.stop + 1):
        scene.now += 1e-4
        scene._offer(LEGACY, version)
    assert scene.legacys() == [burst.stop]
    assert scene.arbiter.counts.resets == 0


@pytest.mark.no_cover
def test_a_legacy_that_was_away_comes_back_ahead_of_the_consumer() -> None:
    scene = Scene()
    scene.run(10)
    scene.arbiter.set_connected(LEGACY, False)
    for version in range(scene.version + 1, scene.version + 30_001):
        scene._offer(NEW, version)
    scene.version += 30_000
    scene.arbiter.set_connected(LEGACY, True)
    scene.go_back()
    first = scene.version + 1
    scene.run(150)
    assert scene.legacys() == list(range(first, scene.version + 1))
    assert scene.arbiter.counts.resets == 0
