"""What an arbiter decides about: one message of one stack, with its place in its stream."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any

__all__ = ["Event", "Limits", "Side"]


class Side(Enum):
    """The two stacks."""

    LEGACY = "legacy"
    NEW = "new"

    # Members are single objects; the hash of Enum goes by the name, in Python, at each look into a dict.
    __hash__ = object.__hash__

    @property
    def other(self) -> Side:
        """The stack beside this one."""
        return Side.NEW if self is Side.LEGACY else Side.LEGACY


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of an arbiter; times in seconds, sizes in bytes.

    `hole_wait_s`: how long a proven hole or a straddling range may wait for the other side. `in_flight_s`: how long a
    flip or rollback waits for the consumer's own callback. `window_s`: how long a copy without a version is expected;
    `spare_s`: how long the standby's own events of such a stream are kept while the serving side is silent.
    """

    hole_wait_s: float = 0.05
    in_flight_s: float = 1.0
    ring_bytes: int = 8 << 20
    reset_after_s: float = 5.0
    window_s: float = 2.0
    spare_s: float = 30.0


@dataclass(slots=True)
class Event:
    """One message: versions `first` to `last` of its stream, or the keys of its items where there are no versions.

    `parts` holds one version per item for lists that may be cut (trades), or one key per item for streams
    without versions. `pick(item, indexes)` gives the same message with these items alone. `ranks` holds per item the
    thing it is a state of and how new that state is. `size` is what the ring is charged. The last two are the
    arbiter's own notes.
    """

    first: int
    last: int
    item: Any
    size: int = 64
    parts: tuple[Hashable, ...] = ()
    ranks: tuple[tuple[Hashable, Any], ...] = ()
    pick: Callable[[Any, Sequence[int]], Any] | None = None
    is_snapshot: bool = False
    is_behind_break: bool = False
    side: Side | None = None

    def keep(self, indexes: Sequence[int]) -> Event:
        """The same message with these items alone."""
        assert self.pick is not None
        parts = tuple(self.parts[index] for index in indexes)
        return replace(self, item=self.pick(self.item, indexes), parts=parts, ranks=())

    def versions_above(self, version: int) -> list[int]:
        """Indexes of the items above a version; only for lists whose parts are versions."""
        return [index for index, part in enumerate(self.parts) if isinstance(part, int) and part > version]
