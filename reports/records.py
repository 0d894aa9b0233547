"""The documented JSON files of a run as typed records; every figure may be missing (None).

Fields that the report does not use are left out; unknown ones are ignored (`docs/run-directory.md`).
"""

from __future__ import annotations

from typing import Any

import msgspec

__all__ = [
    "Calibration",
    "Conservation",
    "Coverage",
    "DifferenceRow",
    "Interval",
    "Leg",
    "Manifest",
    "Metric",
    "Plan",
    "PlannedPhase",
    "Profile",
    "ProfiledFunction",
    "ProfiledSide",
    "Running",
    "Session",
    "Target",
    "Trigger",
    "Verdict",
]


class Interval(msgspec.Struct):
    """A ratio new / legacy with its interval; each end may be missing."""

    low: float | None = None
    best: float | None = None
    high: float | None = None


class Metric(msgspec.Struct):
    """One line of `verdict.metrics`; `note` says why, where the verdict is not plain."""

    id: str
    unit: str = ""
    legacy: float | None = None
    new: float | None = None
    ratio: Interval | None = None
    verdict: str = "NOT_JUDGED"
    n: float | None = None
    blocks: float | None = None
    detectable: float | None = None
    declared: bool | None = None
    blocks_declared: float | None = None
    note: str = ""


class Trigger(msgspec.Struct):
    """One of the checklist's four rollback triggers."""

    id: str
    threshold: str | None = None
    verdict: str = "HOLD"
    worst: str | None = None


class DifferenceRow(msgspec.Struct):
    """A class of differences; `leg` and `field` only where `differences.parquet` gives them."""

    code: str
    side: str
    connection: str | None = None
    type: str | None = None
    count: float | None = 0
    severity: str | None = None
    field: str | None = None
    symbol: str | None = None
    leg: str | None = None
    known: str | None = None


class Conservation(msgspec.Struct):
    """Whether every event ended in exactly one class."""

    ok: bool | None = None


class Coverage(msgspec.Struct):
    """How much of what the venue sent was compared."""

    frames_sent: float | None = None
    events_expected: float | None = None
    matched: float | None = None
    share: float | None = None
    harness_drops: float | None = None


class Calibration(msgspec.Struct):
    """Legacy against legacy, and the control that must be seen."""

    ok: bool | None = None
    positive_control: bool | None = None
    present: bool = True
    problems: list[str] = []


class Target(msgspec.Struct):
    """A line of the checklist with what was measured; without a limit new is compared with legacy."""

    id: str
    unit: str = ""
    what: str = ""
    source: str = ""
    limit: float | None = None
    direction: str = "below"
    p50: float | None = None
    p99: float | None = None
    legacy_p50: float | None = None
    legacy_p99: float | None = None
    ratio: float | None = None
    met: bool | None = None
    n: float | None = None
    why: str = ""


class Verdict(msgspec.Struct):
    """`verdict.json`, schema 1."""

    verdict: str
    grade: str = ""
    reason: str = ""
    decided_by: str | None = None
    triggers: list[Trigger] = []
    metrics: list[Metric] = []
    differences: list[DifferenceRow] = []
    conservation: Conservation | None = None
    coverage: Coverage | None = None
    calibration: Calibration | None = None
    targets: list[Target] = []
    known: list[Any] = []
    not_judged: list[Any] = []
    data_sha256: str | None = None
    config_sha256: str | None = None


class PlannedPhase(msgspec.Struct):
    """A phase as planned before the run."""

    phase: str
    seconds: float | None = None


class Leg(msgspec.Struct):
    """A stretch with freshly started subjects, as planned."""

    leg: str
    roles: list[str] = []
    phases: list[PlannedPhase] = []


class Plan(msgspec.Struct):
    """The plan of a session."""

    legs: list[Leg] = []
    block_s: float | None = None
    gap_us: float | None = None


class Session(msgspec.Struct):
    """`session.json`: the resolved configuration."""

    run: str | None = None
    grade: str | None = None
    feed: str | None = None
    own_upstream: bool | None = None
    connections: list[str] = []
    symbols: list[str] = []
    channels: dict[str, list[str] | None] | None = None
    profile: str | None = None
    time_scale: float = 1.0
    duration_s: float | None = None
    rate: float | str | None = None
    seed: int | None = None
    faults: list[Any] = []
    commands: dict[str, Any] | None = None
    options: dict[str, Any] | None = None
    calibration: bool | None = None
    plan: Plan | None = None
    cores: str | None = None
    known: str | None = None
    versions: dict[str, Any] | None = None
    machine: dict[str, Any] | None = None
    started_utc: str | None = None


class Manifest(msgspec.Struct):
    """`manifest.json` without the hashes, which the report does not judge."""

    complete: bool | None = None
    interrupted: str | None = None


class Running(msgspec.Struct):
    """`online.json`, of which the report takes how much of a session that still runs is measured."""

    measured_s: float = 0.0


class ProfiledFunction(msgspec.Struct, frozen=True):
    """Samples in which a function was on top, and in which it was anywhere on the stack."""

    name: str
    self: int = 0
    cumulative: int = 0


class ProfiledSide(msgspec.Struct, frozen=True):
    """What one role was seen in while it did not wait; stacks with the outermost function first."""

    taken: int = 0
    busy: int = 0
    functions: list[ProfiledFunction] = []
    stacks: list[tuple[list[str], int]] = []


class Profile(msgspec.Struct, frozen=True):
    """`profile.json`, schema 1."""

    asked_by: str = ""
    skipped: str = ""
    missing: dict[str, str] = {}
    sides: dict[str, ProfiledSide] = {}
