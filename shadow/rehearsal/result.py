"""What came of a rehearsal: the checks that decide, and the record that the page is made of."""

from __future__ import annotations

from typing import Any, Final, Literal, TypeAlias

import msgspec

__all__ = ["Check", "Moment", "MomentKind", "Record", "StreamLine"]

PASSED: Final = 0
FAILED: Final = 10


class Check(msgspec.Struct, frozen=True):
    """One thing that has to hold; `says` has its figures."""

    name: str
    ok: bool
    says: str


MomentKind: TypeAlias = Literal["stage", "harm", "trigger", "back", "controller", "end"]


class Moment(msgspec.Struct, frozen=True):
    """Something that happened, in seconds from the first frame on."""

    at_s: float
    kind: MomentKind
    says: str


class StreamLine(msgspec.Struct, frozen=True):
    """A stream's totals over the whole rehearsal."""

    connection: str
    type: str
    symbol: str
    versioned: bool
    owed: int
    delivered: int
    lost: int
    doubled: int
    reordered: int
    altered: int
    invented: int


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """`rehearsal.json`. `served` has for each unit since when (seconds) which side serves; `gaps` how many holes the
    consumer was told of, which neither stack could fill."""

    schema: int = 1
    started_utc: str
    version: str
    plan: dict[str, Any]
    took_s: float
    fed_s: float
    moments: list[Moment]
    served: dict[str, list[tuple[float, str]]]
    streams: list[StreamLine]
    flips: list[dict[str, Any]]
    gaps: dict[str, int]
    journal: list[dict[str, Any]]
    detected_s: float | None
    back_s: float | None
    harmed_s: float | None
    checks: list[Check]

    @property
    def code(self) -> int:
        """0 when every check holds, else 10."""
        return PASSED if all(check.ok for check in self.checks) else FAILED
