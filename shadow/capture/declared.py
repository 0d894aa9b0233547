"""What session.json must look like for a run to be judged: the types of the fields that the judge relies on."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

__all__ = ["Declared"]


class _Phase(msgspec.Struct):
    phase: str
    seconds: float


class _Leg(msgspec.Struct):
    leg: str
    roles: Annotated[list[str], msgspec.Meta(min_length=2, max_length=3)]
    phases: list[_Phase]


class _Plan(msgspec.Struct):
    legs: list[_Leg] = []
    block_s: float = 0.5


class _Power(msgspec.Struct):
    cap_s: float = 0.0
    short: dict[str, float | None] = {}


class Declared(msgspec.Struct):
    """Schema 1. Fields that only describe (versions, machine, commands) may hold anything."""

    schema: Literal[1] = 1
    grade: str = "quick"
    feed: str = "sim"
    profile: str | None = None
    connections: list[str] = []
    symbols: list[str] = []
    channels: dict[str, list[str]] | None = None
    mix: dict[str, float] | None = None
    rate: float | str | None = None
    seed: int | None = None
    faults: list[str] | None = None
    calibration: bool = False
    plan: _Plan | None = None
    power: _Power | None = None
    known: str | None = None
