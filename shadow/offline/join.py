"""The join of one bucket's expected and delivered events in DuckDB, by key and digest, within a memory limit.

`owed` holds stream, minute, key, owed_no (place in its stream), t_sent, edge, frame_no, place and the digests d1 to d4,
one for each shape; `given` holds stream, minute, key, given_no (place in its stream), shape (0: none), digest, t.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from shadow.diff.allowance import MIN_SILENCE_NS

if TYPE_CHECKING:
    import duckdb

__all__ = ["SHAPES", "Bucket", "Counts", "connect", "join_bucket", "join_open", "quoted"]

SHAPES: Final = 4
"""How many shapes of one event type have a digest of their own."""

THREADS: Final = 2


class Bucket(msgspec.Struct, frozen=True):
    """A minute of time, and of the streams those whose number leaves `part` over when divided by `parts`."""

    minute: int
    part: int
    parts: int


class Counts(msgspec.Struct):
    """One stream in one bucket, in events.

    `equal` and `changed` are pairs of one key; `missing` were owed and not delivered, `extra` delivered and not owed,
    `repeated` those of them whose key was owed; `behind` came after one that was sent later. `edges` were owed outside
    of the subscription and not delivered, `edge_pairs` delivered all the same; `early` are pairs with t before t_sent,
    `late` those with t so long after it that it may have been a silence. `low` and `high` bound given_no - owed_no over
    all pairs.
    """

    stream: int
    owed: int
    given: int
    equal: int
    changed: int
    missing: int
    extra: int
    repeated: int
    behind: int
    edges: int
    edge_pairs: int
    early: int
    late: int
    low: int | None
    high: int | None


def connect(memory: str, spill: Path) -> duckdb.DuckDBPyConnection:
    """A database in memory that holds at most `memory` and spills into a folder."""
    import duckdb

    settings: dict[str, str | bool | int | float | list[str]] = {
        "memory_limit": memory,
        "threads": THREADS,
        "temp_directory": str(spill),
        "preserve_insertion_order": False,
    }
    return duckdb.connect(":memory:", config=settings)


def quoted(path: Path) -> str:
    """A path as a text in SQL."""
    return "'" + str(path).replace("'", "''") + "'"


def join_bucket(
    db: duckdb.DuckDBPyConnection, owed: Path, given: Path, bucket: Bucket, *, keep: Path | None = None
) -> list[Counts]:
    """Counts per stream of one bucket; `keep` is a path without ending for its pairs and for what it left open."""
    where = f"WHERE minute = {bucket.minute} AND stream % {bucket.parts} = {bucket.part}"
    return _join(db, f"read_parquet({quoted(owed)}) {where}", f"read_parquet({quoted(given)}) {where}", keep)


def join_open(db: duckdb.DuckDBPyConnection, folder: Path, keep: Path) -> list[Counts]:
    """The rows that no bucket found a partner for, joined once more: most lie at both sides of a minute's end."""
    owed, given = (f"read_parquet({quoted(folder / f'*-of-*.{name}.parquet')})" for name in ("owed", "given"))
    return _join(db, owed, given, keep)


def _join(db: duckdb.DuckDBPyConnection, owed: str, given: str, keep: Path | None) -> list[Counts]:
    _load(db, "o", owed)
    _load(db, "g", given)
    twin = any(_repeats(db, table) for table in ("o", "g"))
    if twin:
        for table, order in (("o", "owed_no"), ("g", "given_no")):
            _replace(
                db, table, f"*, row_number() OVER (PARTITION BY stream, key ORDER BY {order}) AS twin FROM {table}"
            )
    equal = " ".join(f"WHEN {n} THEN o.d{n}" for n in range(1, SHAPES + 1))
    _replace(
        db,
        "pair",
        "coalesce(o.stream, g.stream) AS stream, o.owed_no, g.given_no, o.t_sent, g.t, o.frame_no, o.place, o.edge,"
        " o.owed_no IS NOT NULL AS was_owed, g.given_no IS NOT NULL AS was_given, g.key AS given_key,"
        f" coalesce(CASE g.shape {equal} END = g.digest, false) AS is_equal FROM o FULL JOIN g"
        f" ON o.stream = g.stream AND o.key = g.key{' AND o.twin = g.twin' if twin else ''}",
    )
    if keep is not None:
        _keep(db, keep)
    return _counts(db, twin)


