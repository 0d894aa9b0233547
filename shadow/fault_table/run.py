"""Runs the sessions of the table and reads their cells."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from shadow.fault_table.cells import Cell, holds
from shadow.fault_table.observe import observe
from shadow.fault_table.plan import Common, FaultSession, config_of
from shadow.many_sessions import How, Tell, run_many

__all__ = ["run_sessions"]


def complaint(cells: list[Cell]) -> str:
    """Where new is not ok; empty where it holds."""
    if holds(cells):
        return ""
    bad = [f"{cell.connection} {word}" for cell in cells if (word := cell.verdicts()["new"]) != "ok"]
    return f"new fails ({', '.join(bad)})"


def run_sessions(sessions: list[FaultSession], common: Common, runs: Path, tell: Tell) -> list[Cell]:
    """Run the sessions below `runs` and read their cells.

    UsageError for a person's mistake, before anything is started; ShadowError when stopped or when the harness fails.
    """
    how = How(partial(config_of, common=common), observe, complaint, "new holds")
    return run_many(sessions, how, runs, "faults", tell)
