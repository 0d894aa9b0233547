"""What consumers and judges say of themselves: one JSON file each, replaced at every heartbeat.

The controller talks to no process: it writes the flag file and reads these. Files lie in `consumers/` and `judges/` of
the rollout's folder; whoever writes one uses `write_status`, so that a reader never meets half a file.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, TypeVar
from urllib.parse import urlsplit

import msgspec

from shadow.errors import UsageError
from shadow.rollout.flag_file import replace_file
from shadow.rollout.units import parse_unit

__all__ = [
    "HEARTBEAT_S",
    "Alarm",
    "ConsumerStatus",
    "JudgeStatus",
    "Statuses",
    "TriggerId",
    "UnitStatus",
    "read_status",
    "read_statuses",
    "strangers",
    "write_status",
]

HEARTBEAT_S: Final = 5.0
"""A file whose `at` is older than this is that of a process which hangs or is gone."""

LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost"})
TriggerId = Literal["performance", "stability", "memory", "functionality"]


class Alarm(msgspec.Struct, frozen=True):
    """A rollback trigger that is open: which, on which units, on whose side; `says` is its evidence in a sentence.

    `legacy_too`: the other side shows the same, so that going back would not help.
    """

    trigger: TriggerId
    unit: str = "*"
    says: str = ""
    legacy_too: bool = False


class UnitStatus(msgspec.Struct, frozen=True):
    """One unit in a consumer: who serves it, and whether the other side could take over now."""

    serving: Literal["legacy", "new"]
    other_ready: bool = False


class ConsumerStatus(msgspec.Struct, frozen=True):
    """`consumers/<name>.json`. `at` is Unix seconds; `generation` the flag's that it has applied.

    `events` were handed to the application since its start, `gaps` are holes that neither side could fill; both of the
    connections that hold both stacks, null where none does.
    """

    name: str
    pid: int
    at: float
    generation: int
    units: dict[str, UnitStatus]
    urls: list[str] = []
    audit_clean: bool = True
    alarms: list[Alarm] = []
    schema: Literal[1] = 1
    events: int | None = None
    gaps: int | None = None


class JudgeStatus(msgspec.Struct, frozen=True):
    """`judges/<name>.json`: what a judge that watches consumers says now."""

    name: str
    at: float
    verdict: Literal["PASS", "REGRESSION", "HOLD"]
    onset: Literal["quiet", "alarm", "unknown"] = "unknown"
    alarms: list[Alarm] = []
    schema: Literal[1] = 1


Status = TypeVar("Status", ConsumerStatus, JudgeStatus)


def write_status(folder: Path, status: ConsumerStatus | JudgeStatus) -> None:
    """Replace the status file of a consumer or a judge in the rollout's folder."""
    kind = "consumers" if isinstance(status, ConsumerStatus) else "judges"
    replace_file(folder / kind / f"{status.name}.json", msgspec.json.format(msgspec.json.encode(status), indent=1))


@dataclass(frozen=True)
class Statuses:
    """Those whose heartbeat is fresh, and the names of the others and of files that are no status."""

    consumers: list[ConsumerStatus]
    judges: list[JudgeStatus]
    stale: list[str]


def is_fresh(at: float, now_s: float) -> bool:
    """Whether a heartbeat (Unix seconds) counts; one from the future is none."""
    return -1.0 <= now_s - at <= HEARTBEAT_S


def read_statuses(folder: Path, now_s: float) -> Statuses:
    """All status files of a rollout's folder; a beat from the future is none."""
    stale: list[str] = []
    consumers = list(_fresh(folder / "consumers", ConsumerStatus, now_s, stale))
    judges = list(_fresh(folder / "judges", JudgeStatus, now_s, stale))
    return Statuses(consumers, judges, stale)


def _fresh(folder: Path, kind: type[Status], now_s: float, stale: list[str]) -> Iterator[Status]:
    for path in sorted(folder.glob("*.json")):
        status = read_status(path, kind)
        if status is None or not is_fresh(status.at, now_s):
            stale.append(path.relative_to(folder.parent).as_posix())
        else:
            yield status


def read_status(path: Path, kind: type[Status]) -> Status | None:
    """One file, however old its heartbeat; None for one that is no status."""
    if not path.is_file():  # a pipe would keep the reader for ever
        return None
    try:
        status: Status = msgspec.json.decode(path.read_bytes(), type=kind)
        names = [alarm.unit for alarm in status.alarms]
        if isinstance(status, ConsumerStatus):
            names += status.units
        for name in names:
            parse_unit(name)
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError, UsageError):
        return None
    return status


def strangers(consumers: Sequence[ConsumerStatus]) -> list[str]:
    """Addresses of consumers that lead away from this machine."""
    urls = {url for consumer in consumers for url in consumer.urls}
    return sorted(url for url in urls if urlsplit(url).hostname not in LOOPBACK)
