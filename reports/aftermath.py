"""`rollback.json` of a rollout's folder as typed records: what is known of its last rollback; times in Unix seconds."""

from __future__ import annotations

from typing import Literal

import msgspec

__all__ = ["Aftermath", "JournalLine", "OpenTrigger", "UnitSplit"]


class UnitSplit(msgspec.Struct, frozen=True):
    """One unit in one consumer: stage and server before and by the flag since, and who serves now as it says itself."""

    unit: str
    consumer: str
    stage_before: str
    served_before: str
    stage_since: str
    serves_now: str
    is_fresh: bool
    has_applied: bool


class OpenTrigger(msgspec.Struct, frozen=True):
    """A trigger that is still told."""

    trigger: str
    unit: str
    says: str
    legacy_too: bool = False


class JournalLine(msgspec.Struct, frozen=True):
    """One line of the journal in words."""

    number: int
    at_s: float
    kind: str
    says: str


class Aftermath(msgspec.Struct, frozen=True):
    """`trigger` is empty for one by hand; `run` is the newest session about its units before it, empty for none.

    `earlier_s` are the times at which some of the units had been taken back before.
    """

    number: int
    at_s: float
    why: str
    trigger: str
    generation: int
    units: list[str]
    first_told_s: float
    rules_before: list[str]
    rehearsal: bool = False
    earlier_s: list[float] = []
    split: list[UnitSplit] = []
    still_open: list[OpenTrigger] = []
    latches: list[str] = []
    journal: list[JournalLine] = []
    journal_is_whole: bool = True
    run: str = ""
    schema: Literal[1] = 1
