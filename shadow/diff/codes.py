"""What a difference may be called, how bad it is, and the rows a diff hands on.

Every delivered and every expected event ends in exactly one of EVENT_CODES; INCIDENT_CODES are counted beside.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

__all__ = [
    "EVENT_CODES",
    "INCIDENT_CODES",
    "PRIVATE_TYPES",
    "TYPES",
    "AccountEnd",
    "Difference",
    "Dual",
    "Ends",
    "Finding",
    "FirstArrival",
    "LegDiff",
    "Matches",
    "Rate",
    "severity_of",
]

PRIVATE_TYPES: Final = ("order", "fill", "balance", "position")
TYPES: Final = ("book", "trade", "book_ticker", "ticker", *PRIVATE_TYPES)
LAST_VALUE: Final = frozenset({"book_ticker", "ticker"})
EVENT_CODES: Final = (
    "MATCH", "MISSING", "PHANTOM", "FIELD", "REORDER", "DUP", "CLOCK", "LATE", "CONFLATED", "IN_FLIGHT", "SHARED",
    "EDGE", "KNOWN", "UNJUDGED",
)  # fmt: skip
INCIDENT_CODES: Final = ("STATE", "GAP", "STALE", "LIFECYCLE", "CONTROL", "EXC")
_CRITICAL: Final = frozenset(
    {"MISSING", "PHANTOM", "FIELD", "STATE", "STALE", "LIFECYCLE", "EXC", "CLOCK", "UNJUDGED"}
)  # fmt: skip
_MINOR: Final = frozenset({"CONTROL"})
_MAJOR: Final = frozenset({"REORDER", "DUP", "GAP"})


def severity_of(code: str, event_type: str = "", field: str = "") -> str:
    """critical, major, minor or info, by the taxonomy of the diff's design.

    FIELD is minor where only the time source differs; DUP is info on last-value channels; GAP is major when a snapshot
    recovered it; CONTROL is critical when an order was sent, the exchange refused, or a stream was given up unasked.
    """
    if code == "FIELD" and field.endswith(":time source"):
        return "minor"
    if code == "DUP" and event_type in LAST_VALUE:
        return "info"
    if code == "GAP" and field != "recovered":
        return "critical"
    if code == "CONTROL" and field in ("order", "refused", "unsubscribed"):
        return "critical"
    if code in _CRITICAL:
        return "critical"
    if code in _MAJOR:
        return "major"
    return "minor" if code in _MINOR else "info"


class Finding(msgspec.Struct, gc=False):
    """One difference at one place on one side, before sides are merged; `ref` names the place for both sides alike."""

    code: str
    connection: str
    type: str
    symbol: str
    field: str
    ref: tuple[Any, ...]
    frame_no: int = -1
    expected: Any = None
    delivered: Any = None


class Difference(msgspec.Struct):
    """How often one difference occurred; `side` is a role or `both`, `known` the id of the list's entry."""

    code: str
    side: str
    severity: str
    connection: str
    type: str
    symbol: str
    field: str
    count: int
    known: str | None = None


class Matches(msgspec.Struct):
    """One row per frame sent to one side whose events all matched, in order of `t_sent`; times in ns.

    `connection`, `symbol` index the lists of the LegDiff, `type` indexes TYPES; `t_callback` is the last event's `t`.
    """

    frame_no: NDArray[np.int64]
    connection: NDArray[np.int16]
    type: NDArray[np.int8]
    symbol: NDArray[np.int16]
    t_sent: NDArray[np.int64]
    t_callback: NDArray[np.int64]
    first_written: NDArray[np.bool_]
    queued: NDArray[np.bool_]
    burst: NDArray[np.int32]

    def rows(self, kept: NDArray[np.bool_] | NDArray[np.intp]) -> Matches:
        """The rows that `kept` marks, or those at its places in its order."""
        return Matches(**{name: getattr(self, name)[kept] for name in self.__struct_fields__})


class FirstArrival(msgspec.Struct):
    """Who had an event first: `lead_ns` = t of the baseline minus t of the candidate, above 0 = candidate first."""

    connection: str
    n: int
    candidate_first: int
    baseline_first: int
    lead_ns: NDArray[np.int64]


class AccountEnd(msgspec.Struct):
    """One private connection at the end: states that differ from the venue's, as `type name`, and how many orders went
    on without the side, because their last update fell into a hole."""

    differing: list[str]
    orders_behind: int = 0


class Ends(msgspec.Struct):
    """One side at the end: whether its book is the reference's, by (connection, symbol), and its accounts."""

    books: dict[tuple[str, str], bool] = {}
    accounts: dict[str, AccountEnd] = {}


class Rate(msgspec.Struct):
    """One class on one connection: incidents and events of the candidate, the baseline and the second baseline.

    STATE is counted between pairs: the candidate against the baseline, and the second baseline against it.
    """

    code: str
    connection: str
    incidents: tuple[int, int, int] = (0, 0, 0)
    events: tuple[int, int, int] = (0, 0, 0)


class Dual(msgspec.Struct):
    """`compared` events by connection that some side delivered in time; `shared` holes that all sides had alike.

    `versions` at which two books could be compared; `roles` are candidate, baseline and second baseline.
    """

    roles: tuple[str, str, str]
    rates: list[Rate]
    compared: dict[str, int]
    shared: dict[str, int]
    versions: dict[str, int]


class LegDiff(msgspec.Struct):
    """The judged leg: matches for the statistics, differences, samples, and totals that add up (`conserved`).

    `totals[role]` holds `input` and `expected` (event counts), `codes` (a matched pair counts once), `pairs`,
    `delivered_codes` (adds up to input), `expected_codes` (adds up to expected), `rounded`, `seeded`.
    `dual` is what three sides with connections of their own say of each other.
    `ends[role]` tells which books and accounts are the venue's at the end.
    `frames_accounted` of `frames_sent` (sends of event frames to both sides) ended in a code other than UNJUDGED.
    """

    leg: str
    roles: tuple[str, str]
    matches: dict[str, Matches]
    connections: list[str]
    symbols: list[str]
    differences: list[Difference]
    samples: list[dict[str, Any]]
    totals: dict[str, dict[str, Any]]
    conserved: bool
    first_arrival: list[FirstArrival]
    frames_sent: int
    frames_accounted: int
    requests: list[dict[str, Any]]
    ends: dict[str, Ends] = {}
    dual: Dual | None = None
