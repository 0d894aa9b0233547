"""All buckets of one side of a leg: joined one after another, each kept when it is done, and not done again."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from shadow.capture.manifest import sha256_file
from shadow.offline.join import Bucket, Counts, join_bucket, join_open, quoted
from shadow.offline.progress import JoinProgress

if TYPE_CHECKING:
    import duckdb

__all__ = ["buckets_of", "join_all", "make_owed", "open_workshop"]

BUCKET_EVENTS: Final = 500_000
"""Events of both sides that a bucket may hold before a minute is divided by streams."""
_STAMP: Final = "made-from.json"
_LAYOUT: Final = 2
"""Counts up when the tables or the numbers of streams come to mean something else."""


def open_workshop(folder: Path, raw: dict[str, str]) -> Path:
    """The folder of what is kept between judgements; emptied when a raw file is not the one that it was made from."""
    stamp = folder / _STAMP
    text = msgspec.json.encode({"layout": _LAYOUT, "raw": dict(sorted(raw.items()))})
    if not stamp.is_file() or stamp.read_bytes() != text:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(mode=0o700)
        stamp.write_bytes(text)
    return folder


def make_owed(db: duckdb.DuckDBPyConnection, sends: Path, expected: Path, owed: Path) -> None:
    """What a side was owed: the events of each frame that it was sent, in order of sending."""
    part = owed.with_name(f".{owed.name}.part")
    db.execute(
        "COPY (SELECT s.stream, s.minute, e.key, s.owed_no + e.place AS owed_no, s.t_sent, s.edge, s.frame_no, e.place,"
        f" e.d1, e.d2, e.d3, e.d4 FROM read_parquet({quoted(sends)}) AS s JOIN read_parquet({quoted(expected)}) AS e"
        f" ON s.frame_no = e.frame_no AND s.stream = e.stream ORDER BY s.t_sent, e.place)"
        f" TO {quoted(part)} (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE 61440)"
    )
    part.replace(owed)


def buckets_of(db: duckdb.DuckDBPyConnection, owed: Path, given: Path) -> list[Bucket]:
    """Every minute, divided by streams where it holds too much."""
    both = " UNION ALL ".join(f"SELECT minute FROM read_parquet({quoted(path)})" for path in (owed, given))
    rows = db.execute(f"SELECT minute, count(*) FROM ({both}) GROUP BY minute ORDER BY minute").fetchall()
    parts = {minute: 1 + events // BUCKET_EVENTS for minute, events in rows}
    return [Bucket(minute, part, parts[minute]) for minute in parts for part in range(parts[minute])]


def join_all(db: duckdb.DuckDBPyConnection, owed: Path, given: Path, folder: Path) -> tuple[list[Counts], list[Counts]]:
    """Counts of every bucket, and of what they left open joined once more; equal pairs stay in `folder`."""
    folder.mkdir(exist_ok=True)
    buckets = buckets_of(db, owed, given)
    made_from = {path.name: sha256_file(path) for path in (owed, given)}
    kept = {bucket: found for bucket in buckets if (found := _kept(folder, bucket, made_from)) is not None}
    _clear(folder, {name_of(bucket) for bucket in kept})
    progress = JoinProgress(len(buckets), len(kept))
    counts: list[Counts] = []
    for bucket in buckets:
        if bucket in kept:
            counts += kept[bucket]
            continue
        found = join_bucket(db, owed, given, bucket, keep=folder / name_of(bucket))
        _keep(folder, bucket, made_from, found)
        progress.bucket(sum(one.owed + one.given for one in found))
        counts += found
    return counts, join_open(db, folder, folder / "open") if buckets else []


def _clear(folder: Path, names: set[str]) -> None:
    """Remove whatever belongs to no bucket that counts: the joins behind this read whole folders."""
    for path in folder.iterdir():
        if path.name.partition(".")[0] not in names:
            path.unlink()


class Kept(msgspec.Struct):
    """A finished bucket: its counts, and the sha256 of what it was made from and of the files that belong to it."""

    made_from: dict[str, str]
    parts: dict[str, str]
    counts: list[Counts]


def _parts(folder: Path, bucket: Bucket) -> dict[str, str]:
    return {path.name: sha256_file(path) for path in sorted(folder.glob(f"{name_of(bucket)}.*.parquet"))}


def _keep(folder: Path, bucket: Bucket, made_from: dict[str, str], counts: list[Counts]) -> None:
    path = folder / f"{name_of(bucket)}.json"
    part = path.with_name(f".{path.name}.part")
    part.write_bytes(msgspec.json.encode(Kept(made_from, _parts(folder, bucket), counts)))
    part.replace(path)


def _kept(folder: Path, bucket: Bucket, made_from: dict[str, str]) -> list[Counts] | None:
    """What was kept of a bucket; None where it was made from something else, or a part of it is not as it was."""
    try:
        kept = msgspec.json.decode((folder / f"{name_of(bucket)}.json").read_bytes(), type=Kept)
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError):
        return None
    return kept.counts if (kept.made_from, kept.parts) == (made_from, _parts(folder, bucket)) else None


def name_of(bucket: Bucket) -> str:
    return f"{bucket.minute}-{bucket.part}-of-{bucket.parts}"
