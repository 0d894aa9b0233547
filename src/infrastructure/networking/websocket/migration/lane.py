"""One stream of a dual-run manager: its arbiter, the consumer behind it, and the timers that the arbiter asks for."""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from infrastructure.networking.websocket.migration.audit import SPAN, AuditResult
from infrastructure.networking.websocket.migration.event import Event, Side
from infrastructure.networking.websocket.migration.leg import OnMessage
from infrastructure.networking.websocket.migration.move import Mover
from infrastructure.networking.websocket.migration.unit import Unit

__all__ = ["FlipRecord", "Lane", "by_unit"]

RETRY_S = 0.02
ROOM = 64
"""So many events of the serving side may wait while the consumer is in the hands of another task."""
KEPT_RECORDS = 1000
STRAIGHT_AFTER_S = 5.0
"""How long behind a change of sides late copies of legacy are still looked for one by one."""
RETURN_AFTER_S = 1.0
"""How long legacy, started to be gone back to, is given to show where it stands; in a quiet market it never does."""


@dataclass(slots=True)
class FlipRecord:
    """A change of sides; times on the monotonic clock in seconds, `first_at` of the incoming side's first event."""

    unit: Unit
    to: Side
    is_rollback: bool
    decided_at: float
    cut: int | None = None
    first_at: float | None = None
    audit: AuditResult | None = None


