"""The arbiter against an obvious oracle: two sides deliver parts of one numbered sequence in any interleaving."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from infrastructure.networking.websocket.migration.arbiter import Arbiter
from infrastructure.networking.websocket.migration.event import Event, Limits, Side

LIMITS = Limits(hole_wait_s=2.0, in_flight_s=3.0, reset_after_s=1e9)
SIDES = st.sampled_from(list(Side))


class ArbiterModel(RuleBasedStateMachine):
    """Every step of two feeds, a consumer, an operator and the clock; the oracle is three sets and a list."""

    make: Callable[..., Arbiter] = Arbiter

    @initialize(serving=SIDES)
    def begin(self, serving: Side) -> None:
        self.arbiter = type(self).make(serving, is_contiguous=True, limits=LIMITS)
        self.now = 0.0
        self.next = dict.fromkeys(Side, 1)
        self.previous: dict[Side, Event | None] = dict.fromkeys(Side)
        self.offered: set[int] = set()
        self.got: list[Event] = []
        self.running: list[int] = []
        self.serving = serving
        self.reached: int | None = None
        for side in Side:
            self.arbiter.set_connected(side, True)

    @rule(side=SIDES, count=st.integers(1, 4))
    def deliver(self, side: Side, count: int) -> None:
        first = self.next[side]
        self.next[side] = first + count
        self.offer(side, Event(first, first + count - 1, None))

    @rule(side=SIDES)
    def repeat(self, side: Side) -> None:
        previous = self.previous[side]
        if previous is not None:
            self.offer(side, Event(previous.first, previous.last, None))

    @rule(side=SIDES, count=st.integers(0, 6))
    def lose(self, side: Side, count: int) -> None:
        self.arbiter.set_connected(side, False)
        self.next[side] += count
        self.arbiter.set_connected(side, True)

    def offer(self, side: Side, event: Event) -> None:
        self.previous[side] = event
        self.offered.update(range(event.first, event.last + 1))
        self.arbiter.offer(side, event, self.now)

    @rule()
    def take(self) -> None:
        epoch, was_busy = self.arbiter.epoch, self.arbiter.epoch in self.running
        event = self.arbiter.take(epoch, self.now)
        assert not (was_busy and event is not None), "two callbacks in one epoch"
        if event is None:
            return
        self.running.append(epoch)
        if self.reached is not None:
            assert event.last > self.reached, "reordered or doubled"
            skipped = set(range(self.reached + 1, event.first))
            assert not skipped & self.offered, f"lost {skipped & self.offered}"
        self.reached = event.last
        self.got.append(event)

    @precondition(lambda self: self.running)
    @rule(data=st.data())
    def callback_returns(self, data: st.DataObject) -> None:
        epoch = data.draw(st.sampled_from(self.running))
        self.running.remove(epoch)
        before = self.arbiter.epoch
        self.arbiter.done(epoch)
        assert epoch == before or self.arbiter.epoch == before, "a callback of an old epoch moved the sides"
        if self.arbiter.epoch != before:
            self.serving = self.arbiter.serving

    @rule(back=st.integers(1, 3))
    def take_with_an_old_epoch(self, back: int) -> None:
        assert self.arbiter.take(self.arbiter.epoch - back, self.now) is None, "fencing"

    @rule()
    def flip(self) -> None:
        to, epoch, reached = self.arbiter.serving.other, self.arbiter.epoch, self.reached
        highest = max((one.last for one in [self.previous[to]] if one), default=None)
        if self.arbiter.flip(to, self.now) is None:
            assert reached is None or (highest is not None), "an empty side took over"
        self.note_move(epoch, to)

    @rule(to=SIDES)
    def roll_back(self, to: Side) -> None:
        epoch, was_busy = self.arbiter.epoch, self.arbiter.epoch in self.running
        self.arbiter.roll_back(to, self.now)
        assert was_busy or self.arbiter.serving is to, "a rollback waited for nothing"
        self.note_move(epoch, to)

    def note_move(self, epoch: int, to: Side) -> None:
        if self.arbiter.epoch != epoch:
            assert self.arbiter.epoch == epoch + 1
            assert epoch not in self.running, "cut while a callback was running"
            self.serving = to

    @rule(seconds=st.sampled_from([1.0, 4.0]))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds
        deadline = self.arbiter.deadline
        self.arbiter.tick(self.now)
        if deadline is not None and self.now >= deadline:
            assert self.arbiter.deadline is None, "a move outlived its deadline"
        self.serving = self.arbiter.serving

    @invariant()
    def one_side_serves(self) -> None:
        if hasattr(self, "arbiter"):
            assert self.arbiter.serving is self.serving
            assert self.arbiter.delivered == self.reached or self.reached is None


BUDGET = settings(
    max_examples=100,
    stateful_step_count=40,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.generate],
)


@pytest.mark.no_cover
@pytest.mark.checklist("S.19")
def test_the_arbiter_keeps_the_oracles_laws() -> None:
    run_state_machine_as_test(ArbiterModel, settings=BUDGET)


class CutOneEarly(Arbiter):
    """The incoming side begins with the last version delivered."""

    def _on_cut(self) -> None:
        super()._on_cut()
        if self.delivered is not None:
            self.delivered -= 1


class CutOneLate(Arbiter):
    """The incoming side begins one version too late."""

    def _on_cut(self) -> None:
        super()._on_cut()
        if self.delivered is not None:
            self.delivered += 1


class Unfenced(Arbiter):
    """Whoever holds an old epoch may go on."""

    def take(self, epoch: int, now: float) -> Event | None:
        return super().take(self.epoch, now)

    def done(self, epoch: int) -> None:
        super().done(self.epoch)


class NeverGivesUp(Arbiter):
    """A flip outlives its deadline."""

    def tick(self, now: float) -> None:
        return


@pytest.mark.no_cover
@pytest.mark.parametrize("mutant", [CutOneEarly, CutOneLate, Unfenced, NeverGivesUp])
def test_the_model_catches_a_broken_arbiter(mutant: Callable[..., Arbiter]) -> None:
    class Broken(ArbiterModel):
        make = mutant

    with pytest.raises(AssertionError):
        run_state_machine_as_test(Broken, settings=settings(BUDGET, max_examples=500))
