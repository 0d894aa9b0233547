"""The manifest of a run directory: which files belong to it, and what each of them hashed to."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

import msgspec
import orjson

from shadow.capture.probe_file import PROBE_NAME
from shadow.capture.tables import SESSION_TABLES
from shadow.errors import RunError

__all__ = [
    "DERIVED",
    "Manifest",
    "add_derived",
    "config_sha256",
    "data_sha256",
    "read_manifest",
    "sha256_file",
    "verify_derived",
    "verify_raw",
    "write_manifest",
]

RunPath = str | os.PathLike[str]
"""A run directory; `RunData` is one too."""

NAME: Final = "manifest.json"
STRETCHES: Final = "stretches"
"""The folder of what a session in stretches was reduced to; its files count as raw."""
DERIVED: Final = ("differences.parquet", "verdict.json", "analysis.json", "report.html", "report.md", "junit.xml")
_NOT_CONFIGURATION: Final = frozenset({"run", "started_utc", "machine", "versions"})


class Manifest(msgspec.Struct):
    """manifest.json, schema 1; `raw` and `derived` map file names, relative to the run, to sha256 in hex."""

    schema: int = 1
    complete: bool = False
    interrupted: str | None = None
    raw: dict[str, str] = {}
    derived: dict[str, str] = {}


def write_manifest(run_dir: RunPath, interrupted: str | None = None) -> Manifest:
    """Hash every raw file, and the derived ones that are there, and write manifest.json.

    `interrupted` is the reason why the session did not end as planned; a run with one is not complete.
    """
    run = Path(run_dir)
    manifest = Manifest(
        complete=interrupted is None,
        interrupted=interrupted,
        raw=_hashes(run, raw_files(run)),
        derived=_hashes(run, (name for name in DERIVED if (run / name).is_file())),
    )
    _write(run, manifest)
    return manifest


def add_derived(run_dir: RunPath, files: Iterable[RunPath]) -> Manifest:
    """Note the hashes of derived files, given relative to the run or inside it; raw hashes stay as they were."""
    run = Path(run_dir)
    manifest = read_manifest(run)
    names = [(run / Path(file).relative_to(run) if Path(file).is_absolute() else run / file) for file in files]
    manifest.derived |= _hashes(run, (path.relative_to(run).as_posix() for path in names))
    _write(run, manifest)
    return manifest


def read_manifest(run_dir: RunPath) -> Manifest:
    """The manifest of a run; RunError when it is missing or unreadable."""
    path = Path(run_dir) / NAME
    try:
        return msgspec.json.decode(path.read_bytes(), type=Manifest)
    except FileNotFoundError:
        raise RunError(f"{path} is missing: the run was killed before it was sealed, or is no run directory") from None
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError) as fault:
        raise RunError(f"{path} is unreadable: {fault}") from None


def raw_files(run_dir: RunPath) -> list[str]:
    """Names of the raw files that a reader would read, sorted; segments only where no Parquet file took their place."""
    run = Path(run_dir)
    roles = {path.stem for path in run.glob("events/*.parquet")} | {path.name for path in run.glob("events/*/")}
    names = [name for name in ("session.json", "known.toml", PROBE_NAME) if (run / name).is_file()]
    for table in (*SESSION_TABLES, *(f"events/{role}" for role in roles)):
        if (run / f"{table}.parquet").is_file():
            names.append(f"{table}.parquet")
        else:
            names += [path.relative_to(run).as_posix() for path in run.glob(f"{table}/*.arrows")]
    names += [
        path.relative_to(run).as_posix() for kind in ("json", "parquet") for path in run.glob(f"{STRETCHES}/*/*.{kind}")
    ]
    return sorted(names)


def verify_raw(run_dir: RunPath) -> Manifest:
    """Check every raw file against the manifest; RunError names the first that is missing, altered or not listed."""
    run = Path(run_dir)
    manifest = read_manifest(run)
    _check(run, manifest.raw)
    strangers = sorted(set(raw_files(run)) - set(manifest.raw))
    if strangers:
        raise RunError(f"{run / strangers[0]} is not in the manifest: it was added after the run was sealed")
    return manifest


def verify_derived(run_dir: RunPath) -> Manifest:
    """Check every derived file that the manifest lists; RunError names the first that is missing or altered."""
    run = Path(run_dir)
    manifest = read_manifest(run)
    _check(run, manifest.derived)
    return manifest


def data_sha256(run_dir: RunPath) -> str:
    """One hash, in hex, over the names and contents of all raw tables; session.json is not part of it."""
    run = Path(run_dir)
    digest = hashlib.sha256()
    for name, value in _hashes(run, raw_files(run)).items():
        if name != "session.json":
            digest.update(f"{value}  {name}\n".encode())
    return digest.hexdigest()


def config_sha256(run_dir: RunPath) -> str:
    """Hash, in hex, of session.json less its id, time, versions and machine: equal for equal configurations."""
    path = Path(run_dir) / "session.json"
    try:
        session: dict[str, Any] = orjson.loads(path.read_bytes())
        settings = {key: value for key, value in session.items() if key not in _NOT_CONFIGURATION}
    except (OSError, ValueError, AttributeError) as fault:
        raise RunError(f"{path} is missing or unreadable: {fault}") from None
    return hashlib.sha256(orjson.dumps(settings, option=orjson.OPT_SORT_KEYS)).hexdigest()


def sha256_file(path: RunPath) -> str:
    """sha256 of a file's bytes in hex."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _hashes(run: Path, names: Iterable[str]) -> dict[str, str]:
    return {name: sha256_file(run / name) for name in sorted(names)}


def _check(run: Path, hashes: dict[str, str]) -> None:
    for name, expected in sorted(hashes.items()):
        path = run / name
        if ".." in Path(name).parts or Path(name).is_absolute():
            raise RunError(f"{run / NAME} names a file outside the run: {name}")
        try:
            found = sha256_file(path)
        except OSError as fault:
            raise RunError(f"{path} is missing or unreadable: {fault.strerror}") from None
        if found != expected:
            raise RunError(f"{path} does not match the manifest: it was altered after the run was sealed")


def _write(run: Path, manifest: Manifest) -> None:
    part = run / f".{NAME}.part"
    ordered = msgspec.structs.replace(
        manifest, raw=dict(sorted(manifest.raw.items())), derived=dict(sorted(manifest.derived.items()))
    )
    with part.open("wb") as file:
        file.write(msgspec.json.format(msgspec.json.encode(ordered), indent=1) + b"\n")
        file.flush()
        os.fsync(file.fileno())
    part.replace(run / NAME)