class Lane:
    """Hands a stream's events to the consumer, one at a time and in order, whichever side brought them."""

    def __init__(self, unit: Unit, arbiter: Mover, consume: OnMessage, logger: logging.Logger) -> None:
        self.unit = unit
        self.arbiter = arbiter
        self.wanted = arbiter.serving
        self.records: deque[FlipRecord] = deque(maxlen=KEPT_RECORDS)
        self.latch: str | None = None
        self._consume = consume
        self._logger = logger
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = 0.0
        self._tasks: set[asyncio.Task[None]] = set()
        self._waiters = 0
        self._returned = asyncio.Event()
        self._open_record: FlipRecord | None = None
        self._seal_at: int | None = None
        self._cut_at = -math.inf
        self._return_at = math.inf

    async def take_in(self, side: Side, event: Event) -> None:
        """A side delivered an event; returns when nothing more can be handed on now.

        The serving side is held back by a consumer that is slow, also where the other side's task waits for that.
        """
        self.arbiter.offer(side, event, time.monotonic())
        if side is self.wanted and self._needs_flip:
            self._try_move()
        await self.pump()
        if self.arbiter.is_in_flight and self._is_crowded(side):
            await self._wait_for_room(side)
            await self.pump()

    def _is_crowded(self, side: Side) -> bool:
        return side is self.arbiter.serving and self.arbiter.backlog > ROOM

    async def _wait_for_room(self, side: Side) -> None:
        self._waiters += 1
        try:
            while self.arbiter.is_in_flight and self._is_crowded(side):
                await self._returned.wait()
        except asyncio.CancelledError:
            # Whoever had the consumer may have left it to this task.
            self._kick()
            raise
        finally:
            self._waiters -= 1

    def _let_go(self) -> None:
        """Wake whoever waits for room."""
        self._returned.set()
        self._returned.clear()

    def note_passed(self, side: Side, event: Event) -> None:
        """A side's event has reached the consumer on another way; nothing else may be waiting."""
        arbiter, now = self.arbiter, time.monotonic()
        arbiter.offer(side, event, now)
        while (passed := arbiter.take(arbiter.epoch, now)) is not None:
            arbiter.done(arbiter.epoch)
            if self._open_record is not None and passed.side is self._open_record.to:
                self._note_first(self._open_record)
        self._seal_in_time()

    async def pump(self) -> None:
        """Hand on what there is, or until a task of the serving side waits to do so itself.

        The consumer's first error is raised behind the last event, as a stack expects it.
        """
        arbiter, failure = self.arbiter, None
        while True:
            epoch = arbiter.epoch
            event = arbiter.take(epoch, time.monotonic())
            if event is None:
                break
            if self._open_record is not None and event.side is self._open_record.to:
                self._note_first(self._open_record)
            try:
                await self._consume(event.item)
            except Exception as error:  # noqa: BLE001 - raised below; events behind it still have to be handed on
                failure = failure or error
            finally:
                arbiter.done(epoch)
            if arbiter.epoch != epoch:
                # Whose task this is may have ended: what the other side has goes on in a task of the lane's own.
                self._note_cut()
                self._kick()
                break
            if self._waiters:
                self._let_go()
                break
        self._seal_in_time()
        self._set_timer()
        if failure is not None:
            raise failure

    def move(self, to: Side, *, is_rollback: bool) -> None:
        """Let a side serve: a rollback at once, a flip as soon as nothing stands against it."""
        if to is self.wanted and (to is not self.arbiter.serving) and not is_rollback:
            return
        self.wanted = to
        self._return_at = math.inf
        if to is self.arbiter.serving and not self.arbiter.deadline:
            return
        self.seal()
        self._open_record = FlipRecord(self.unit, to, is_rollback, time.monotonic())
        self._try_move()

    def retreat(self, reason: str) -> None:
        """Go back to legacy without being told; it stays there, latched, until its stage names legacy itself."""
        self.latch = reason
        self._logger.warning("%s: back to legacy: %s", self.unit, reason)
        self.move(Side.LEGACY, is_rollback=True)

    def set_connected(self, side: Side, is_connected: bool) -> None:
        """A side's connection came or went."""
        self.arbiter.set_connected(side, is_connected)
        if side is Side.LEGACY:
            self._return_at = time.monotonic() + RETURN_AFTER_S if is_connected else math.inf
        if self._needs_flip:
            self._try_move()

    async def close(self) -> None:
        """End timers and tasks."""
        if self._timer is not None:
            self._timer.cancel()
        for task in list(self._tasks):
            if task is not asyncio.current_task():
                task.cancel()
                await asyncio.wait({task})

    @property
    def is_legacys_alone(self) -> bool:
        """Whether the consumer gets what legacy delivers, as it comes, and no change is under way."""
        if self.wanted is not Side.LEGACY or self.arbiter.serving is not Side.LEGACY:
            return False
        return time.monotonic() - self._cut_at >= STRAIGHT_AFTER_S and self.arbiter.is_settled

    @property
    def _needs_flip(self) -> bool:
        return self.wanted is not self.arbiter.serving and self.arbiter.deadline is None

    def _try_move(self) -> None:
        record = self._open_record
        epoch, now = self.arbiter.epoch, time.monotonic()
        if record is not None and self.wanted is Side.LEGACY and now >= self._return_at:
            record.is_rollback = True
        if record is not None and record.is_rollback:
            self.arbiter.roll_back(self.wanted, now)
        else:
            self.arbiter.flip(self.wanted, now)
        if self.arbiter.epoch != epoch:
            self._note_cut()
            self._kick()
        self._set_timer()

    def _note_cut(self) -> None:
        record = self._open_record
        self._cut_at = time.monotonic()
        self._let_go()
        if record is None or record in self.records:
            return
        record.cut = self._seal_at = self.arbiter.delivered
        if self._seal_at is not None:
            self._seal_at += SPAN
        self.records.append(record)
        self._logger.info("%s: %s serves behind version %s", self.unit, record.to.value, record.cut)

    def _note_first(self, record: FlipRecord) -> None:
        if self.arbiter.serving is record.to and record.first_at is None:
            record.first_at = time.monotonic()

    def _seal_in_time(self) -> None:
        """Work the audit out when it is complete: at the next change all streams would do so at once."""
        if self._seal_at is not None:
            delivered = self.arbiter.delivered
            if delivered is not None and delivered >= self._seal_at:
                self.seal()
                self._seal_at = None

    def seal(self) -> None:
        """Keep the audit of the last change with its record, before the next one begins."""
        if self.records and (known := self.records[-1].audit) is not None and known.is_complete:
            return
        if self.records and self.records[-1] is self._open_record:
            self.records[-1].audit = self.arbiter.audit()

    def _kick(self) -> None:
        task = asyncio.get_running_loop().create_task(self._pump_alone())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _pump_alone(self) -> None:
        try:
            await self.pump()
        except Exception as error:  # noqa: BLE001 - the consumer's error, with no stack behind this event to count it
            self._logger.error("Message processing failed: %s", error)

    def _set_timer(self) -> None:
        """Come back when the first wait is over; a refused flip is tried again."""
        arbiter = self.arbiter
        # While the consumer has not returned, whoever waits for that goes on by itself.
        waits = [arbiter.deadline, None if arbiter.is_in_flight else arbiter.wait_until]
        if waits == [None, None] and self.wanted is arbiter.serving:
            return
        if self._needs_flip:
            waits.append(time.monotonic() + RETRY_S)
        due = min((at for at in waits if at is not None), default=None)
        if due is None or (self._timer is not None and self._timer_at <= due):
            return
        if self._timer is not None:
            self._timer.cancel()
        self._timer_at = due
        delay_s = max(0.0, due - time.monotonic())
        self._timer = asyncio.get_running_loop().call_later(delay_s, self._on_timer)

    def _on_timer(self) -> None:
        self._timer = None
        epoch, wait_until, now = self.arbiter.epoch, self.arbiter.wait_until, time.monotonic()
        self.arbiter.tick(now)
        if self.arbiter.epoch != epoch:
            self._note_cut()
        if not self._needs_flip or (wait_until is not None and now >= wait_until):
            self._kick()
        if self._needs_flip:
            self._try_move()


def by_unit(lanes: Iterable[Lane], count: Callable[[Lane], int]) -> dict[str, int]:
    """A count of each unit over its lanes: an account has several streams."""
    found: Counter[str] = Counter()
    for lane in lanes:
        found[str(lane.unit)] += count(lane)
    return dict(found)
