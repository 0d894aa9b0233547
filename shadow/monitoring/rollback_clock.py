"""Time to rollback as seen from outside: from the trigger that was told to the last consumer that is back on legacy.

Both ends are times of heartbeats, or of the journal's line where no trigger was told before it; nothing is measured
for a rollback that had ended before the first look.
"""

from __future__ import annotations

from dataclasses import dataclass

from shadow.monitoring.look import Look
from shadow.rollout.consumers import ConsumerStatus
from shadow.rollout.journal import Entry
from shadow.rollout.units import Unit, parse_unit

__all__ = ["RollbackClock"]


@dataclass
class RollbackClock:
    """`seconds` of the last rollback, None while it is not known; `began_s` (Unix) while one is under way."""

    seconds: float | None = None
    began_s: float | None = None

    def __post_init__(self) -> None:
        self._number = -1
        self._told_s: dict[tuple[str, str], float] = {}

    def see(self, look: Look) -> None:
        """Take one look into account; looks come in the order of time."""
        entry = look.last_rollback
        self._note_alarms(look)
        number = entry.number if entry is not None else 0
        if number != self._number:
            is_first_look = self._number < 0
            self._number, self.seconds, self.began_s = number, None, None
            if entry is not None and not (is_first_look and _is_back(look, entry)):
                self.began_s = self._start_s(entry)
        if entry is not None and self.began_s is not None:
            self._finish(look, entry)

    def pending_s(self, now_s: float) -> float:
        """How long a rollback is under way; 0 where none is."""
        return 0.0 if self.began_s is None else max(0.0, now_s - self.began_s)

    def _note_alarms(self, look: Look) -> None:
        told: dict[tuple[str, str], float] = {}
        for alarm, at_s in look.alarms:
            key = (str(alarm.trigger), alarm.unit)
            told[key] = min(at_s, self._told_s.get(key, at_s), told.get(key, at_s))
        self._told_s = told

    def _start_s(self, entry: Entry) -> float:
        """The first heartbeat that told of the trigger which the line names, on one of its units."""
        trigger = str(entry.fields.get("why", "")).partition(":")[0]
        back = _units(entry)
        told_s = [
            at_s
            for (name, pattern), at_s in self._told_s.items()
            if name == trigger and any(parse_unit(pattern).common(unit) is not None for unit in back)
        ]
        return min([entry.at_s, *told_s])

    def _finish(self, look: Look, entry: Entry) -> None:
        if not look.consumers:
            self.began_s = None
        elif self.began_s is not None and _is_back(look, entry):
            self.seconds = max(0.0, max(one.at for one in look.consumers.values()) - self.began_s)
            self.began_s = None


def _units(entry: Entry) -> list[Unit]:
    return [parse_unit(name) for name in entry.fields["rolled_back"]]


def _is_back(look: Look, entry: Entry) -> bool:
    """Whether every consumer, one without heartbeat too, has said that legacy serves the units again."""
    back, generation = _units(entry), entry.fields["generation"]
    return all(one.generation >= generation and not _serves(one, back) for one in look.consumers.values())


def _serves(consumer: ConsumerStatus, patterns: list[Unit]) -> bool:
    """Whether new serves one of the units there."""
    new = [parse_unit(name) for name, unit in consumer.units.items() if unit.serving == "new"]
    return any(pattern.covers(unit) for pattern in patterns for unit in new)
