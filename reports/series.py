"""`analysis.json` as typed records: the numbers behind the figures; every one may be missing (None)."""

from __future__ import annotations

from typing import Any

import msgspec

from reports.records import Interval

__all__ = [
    "Analysis",
    "Block",
    "Cell",
    "ConnectTimes",
    "FirstArrival",
    "Forest",
    "Load",
    "LoadClass",
    "Moment",
    "Phase",
    "Sample",
    "SymbolFigures",
    "Tally",
    "TopOfBook",
    "Totals",
    "Usage",
]


class Forest(msgspec.Struct):
    """A ratio with its A/A interval."""

    id: str
    unit: str = ""
    low: float | None = None
    best: float | None = None
    high: float | None = None
    verdict: str = "NOT_JUDGED"
    declared: bool | None = None
    aa: Interval | None = None


class Block(msgspec.Struct):
    """Median of ln(new / legacy) in one block; `t_s` from the start of the session."""

    leg: str
    t_s: float | None = None
    y: float | None = None


class Moment(msgspec.Struct):
    """Something that happened to a connection, seconds from the start of the session; `conn_no` tells its sockets."""

    role: str
    connection: str
    event: str
    leg: str = ""
    t_s: float | None = None
    cause: str | None = None
    conn_no: int = 0


class Usage(msgspec.Struct):
    """CPU share (1 = one core) and unique set size in bytes of a subject at one time."""

    leg: str = ""
    t_s: float | None = None
    cpu_share: float | None = None
    uss: float | None = None


class Phase(msgspec.Struct):
    """A phase as it ran."""

    leg: str
    phase: str
    begin_s: float | None = None
    end_s: float | None = None


class Tally(msgspec.Struct):
    """Events of one subject in one leg, by class."""

    input: float | None = None
    expected: float | None = None
    codes: dict[str, float | None] = {}


class Sample(msgspec.Struct):
    """A difference with the frame, what was expected and what came."""

    code: str
    side: str
    connection: str | None = None
    type: str | None = None
    symbol: str | None = None
    field: str | None = None
    leg: str | None = None
    frame_no: int | None = None
    expected: Any = None
    delivered: Any = None
    frame: Any = None


class ConnectTimes(msgspec.Struct):
    """Median and p90 of the connect leg, in ns."""

    connect_ns: list[float | None] | None = None
    reconnect_ns: list[float | None] | None = None
    subscribe_ns: list[float | None] | None = None
    n: float | None = None


class Cell(msgspec.Struct):
    """Connection x channel x symbol."""

    connection: str
    channel: str
    symbol: str
    expected: float | None = None
    matched: float | None = None
    declared: bool | None = None


class FirstArrival(msgspec.Struct):
    """Who delivered first; `lead_ns` are quartiles, above 0 = new first."""

    connection: str
    n: float | None = None
    new_first: float | None = None
    legacy_first: float | None = None
    lead_ns: list[float | None] | None = None


class LoadClass(msgspec.Struct):
    """Latencies at a load of `low` to `high` frames/s to one side; [p50, p90] in ns, `ratio` is typical."""

    connection: str
    low: float | None = None
    high: float | None = None
    n: float | None = None
    legacy_ns: list[float | None] | None = None
    new_ns: list[float | None] | None = None
    ratio: float | None = None


class SymbolFigures(msgspec.Struct):
    """One symbol of one connection; `service` is new / legacy, `differences` the serious ones by side."""

    connection: str
    symbol: str
    n: float | None = None
    legacy_ns: list[float | None] | None = None
    new_ns: list[float | None] | None = None
    ratio: float | None = None
    service: float | None = None
    differences: dict[str, float | None] = {}


class TopOfBook(msgspec.Struct):
    """For how long, in ms per hour, one side's best bid and ask were older than the other's."""

    connection: str
    symbol: str
    n: float | None = None
    new_behind_ms_h: float | None = None
    legacy_behind_ms_h: float | None = None
    apart_ms_h: float | None = None


class Load(msgspec.Struct):
    """What the venue was asked to send and what it sent."""

    rate_asked: float | str | None = None
    rate_sent: float | None = None
    queued: float | None = None
    overlapped: float | None = None


class Totals(msgspec.Struct):
    """Frames and events of the run."""

    frames: float | None = None
    events: dict[str, float | None] | None = None


class DualRate(msgspec.Struct):
    """One class of a direct session; `incidents` and `events` of new, legacy and the second legacy, `p` its chance."""

    code: str
    connection: str
    incidents: list[float | None] = []
    events: list[float | None] = []
    p: float | None = None


class Dual(msgspec.Struct):
    """A direct session's sides against each other; counts by connection."""

    rates: list[DualRate] = []
    compared: dict[str, float | None] = {}
    versions: dict[str, float | None] = {}
    shared: dict[str, float | None] = {}


class Upstream(msgspec.Struct):
    """What a live session did at one exchange; `held_back` by role what its relay refused or made wait."""

    exchange: str
    opened: float | None = None
    most_connections: float | None = None
    subscribed: float | None = None
    messages: float | None = None
    listen_keys: float | None = None
    rest_weight: float | None = None
    refused: float | None = None
    held_back: dict[str, float | None] = {}


class Evidence(msgspec.Struct):
    """A sequential test: ln E, the ln E with which it fires by itself, and its place among the suspects, from 0."""

    id: str
    ln_e: float | None = None
    fires_at: float | None = None
    suspect: int | None = None


class Stretches(msgspec.Struct):
    """Of a session that was reduced while it went on: its stretches by leg, and how many raw frames are left."""

    legs: list[dict[str, Any]] = []
    keep_one_in: int = 1
    raw_frames: int = 0


class Analysis(msgspec.Struct):
    """`analysis.json`, schema 1."""

    forest: list[Forest] = []
    blocks: dict[str, list[Block]] = {}
    tails: dict[str, dict[str, list[list[float | None]] | None]] = {}
    timeline: list[Moment] = []
    resources: dict[str, list[Usage]] = {}
    phases: list[Phase] = []
    conservation: dict[str, dict[str, Tally]] = {}
    samples: list[Sample] = []
    connect: dict[str, dict[str, ConnectTimes]] = {}
    coverage_cells: list[Cell] = []
    load: Load | None = None
    totals: Totals | None = None
    first_arrival: list[FirstArrival] = []
    by_load: list[LoadClass] = []
    symbols: list[SymbolFigures] = []
    top_of_book: list[TopOfBook] = []
    dual: Dual | None = None
    upstream: list[Upstream] = []
    sequential: list[Evidence] = []
    stretches: Stretches | None = None
