"""Flips between two simulated stacks lose, double and reorder nothing, and a broken arbiter is caught."""

from __future__ import annotations

import random
from collections import Counter, deque
from typing import Any

import pytest

from infrastructure.networking.websocket.migration.arbiter import Arbiter
from infrastructure.networking.websocket.migration.event import Event, Side
from infrastructure.networking.websocket.migration.matching import MatchingArbiter

from .oracle import LawBroken
from .simulation import LIMITS, MAX_LATE_STEPS, STEP_S, MakeArbiter, play


def assert_everything_happened(totals: Counter[str]) -> None:
    """A simulation without these would prove nothing about them."""
    names = ("kills", "deaths", "straddles", "suspended", "cancelled", "replayed", "store failures", "events")
    assert [name for name in names if not totals[name]] == []


@pytest.mark.no_cover
@pytest.mark.checklist("S.19")
def test_a_thousand_flips_lose_double_and_reorder_nothing() -> None:
    totals = play(1000, seed=1)
    print(dict(totals))  # noqa: T201 - the figures of the simulation
    assert_everything_happened(totals)


@pytest.mark.long
def test_ten_thousand_flips_lose_double_and_reorder_nothing() -> None:
    totals = play(10_000, seed=100_000)
    print(dict(totals))  # noqa: T201 - the figures of the simulation
    assert_everything_happened(totals)


class CutOneLate(Arbiter):
    """The incoming side begins one version too late."""

    def _on_cut(self) -> None:
        if self.delivered is not None:
            self.delivered += 1
        super()._on_cut()


class CutOneEarly(Arbiter):
    """The incoming side begins with the last version delivered."""

    def _on_cut(self) -> None:
        if self.delivered is not None:
            self.delivered -= 1
        super()._on_cut()


class Unfenced(Arbiter):
    """Whoever holds an old epoch may go on."""

    def take(self, epoch: int, now: float) -> Event | None:
        return super().take(self.epoch, now)

    def done(self, epoch: int) -> None:
        super().done(self.epoch)


class CutsInFlight(Arbiter):
    """A flip does not wait for the consumer's callback, nor does it fence it."""

    def _begin(self, move: Any) -> None:
        self._cut(move)
        self.epoch -= 1


class NeverFills(Arbiter):
    """Holes are passed on."""

    def _choose(self, now: float) -> Event | None:
        self.fills = False
        return super()._choose(now)


class NeverWaits(Arbiter):
    """A hole is given up at once."""

    def _may_wait(self, now: float) -> bool:
        return False


class ForgetsTheRing(Arbiter):
    """The standby's events are thrown away at the cut."""

    def _on_cut(self) -> None:
        self._rings[self.serving].clear()
        super()._on_cut()


@pytest.mark.parametrize(
    "mutant", [CutOneLate, CutOneEarly, Unfenced, CutsInFlight, NeverFills, NeverWaits, ForgetsTheRing]
)
def test_the_simulation_catches_a_broken_arbiter(mutant: MakeArbiter) -> None:
    with pytest.raises(LawBroken):
        play(1000, seed=1, make=mutant)


def test_the_risk_without_versions_is_measured() -> None:
    """Equal tickers, lost ones and late ones: what a flip loses or doubles, in parts of all items."""
    rng = random.Random(7)
    arbiter = MatchingArbiter(Side.LEGACY, limits=LIMITS)
    for side in Side:
        arbiter.set_connected(side, True)
    waiting: dict[Side, deque[tuple[int, str]]] = {side: deque() for side in Side}
    sent: Counter[str] = Counter()
    got: Counter[str] = Counter()
    flips = 0
    for step in range(60_000):
        if rng.random() < 0.1:
            # One content in about eight repeats one of the last ones.
            content = f"{step // 40 if rng.random() < 0.12 else step}"
            sent[content] += 1
            for side in Side:
                if rng.random() > 0.001:
                    waiting[side].append((step + rng.randrange(MAX_LATE_STEPS), content))
        for side in Side:
            while waiting[side] and waiting[side][0][0] <= step:
                content = waiting[side].popleft()[1]
                arbiter.offer(side, Event(0, 0, content, parts=(content,)), step * STEP_S)
                while (event := arbiter.take(arbiter.epoch, step * STEP_S)) is not None:
                    got[event.item] += 1
                    arbiter.done(arbiter.epoch)
        if step % 60 == 59:
            flips += arbiter.flip(arbiter.serving.other, step * STEP_S) is None
    lost, doubled = (sent - got).total(), (got - sent).total()
    print({"items": sent.total(), "flips": flips, "lost": lost, "doubled": doubled, "counted": arbiter.counts})  # noqa: T201
    assert flips == 1000
    assert lost + doubled <= 0.004 * sent.total()
