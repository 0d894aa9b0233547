"""A rollout's plan: a TOML file of moves in their order, which a person may edit."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from shadow.config import seconds
from shadow.errors import UsageError
from shadow.rollout.gates import SOAK_S
from shadow.rollout.stages import Position, parse_position
from shadow.rollout.state import Step
from shadow.rollout.units import Unit, parse_unit

__all__ = ["REHEARSAL", "default_plan", "plan_text", "read_content", "read_plan"]

REHEARSAL = "rehearsal"
"""The table that says how a rehearsal is played; see `shadow/rehearsal/plan.py`."""

PUBLIC = ("shadow", "canary:10", "canary:50", "canary", "live", "rampdown")
PRIVATE = ("shadow", "canary", "live", "rampdown")


def default_plan(unit: Unit) -> list[Step]:
    """Public units first, then private ones; `complete`, which cannot be undone, at the very end."""
    parts: list[tuple[Unit, tuple[str, ...]]] = []
    if unit.scope != "private":
        parts.append((_only(unit, "public"), PUBLIC))
    if unit.scope != "public":
        parts.append((_only(unit, "private"), PRIVATE))
    if unit.is_single:
        parts = [(one, tuple(stage for stage in stages if ":" not in stage)) for one, stages in parts]
    moves = [(one, stage) for one, stages in parts for stage in stages] + [(one, "complete") for one, _ in parts]
    return [_step(one, parse_position(stage)) for one, stage in moves]


def _only(unit: Unit, scope: Any) -> Unit:
    return unit if unit.scope == scope else Unit(unit.exchange, unit.market, scope)


def _step(unit: Unit, position: Position) -> Step:
    return Step(unit, position, SOAK_S.get(position.stage, 0.0))


def plan_text(steps: list[Step]) -> str:
    """A plan as a file holds it."""
    lines = ["# at_least: how long a stage lasts without a trigger; less than the default counts in a rehearsal only"]
    for step in steps:
        lines += ["", "[[step]]", f'unit = "{step.unit}"', f'stage = "{step.position}"']
        if step.at_least_s:
            lines.append(f'at_least = "{step.at_least_s:g}s"')
    return "\n".join(lines) + "\n"


def read_plan(path: Path) -> list[Step]:
    """The steps of a plan file; UsageError says what is wrong with it."""
    content = read_content(path)
    steps = content.get("step")
    if not isinstance(steps, list) or not steps or not set(content) <= {"step", REHEARSAL}:
        raise UsageError(f"plan {path} holds no steps; each begins with [[step]], as `shadow rollout plan` prints them")
    return [_read_step(path, number, step) for number, step in enumerate(steps, 1)]


def read_content(path: Path) -> dict[str, Any]:
    """The tables of a plan file: steps, and in that of a rehearsal how it is played."""
    try:
        return tomllib.loads(path.read_text())
    except OSError as error:
        raise UsageError(f"plan {path}: {error.strerror}; make one with `shadow rollout plan > plan.toml`") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"plan {path} is no TOML: {error}") from None


def _read_step(path: Path, number: int, step: Any) -> Step:
    texts = isinstance(step, dict) and all(isinstance(value, str) for value in step.values())
    if not texts or not {"unit", "stage"} <= set(step) <= {"unit", "stage", "at_least"}:
        raise UsageError(f"plan {path}, step {number}: a step is unit, stage and at_least, each a text")
    try:
        at_least_s = seconds(step["at_least"]) if "at_least" in step else 0.0
    except UsageError:
        raise UsageError(f"plan {path}, step {number}: at_least is a time, for example 90s, 5m or 24h") from None
    return Step(parse_unit(step["unit"]), parse_position(step["stage"]), at_least_s)
