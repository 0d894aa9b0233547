"""One look at the files of a rollout: flag, journal, lease, heartbeats, kill file. Nothing is changed, nobody asked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from infrastructure.networking.websocket.migration.kill_switch import is_killed
from infrastructure.networking.websocket.migration.stage import Stage
from shadow.errors import RunError, ShadowError
from shadow.rollout.consumers import Alarm, ConsumerStatus, JudgeStatus, is_fresh, read_status
from shadow.rollout.flag_file import Mark, evaluated, read_flag_file
from shadow.rollout.journal import Entry, read_journal
from shadow.rollout.lease import Lease, read_lease
from shadow.rollout.places import Places
from shadow.rollout.stages import position_of
from shadow.rollout.state import State, state_of
from shadow.rollout.units import parse_unit

__all__ = ["Look", "look"]

Status = TypeVar("Status", ConsumerStatus, JudgeStatus)


@dataclass(frozen=True)
class Look:
    """What the files said at `now_s` (Unix seconds). Statuses go by their file's name, however old their heartbeat.

    `stages` is what the flag gives each unit that a consumer holds; `unreadable` counts files that are no status.
    """

    now_s: float
    flag_is_good: bool = True
    journal_is_whole: bool = True
    is_killed: bool = False
    mark: Mark = field(default_factory=Mark)
    entries: tuple[Entry, ...] = ()
    state: State = field(default_factory=State)
    lease: Lease | None = None
    consumers: Mapping[str, ConsumerStatus] = field(default_factory=dict)
    judges: Mapping[str, JudgeStatus] = field(default_factory=dict)
    unreadable: Mapping[str, int] = field(default_factory=dict)
    stages: Mapping[str, Stage] = field(default_factory=dict)

    def is_fresh(self, status: ConsumerStatus | JudgeStatus) -> bool:
        """Whether its heartbeat is one that the controller counts."""
        return is_fresh(status.at, self.now_s)

    @property
    def alarms(self) -> list[tuple[Alarm, float]]:
        """Open triggers of those whose heartbeat is fresh, each with the heartbeat's time (Unix seconds)."""
        told: list[ConsumerStatus | JudgeStatus] = [*self.consumers.values(), *self.judges.values()]
        return [(alarm, one.at) for one in told if self.is_fresh(one) for alarm in one.alarms]

    @property
    def last_rollback(self) -> Entry | None:
        """The newest line that took units back to legacy."""
        lines = (entry for entry in reversed(self.entries) if entry.kind == "flag")
        return next((entry for entry in lines if entry.fields.get("rolled_back")), None)


def look(places: Places, now_s: float) -> Look:
    """Read everything once; what cannot be read is said by the fields, never raised."""
    flag_is_good, mark = _flag(places.flags)
    is_whole, entries = _journal(places.journal, mark if flag_is_good else None)
    unreadable = {"consumer": 0, "judge": 0}
    consumers = dict(_statuses(places.folder / "consumers", ConsumerStatus, "consumer", unreadable))
    judges = dict(_statuses(places.folder / "judges", JudgeStatus, "judge", unreadable))
    state = state_of(entries)
    return Look(
        now_s=now_s,
        flag_is_good=flag_is_good,
        journal_is_whole=is_whole,
        is_killed=is_killed(),
        mark=mark,
        entries=entries,
        state=state,
        lease=read_lease(places.lease),
        consumers=consumers,
        judges=judges,
        unreadable=unreadable,
        stages=_stages(places.flags, state, {name for one in consumers.values() for name in one.units}),
    )


def _flag(path: Path) -> tuple[bool, Mark]:
    try:
        return True, read_flag_file(path).mark
    except ShadowError:
        return False, Mark()


def _journal(path: Path, mark: Mark | None) -> tuple[bool, tuple[Entry, ...]]:
    """Whether it is as it was written, and its good lines."""
    try:
        reading = read_journal(path, mark)
    except RunError:
        return False, ()
    return reading.finding is None, reading.entries


def _statuses(folder: Path, kind: type[Status], name: str, unreadable: dict[str, int]) -> Iterator[tuple[str, Status]]:
    for path in sorted(folder.glob("*.json")):
        status = read_status(path, kind)
        if status is None:
            unreadable[name] += 1
        else:
            yield path.stem, status


def _stages(flags: Path, state: State, names: set[str]) -> dict[str, Stage]:
    """As flagd's core answers, which alone knows who is in a share; by the journal where the file has no answer."""
    units = [parse_unit(name) for name in sorted(names)]
    try:
        found = evaluated(flags, units)
    except ShadowError:
        found = [position_of(state.rules, unit).stage for unit in units]
    return {str(unit): stage for unit, stage in zip(units, found, strict=True)}
