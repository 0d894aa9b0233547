"""profile.json: where both stacks spent their time, sampled behind the session, or why it is not known."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Final, Literal

import msgspec

__all__ = ["PROFILE_NAME", "Function", "Profile", "Side", "side_of", "write_profile"]

PROFILE_NAME: Final = "profile.json"
KEPT_STACKS: Final = 200
WAITING: Final = ("selectors:", "uvloop:")


class Function(msgspec.Struct, frozen=True):
    """Samples in which a function was on top, and in which it was anywhere on the stack."""

    name: str
    self: int
    cumulative: int


class Side(msgspec.Struct, frozen=True):
    """One role: samples taken, those in which it did not wait for its sockets, and what it was seen in then.

    `stacks` are the most frequent ones, outermost function first.
    """

    taken: int
    busy: int
    every_s: float
    functions: list[Function]
    stacks: list[tuple[list[str], int]]


class Profile(msgspec.Struct, frozen=True):
    """profile.json, schema 1. `missing` says why a role has no samples, `skipped` why none has."""

    schema: Literal[1] = 1
    asked_by: str = ""
    skipped: str = ""
    missing: dict[str, str] = {}
    sides: Mapping[str, Side] = {}


def side_of(taken: int, every_s: float, stacks: list[tuple[list[str], int]]) -> Side:
    """Count what was sampled of one role, by function; stacks that end in a wait are not busy."""
    busy = [(stack, count) for stack, count in stacks if stack and not stack[-1].startswith(WAITING)]
    own: Counter[str] = Counter()
    anywhere: Counter[str] = Counter()
    for stack, count in busy:
        own[stack[-1]] += count
        for name in set(stack):
            anywhere[name] += count
    functions = [Function(name, own[name], count) for name, count in anywhere.items()]
    functions.sort(key=lambda one: (-one.self, -one.cumulative, one.name))
    return Side(taken, sum(count for _, count in busy), every_s, functions, busy[:KEPT_STACKS])


def write_profile(run_dir: str | os.PathLike[str], profile: Profile) -> None:
    """Write profile.json into a run directory."""
    (Path(run_dir) / PROFILE_NAME).write_bytes(msgspec.json.encode(profile) + b"\n")
