"""What one side delivered and the consumer does not have: the arbiter's own ring, in order of versions."""

from __future__ import annotations

from collections import deque

from infrastructure.networking.websocket.migration.event import Event

__all__ = ["Ring"]


class Ring:
    """One side's events above the last version handed out, oldest first, with their size."""

    __slots__ = ("_events", "size")

    def __init__(self) -> None:
        self._events: deque[Event] = deque()
        self.size = 0

    def __len__(self) -> int:
        return len(self._events)

    @property
    def head(self) -> Event | None:
        """The oldest event."""
        return self._events[0] if self._events else None

    def append(self, event: Event) -> None:
        """The newest event."""
        self._events.append(event)
        self.size += event.size

    def pop(self) -> Event:
        """Take the oldest event out."""
        event = self._events.popleft()
        self.size -= event.size
        return event

    def prune(self, version: int) -> None:
        """Forget what ends at or below this version; a rebuilt book at it is still worth something."""
        events = self._events
        while events and (events[0].last < version or (events[0].last == version and not events[0].is_snapshot)):
            self.pop()

    def ends(self) -> set[int]:
        """Where events end."""
        return {event.last for event in self._events}

    def clear(self) -> None:
        """Forget everything."""
        self._events.clear()
        self.size = 0
