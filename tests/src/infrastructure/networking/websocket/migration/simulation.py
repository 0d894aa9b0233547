"""Flips between two simulated stacks of one exchange, disturbed as real ones are; the oracle judges the outcome."""

from __future__ import annotations

import random
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from infrastructure.networking.websocket.migration.arbiter import Arbiter
from infrastructure.networking.websocket.migration.event import Event, Limits, Side

from .oracle import LawBroken, judge

STEP_S = 0.001
LIMITS = Limits(hole_wait_s=0.05, in_flight_s=0.03)
# Grouping and lateness of a living side together stay below the time that a hole waits.
MAX_LATE_STEPS = 30
MAX_GROUP_STEPS = 12
FLIPS_PER_WORLD = 50

MakeArbiter = Callable[..., Arbiter]


class Store:
    """The flag's store: a write or a read may fail, and then the stage is the last good one."""

    def __init__(self, rng: random.Random, serving: Side) -> None:
        self._rng = rng
        self.serving = serving
        self.failures = 0

    def write(self, serving: Side) -> bool:
        """Whether the stage was stored."""
        if self._rng.random() < 0.05:
            self.failures += 1
            return False
        self.serving = serving
        return True


@dataclass
class Feed:
    """One stack: groups versions in its own way, is late, loses its connection, repeats itself, dies."""

    side: Side
    rng: random.Random
    is_sparse: bool
    late_steps: int = 0
    is_up: bool = True
    is_dead: bool = False
    back_at: int = 0
    group: list[int] = field(default_factory=list)
    group_until: int = 0
    on_the_way: deque[tuple[int, Event]] = field(default_factory=deque)
    last_sent: Event | None = None

    def hear(self, step: int, versions: list[int]) -> None:
        """New versions of the exchange; those during a lost connection are lost."""
        if not self.is_up or self.is_dead:
            return
        if versions and not self.group:
            self.group_until = step + self.rng.randrange(MAX_GROUP_STEPS)
        self.group += versions
        if self.group and (step >= self.group_until or self.rng.random() < 0.3):
            self._send(step)

    def _send(self, step: int) -> None:
        parts = tuple(self.group) if self.is_sparse else ()
        event = Event(self.group[0], self.group[-1], tuple(self.group), parts=parts, pick=pick_versions)
        self.group = []
        self.on_the_way.append((step + self.late_steps, event))
        if self.rng.random() < 0.02:
            self.on_the_way.append(
                (step + self.late_steps, Event(event.first, event.last, event.item, parts=parts, pick=pick_versions))
            )

    def arrived(self, step: int) -> list[Event]:
        """What this stack delivers now."""
        events = []
        while self.on_the_way and self.on_the_way[0][0] <= step:
            events.append(self.on_the_way.popleft()[1])
        return events

    def lose_connection(self, step: int) -> None:
        """What is on the way and what is not grouped yet is lost as well."""
        self.is_up = False
        self.back_at = step + self.rng.randrange(1, 150)
        self.group = []
        self.on_the_way.clear()


def pick_versions(item: tuple[int, ...], indexes: Any) -> tuple[int, ...]:
    return tuple(item[index] for index in indexes)


@dataclass
class Callback:
    """A consumer's callback that has not returned."""

    epoch: int
    returns_at: int


