"""probe.json: what the target probe measured behind the legs, or why it did not."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final, Literal

import msgspec

from shadow.errors import RunError

__all__ = ["PROBE_NAME", "Figures", "Probe", "read_probe", "write_probe"]

PROBE_NAME: Final = "probe.json"
Figures = dict[str, dict[str, list[int]]]
"""Role to figure to values; times in ns."""


class Probe(msgspec.Struct, frozen=True):
    """probe.json, schema 1. `missing` says why a role has no figures, `skipped` why none has."""

    schema: Literal[1] = 1
    skipped: str = ""
    missing: dict[str, str] = {}
    figures: Figures = {}


def write_probe(run_dir: str | os.PathLike[str], probe: Probe) -> None:
    """Write probe.json into a run directory."""
    (Path(run_dir) / PROBE_NAME).write_bytes(msgspec.json.encode(probe) + b"\n")


def read_probe(run_dir: str | os.PathLike[str]) -> Probe:
    """The probe of a run, one that says so where the run has none; RunError for an unreadable file."""
    path = Path(run_dir) / PROBE_NAME
    try:
        return msgspec.json.decode(path.read_bytes(), type=Probe)
    except FileNotFoundError:
        return Probe(skipped="this run has no probe")
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError) as fault:
        raise RunError(f"{path} is unreadable: {fault}") from None
