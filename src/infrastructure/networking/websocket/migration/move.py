"""What every arbiter shares: who serves, the epoch, the delivery in flight, flip and rollback."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

from infrastructure.networking.websocket.migration.audit import AuditResult
from infrastructure.networking.websocket.migration.event import Event, Limits, Side

__all__ = ["Mover", "Moves"]


@dataclass(frozen=True, slots=True)
class Move:
    """A change of sides that waits for the consumer's callback."""

    to: Side
    is_rollback: bool
    deadline: float


@dataclass(slots=True)
class Moves:
    """How changes of sides ended; `suspended`: a rollback went on beside a callback that had not returned."""

    flips: int = 0
    rollbacks: int = 0
    cancelled: int = 0
    suspended: int = 0
    fenced: int = 0


class Mover(ABC):
    """Hands out one event at a time under an epoch, and changes sides between two of them; `taken` counts them.

    What versions alone can tell has an answer for streams without them too: `fills` changes nothing, and `delivered`,
    the last version that the consumer has, stays None.
    """

    def __init__(self, serving: Side, limits: Limits) -> None:
        self.serving = serving
        self.limits = limits
        self.epoch = 1
        self.is_in_flight = False
        self.is_connected = dict.fromkeys(Side, False)
        self.fills = True
        self.delivered: int | None = None
        self.moves = Moves()
        self.taken = 0
        self.wait_until: float | None = None
        self._move: Move | None = None

    def set_connected(self, side: Side, is_connected: bool) -> None:
        """A side's connection came or went."""
        self.is_connected[side] = is_connected

    @abstractmethod
    def offer(self, side: Side, event: Event, now: float) -> None:
        """A side delivered an event, in its own order."""

    @property
    @abstractmethod
    def backlog(self) -> int:
        """How many events of the serving side wait for the consumer."""

    @property
    @abstractmethod
    def is_starved(self) -> bool:
        """Whether the consumer lacks something that the other side has, and the serving one has nothing to give."""

    @property
    @abstractmethod
    def is_settled(self) -> bool:
        """Whether the serving side's next event would go out at once and alone."""

    @abstractmethod
    def _choose(self, now: float) -> Event | None:
        """The next event for the consumer, taken out; None while there is none."""

    @abstractmethod
    def _unready(self, to: Side) -> str | None:
        """Why a side cannot take over without loss; None when it can."""

    @abstractmethod
    def _on_cut(self) -> None:
        """The sides have changed places."""

    def take(self, epoch: int, now: float) -> Event | None:
        """The next event for the consumer, or None: nothing to give, one in flight, or the epoch is an old one.

        What was taken is delivered; `done` with the same epoch must follow when the consumer's callback returned.
        """
        if epoch != self.epoch:
            self.moves.fenced += 1
            return None
        if self.is_in_flight:
            return None
        event = self._choose(now)
        if event is not None:
            self.is_in_flight = True
            self.taken += 1
        return event

    def done(self, epoch: int) -> None:
        """The consumer's callback returned; a change of sides that waited for it happens now."""
        if epoch != self.epoch:
            self.moves.fenced += 1
            return
        self.is_in_flight = False
        if self._move is not None:
            self._cut(self._move)

    def unready(self, to: Side) -> str | None:
        """The preflight in one line: why a flip to this side is refused now; None when nothing stands against it."""
        if self._move is not None:
            return f"a {'rollback' if self._move.is_rollback else 'flip'} to {self._move.to.value} is under way"
        if not self.is_connected[to]:
            return f"{to.value} is not connected"
        return self._unready(to)

    def flip(self, to: Side, now: float) -> str | None:
        """Let this side serve; the reason in one line when it is refused."""
        if to is self.serving and self._move is None:
            return None
        refusal = self.unready(to)
        if refusal is None:
            self._begin(Move(to, False, now + self.limits.in_flight_s))
        return refusal

    def roll_back(self, to: Side, now: float) -> None:
        """Let this side serve whatever the other is doing; a flip that waits is cancelled."""
        if self._move is not None:
            if self._move.to is to and self._move.is_rollback:
                return
            self.moves.cancelled += 1
            self._move = None
        if to is not self.serving:
            self._begin(Move(to, True, now + self.limits.in_flight_s))

    def tick(self, now: float) -> None:
        """Let time pass: past its deadline a flip is cancelled, and a rollback goes on beside the callback."""
        move = self._move
        if move is None or now < move.deadline:
            return
        if move.is_rollback:
            self.moves.suspended += 1
            self._cut(move)
        else:
            self.moves.cancelled += 1
            self._move = None

    @property
    def gaps(self) -> int:
        """How many holes were given up, because neither side had what was missing in time."""
        return 0

    def audit(self) -> AuditResult | None:
        """The audit of the last flip; None where there are no versions to look at."""
        return None

    @property
    def deadline(self) -> float | None:
        """When `tick` has something to do."""
        return None if self._move is None else self._move.deadline

    def _begin(self, move: Move) -> None:
        if self.is_in_flight:
            self._move = move
        else:
            self._cut(move)

    def _cut(self, move: Move) -> None:
        self._move = None
        self.epoch += 1
        self.serving = move.to
        self.is_in_flight = False
        if move.is_rollback:
            self.moves.rollbacks += 1
        else:
            self.moves.flips += 1
        self._on_cut()
