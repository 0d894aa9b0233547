"""All buckets of one side of a leg: joined one after another, each kept when it is done, and not done again."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from shadow.offline.join import Bucket, Counts, join_bucket, join_open, quoted
from shadow.offline.progress import JoinProgress

if TYPE_CHECKING:
    import duckdb

__all__ = ["buckets_of", "join_all", "make_owed", "open_workshop"]

BUCKET_EVENTS: Final = 500_000
"""Events of both sides that a bucket may hold before a minute is divided by streams."""
_STAMP: Final = "made-from.json"
_LAYOUT: Final = 1
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
    kept = [bucket for bucket in buckets if (folder / f"{name_of(bucket)}.json").is_file()]
    progress = JoinProgress(len(buckets), len(kept))
    counts: list[Counts] = []
    for bucket in buckets:
        if bucket in kept:
            counts += msgspec.json.decode((folder / f"{name_of(bucket)}.json").read_bytes(), type=list[Counts])
            continue
        found = join_bucket(db, owed, given, bucket, keep=folder / name_of(bucket))
        _write(folder / f"{name_of(bucket)}.json", msgspec.json.encode(found))
        progress.bucket(sum(one.owed + one.given for one in found))
        counts += found
    return counts, join_open(db, folder, folder / "open") if buckets else []


def name_of(bucket: Bucket) -> str:
    return f"{bucket.minute}-{bucket.part}-of-{bucket.parts}"


def _write(path: Path, data: bytes) -> None:
    part = path.with_name(f".{path.name}.part")
    part.write_bytes(data)
    part.replace(path)