class World:
    """One consumer process after the other over two feeds and one exchange."""

    def __init__(self, seed: int, make: MakeArbiter, is_sparse: bool) -> None:
        self.rng = random.Random(seed)
        self.make = make
        self.is_sparse = is_sparse
        self.step = 0
        self.version = 1000
        self.quiet_until = 0
        self.burst_until = 0
        self.store = Store(self.rng, Side.LEGACY)
        self.feeds = {side: Feed(side, self.rng, is_sparse) for side in Side}
        self.flips = self.kills = self.straddles = self.gaps = self.suspended = self.cancelled = self.replayed = (
            self.events
        ) = 0
        self.start_process()

    def start_process(self) -> None:
        """A new consumer: nothing is left of the old one but what the store says."""
        self.arbiter = self.make(self.store.serving, is_contiguous=not self.is_sparse, limits=LIMITS)
        self.offered: set[int] = set()
        self.got: list[Event] = []
        self.callbacks: list[Callback] = []
        for feed in self.feeds.values():
            feed.on_the_way.clear()
            feed.group = []
            self.arbiter.set_connected(feed.side, feed.is_up)

    @property
    def now(self) -> float:
        return self.step * STEP_S

    def run(self, steps: int) -> None:
        for _ in range(steps):
            self.advance()

    def advance(self) -> None:
        self.step += 1
        self.disturb()
        versions = self.market()
        feeds = list(self.feeds.values())
        self.rng.shuffle(feeds)
        for feed in feeds:
            feed.hear(self.step, versions)
            for event in feed.arrived(self.step):
                self.offered.update(event.item)
                self.arbiter.offer(feed.side, event, self.now)
                self.pump()
        self.arbiter.tick(self.now)
        self.pump()

    def market(self) -> list[int]:
        draw = self.rng.random()
        if self.step < self.quiet_until:
            return []
        if draw < 0.003:
            self.quiet_until = self.step + self.rng.randrange(200)
        elif draw < 0.006:
            self.burst_until = self.step + self.rng.randrange(20)
        count = self.rng.randrange(5, 20) if self.step < self.burst_until else self.rng.randrange(3)
        versions = []
        for _ in range(count):
            self.version += self.rng.randrange(1, 4) if self.is_sparse else 1
            versions.append(self.version)
        return versions

    def disturb(self) -> None:
        for feed in self.feeds.values():
            if not feed.is_up:
                if self.step >= feed.back_at and not feed.is_dead:
                    feed.is_up = True
                    self.arbiter.set_connected(feed.side, True)
            elif self.rng.random() < 0.002:
                feed.lose_connection(self.step)
                self.arbiter.set_connected(feed.side, False)
            if self.rng.random() < 0.003:
                feed.late_steps = self.rng.randrange(MAX_LATE_STEPS)
                feed.on_the_way = deque((max(at, self.step), event) for at, event in feed.on_the_way)

    def pump(self) -> None:
        """Callbacks return, and take what comes next; a free consumer is handed the next event."""
        for callback in [one for one in self.callbacks if one.returns_at <= self.step]:
            self.callbacks.remove(callback)
            self.arbiter.done(callback.epoch)
            self.hand_out(callback.epoch)
        self.hand_out(self.arbiter.epoch)

    def hand_out(self, epoch: int) -> None:
        while (event := self.arbiter.take(epoch, self.now)) is not None:
            if any(one.epoch == self.arbiter.epoch for one in self.callbacks):
                raise LawBroken("two callbacks at once in one epoch")
            self.got.append(event)
            if self.rng.random() < 0.03:
                self.callbacks.append(Callback(epoch, self.step + self.rng.randrange(1, 60)))
                return
            self.arbiter.done(epoch)

    def flip(self) -> None:
        """A move by the store, or one that the store loses; sometimes the process is killed before or after it."""
        self.flips += 1
        to = self.arbiter.serving.other
        if self.rng.random() < 0.05:
            self.kill()
        if not self.store.write(to):
            return
        if self.rng.random() < 0.05:
            self.kill()
        if self.rng.random() < 0.3 or to is Side.LEGACY:
            self.arbiter.roll_back(to, self.now)
        elif self.arbiter.flip(to, self.now) is not None:
            self.store.serving = self.arbiter.serving
        if self.rng.random() < 0.1:
            self.arbiter.roll_back(Side.LEGACY, self.now)
            self.store.serving = Side.LEGACY

    def kill(self) -> None:
        self.kills += 1
        self.finish_process()
        self.start_process()
        if self.arbiter.serving is not self.store.serving:
            raise LawBroken("a restarted process serves what the store does not say")

    def die_and_come_back(self) -> None:
        """The serving side says nothing for 3 s, connected as it seems; then legacy or new takes over."""
        feed = self.feeds[self.arbiter.serving]
        feed.is_dead = True
        feed.group = []
        feed.on_the_way.clear()
        self.run(3000)
        self.arbiter.roll_back(feed.side.other, self.now)
        self.run(100)
        feed.is_dead = False
        self.arbiter.set_connected(feed.side, False)
        self.arbiter.set_connected(feed.side, True)

    def finish_process(self) -> None:
        counts, moves = self.arbiter.counts, self.arbiter.moves
        self.straddles += counts.straddles
        self.gaps += counts.gaps
        self.replayed += counts.replayed
        self.events += len(self.got)
        self.suspended += moves.suspended
        self.cancelled += moves.cancelled
        judge(self.got, self.offered, counts.straddles)
        audit = self.arbiter.audit()
        if audit.lost or audit.duplicated or audit.reordered:
            raise LawBroken(f"the arbiter's own audit: {audit}")


def play(flips: int, seed: int, *, make: MakeArbiter = Arbiter) -> Counter[str]:
    """Play worlds until so many flips were tried; what happened in them."""
    totals: Counter[str] = Counter()
    while totals["flips"] < flips:
        world = World(seed, make, is_sparse=bool(seed % 2))
        seed += 1
        world.run(100)
        for at in range(min(FLIPS_PER_WORLD, flips - totals["flips"])):
            world.flip()
            world.run(world.rng.randrange(2, 150))
            if at == FLIPS_PER_WORLD // 2 and world.rng.random() < 0.5:
                world.die_and_come_back()
                totals["deaths"] += 1
        world.run(200)
        world.finish_process()
        for name in ("flips", "kills", "straddles", "gaps", "suspended", "cancelled", "replayed", "events"):
            totals[name] += getattr(world, name)
        totals["store failures"] += world.store.failures
    return totals
