"""The thresholds of the verdict, read from checklist.toml beside this file."""

from __future__ import annotations

import tomllib
from functools import cache
from pathlib import Path
from typing import Literal

import msgspec

from shadow.stats.burn_rate import BurnRule

__all__ = ["Checklist", "Target", "Trigger", "load_checklist"]


class Session(msgspec.Struct, frozen=True):
    """Error rates, margins and minimum evidence of a session."""

    alpha: float
    interval_share: float
    pass_alpha: float
    margin: float
    aa_margin: float
    aa_alpha: float
    uncalibrated_margin: float
    coverage: float
    pairs_per_block: int
    declared_blocks: int
    declared_aa_blocks: int
    declared_p90_pairs: int
    tail_events: int
    resamples: int
    block_share: float


class Uptime(msgspec.Struct, frozen=True):
    """Limits on downtime that a side caused itself."""

    own_downtime_share: float
    over_legacy_ms: float
    free_ms: float
    incident_alpha: float
    burn: tuple[BurnRule, ...]


class Memory(msgspec.Struct, frozen=True):
    """Both must be exceeded."""

    ratio: float
    bytes: int
    slope_from_s: float
    slope_horizon_h: float


class Trigger(msgspec.Struct, frozen=True):
    """One rollback trigger of the checklist and the metric families (id prefixes) that belong to it."""

    id: str
    checklist: str
    threshold: str
    metrics: tuple[str, ...]


class Target(msgspec.Struct, frozen=True):
    """One target: met when the p50 is on the right side of `limit`; without a limit new is compared with legacy.

    source: `stamps` (recv to t of a subject that gives them, else the probe's `figure`), `probe` (the figure of that
    name, or all of its kinds; `over` divides by another), `connect`, `subscribe` and `reconnect` (the connect leg),
    `metric` (the session's own metric named `figure`), `tests` (a behaviour, no figure). `minimum` samples are needed.
    """

    id: str
    what: str
    unit: Literal["us", "ms", "s", "1/s", "blocks", "ratio", "MiB"]
    source: Literal["stamps", "probe", "connect", "subscribe", "reconnect", "metric", "tests"]
    limit: float | None = None
    direction: Literal["below", "above"] = "below"
    connection: str = ""
    type: str = ""
    figure: str = ""
    over: str = ""
    minimum: int = 1


class Checklist(msgspec.Struct, frozen=True):
    """checklist.toml."""

    session: Session
    weights: dict[str, float]
    minimum_blocks: dict[str, int]
    uptime: Uptime
    memory: Memory
    trigger: tuple[Trigger, ...]
    target: tuple[Target, ...]


@cache
def load_checklist() -> Checklist:
    """The thresholds that come with this version."""
    text = Path(__file__).with_name("checklist.toml").read_text(encoding="utf-8")
    return msgspec.convert(tomllib.loads(text), Checklist)
