"""What the report reads of a run directory: typed, cleaned and forgiving.

Only the documented files are read (`docs/run-directory.md`). A file that is missing or does not fit its schema becomes
an entry of `problems` and empty data, so that an interrupted run still gives a page. NaN and infinities become None.
"""

from __future__ import annotations

import contextlib
import json
import math
import re
from pathlib import Path
from typing import Any, Final, TypeVar

import msgspec

from reports.records import DifferenceRow, Manifest, Profile, Running, Session, Verdict
from reports.series import Analysis
from reports.text import clean

__all__ = ["ReportInput", "Reproducer", "load", "load_summary"]

T = TypeVar("T")
# Shown as they are: there a null is a finding.
EVIDENCE: Final = frozenset({"expected", "delivered", "frame"})
REPRODUCER: Final = re.compile(r"[A-Z]+-[a-z.]+-[0-9]+")


class Reproducer(msgspec.Struct, frozen=True):
    """A folder below `reproducer` and the difference that its frames show."""

    folder: str
    code: str
    connection: str = ""
    type: str = ""
    field: str = ""


class ReportInput(msgspec.Struct):
    """All that one page is made of; `problems` are sentences about files that could not be used, `running` says how far
    a session is that still runs."""

    session: Session
    analysis: Analysis
    manifest: Manifest
    verdict: Verdict | None = None
    differences: list[DifferenceRow] = []
    reproducers: list[Reproducer] = []
    profile: Profile | None = None
    problems: list[str] = []
    running: str = ""


def load(run_dir: Path) -> ReportInput:
    """Read the run directory; never raises for a missing or damaged file."""
    problems: list[str] = []
    verdict = _read(run_dir / "verdict.json", Verdict, problems)
    session = _read(run_dir / "session.json", Session, problems) or Session()
    running = _running(run_dir, session)
    return ReportInput(
        session=session,
        analysis=_read(run_dir / "analysis.json", Analysis, problems) or Analysis(),
        manifest=_read(run_dir / "manifest.json", Manifest, [] if running else problems) or Manifest(),
        verdict=verdict,
        differences=_differences(run_dir / "differences.parquet", problems),
        reproducers=_reproducers(run_dir / "reproducer", problems),
        profile=_profile(run_dir / "profile.json", problems),
        problems=problems,
        running=running,
    )


def _profile(path: Path, problems: list[str]) -> Profile | None:
    """None where none was taken, which is the ordinary case."""
    return _read(path, Profile, problems) if path.exists() else None


def _running(run_dir: Path, session: Session) -> str:
    """How far a session without a seal is, by what its online judge saw last; empty where there is none."""
    if (run_dir / "manifest.json").exists():
        return ""
    seen = _read(run_dir / "online.json", Running, [])
    return f"running, {seen.measured_s:.0f} of {session.duration_s or 0:.0f} s" if seen is not None else ""


def load_summary(run_dir: Path) -> ReportInput:
    """As `load`, without what only the report's figures need: no analysis, no differences of single legs."""
    problems: list[str] = []
    return ReportInput(
        session=_read_plain(run_dir / "session.json", Session, problems) or Session(),
        analysis=Analysis(),
        manifest=_read_plain(run_dir / "manifest.json", Manifest, problems) or Manifest(),
        verdict=_read_plain(run_dir / "verdict.json", Verdict, problems),
        problems=problems,
    )


def _read(path: Path, kind: type[T], problems: list[str]) -> T | None:
    try:
        # The standard decoder takes NaN and lone surrogates, which a damaged run may hold.
        raw = _tidy(json.loads(path.read_bytes()))
        return msgspec.convert(raw, kind, strict=False)
    except FileNotFoundError:
        problems.append(f"{path.name} is missing")
    except (OSError, ValueError, msgspec.ValidationError, RecursionError) as error:
        problems.append(f"{path.name} cannot be used: {clean(str(error))[:200]}")
    return None


def _read_plain(path: Path, kind: type[T], problems: list[str]) -> T | None:
    """As `_read`, ten times as fast where no string needs to be cleaned: printable ASCII without an escape."""
    with contextlib.suppress(OSError, msgspec.DecodeError):
        data = path.read_bytes()
        if data.isascii() and b"\\" not in data and b"\x7f" not in data:
            return msgspec.json.decode(data, type=kind, strict=False)
    return _read(path, kind, problems)


def _tidy(value: Any, whole: bool = False) -> Any:
    """Strings cleaned, NaN and infinities None; a null member is left out so that defaults hold, unless `whole`."""
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, list):
        return [_tidy(item, whole) for item in value]
    if isinstance(value, dict):
        tidied = {clean(key): _tidy(item, whole or key in EVIDENCE) for key, item in value.items()}
        return {key: item for key, item in tidied.items() if whole or item is not None}
    return value


def _differences(path: Path, problems: list[str]) -> list[DifferenceRow]:
    if not path.exists():
        return []
    import pyarrow.parquet as parquet
    from pyarrow import ArrowException

    wanted = DifferenceRow.__struct_fields__
    try:
        with parquet.ParquetFile(path) as file:
            present = [name for name in file.schema_arrow.names if name in wanted]
            rows = file.read(present, use_threads=False).to_pylist()
        return [msgspec.convert(_tidy(row), DifferenceRow, strict=False) for row in rows]
    except (OSError, ValueError, ArrowException, msgspec.ValidationError) as error:
        problems.append(f"{path.name} cannot be used: {clean(str(error))[:200]}")
        return []


def _reproducers(folder: Path, problems: list[str]) -> list[Reproducer]:
    """Those that `shadow reproduce` wrote, by name; other folders are passed over."""
    found = []
    for place in sorted(path for path in folder.glob("*/") if REPRODUCER.fullmatch(path.name)):
        case = _read(place / "case.json", _Case, problems)
        if case is not None:
            fault = case.fault
            found.append(Reproducer(place.name, fault.code, fault.connection, fault.type, fault.field))
    return found


class _Fault(msgspec.Struct):
    code: str
    connection: str = ""
    type: str = ""
    field: str = ""


class _Case(msgspec.Struct):
    fault: _Fault