def _load(db: duckdb.DuckDBPyConnection, name: str, source: str) -> None:
    _replace(db, name, f"* FROM {source}")


def _replace(db: duckdb.DuckDBPyConnection, name: str, query: str) -> None:
    db.execute(f"CREATE OR REPLACE TEMP TABLE next_{name} AS SELECT {query}")
    db.execute(f"DROP TABLE IF EXISTS {name}")
    db.execute(f"ALTER TABLE next_{name} RENAME TO {name}")


def _repeats(db: duckdb.DuckDBPyConnection, table: str) -> bool:
    query = f"SELECT 1 FROM {table} WHERE key IS NOT NULL GROUP BY stream, key HAVING count(*) > 1 LIMIT 1"
    return db.execute(query).fetchone() is not None


_COUNTS: Final = f"""
SELECT stream,
  count_if(was_owed), count_if(was_given),
  count_if(was_owed AND was_given AND NOT edge AND is_equal),
  count_if(was_owed AND was_given AND NOT edge AND NOT is_equal),
  count_if(was_owed AND NOT was_given AND NOT edge), count_if(was_given AND NOT was_owed),
  0, 0,
  count_if(was_owed AND NOT was_given AND edge), count_if(was_owed AND was_given AND edge),
  count_if(was_owed AND was_given AND t < t_sent),
  count_if(was_owed AND was_given AND NOT edge AND t - t_sent >= {MIN_SILENCE_NS}),
  min(given_no - owed_no) FILTER (was_owed AND was_given AND NOT edge),
  max(given_no - owed_no) FILTER (was_owed AND was_given AND NOT edge)
FROM pair GROUP BY stream ORDER BY stream
"""
_REPEATED: Final = """
SELECT pair.stream, count(*) FROM pair SEMI JOIN o ON o.stream = pair.stream AND o.key = pair.given_key
WHERE NOT was_owed GROUP BY pair.stream
"""
_BEHIND: Final = """
SELECT stream, count(*) FROM (
  SELECT stream, owed_no < max(owed_no) OVER (
      PARTITION BY stream ORDER BY given_no ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS behind
    FROM pair WHERE was_owed AND was_given AND NOT edge AND stream IN ({streams}))
WHERE behind GROUP BY stream
"""


def _counts(db: duckdb.DuckDBPyConnection, twin: bool) -> list[Counts]:
    counts = [Counts(*row) for row in db.execute(_COUNTS).fetchall()]
    by_stream = {one.stream: one for one in counts}
    if twin:
        for stream, n in db.execute(_REPEATED).fetchall():
            by_stream[stream].repeated = n
    moved = [one.stream for one in counts if one.low != one.high]
    if moved:
        for stream, n in db.execute(_BEHIND.format(streams=_listed(moved))).fetchall():
            by_stream[stream].behind = n
    return counts


def _listed(streams: Iterable[int]) -> str:
    return ", ".join(str(stream) for stream in streams)


def _keep(db: duckdb.DuckDBPyConnection, keep: Path) -> None:
    """Write a bucket's equal pairs, and what it left open, beside each other: `<keep>.{pairs,owed,given}.parquet`."""
    equal = "SELECT stream, frame_no, place, t FROM pair WHERE was_owed AND was_given AND NOT edge AND is_equal"
    _copy(db, equal, keep.with_name(f"{keep.name}.pairs.parquet"))
    for table, alias, ordinal in (("o", "owed", "owed_no"), ("g", "given", "given_no")):
        other = "given" if alias == "owed" else "owed"
        columns = f"{table}.* EXCLUDE (twin)" if _has_twin(db, table) else f"{table}.*"
        rest = (
            f"SELECT {columns} FROM {table} SEMI JOIN (SELECT stream, {ordinal} FROM pair"
            f" WHERE was_{alias} AND NOT was_{other}) AS lone"
            f" ON lone.stream = {table}.stream AND lone.{ordinal} = {table}.{ordinal}"
        )
        _copy(db, rest, keep.with_name(f"{keep.name}.{alias}.parquet"))


def _has_twin(db: duckdb.DuckDBPyConnection, table: str) -> bool:
    return any(row[0] == "twin" for row in db.execute(f"DESCRIBE {table}").fetchall())


def _copy(db: duckdb.DuckDBPyConnection, query: str, path: Path) -> None:
    db.execute(f"COPY ({query}) TO {quoted(path)} (FORMAT parquet)")
