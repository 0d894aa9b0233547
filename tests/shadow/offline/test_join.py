"""The join of a bucket counts what a plain pandas merge counts, whatever the tables hold."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shadow.offline.buckets import join_all
from shadow.offline.join import Bucket, Counts, connect, join_bucket
from shadow.offline.settle import merged

MINUTE = 60_000_000_000
COUNTED = ("owed", "given", "equal", "changed", "missing", "extra", "repeated", "behind", "edges", "edge_pairs", "late")
event = st.tuples(st.integers(0, 2), st.integers(0, 5), st.integers(0, 2), st.integers(0, 130))
"""Stream, key, digest, second."""
sides = st.tuples(st.lists(event, max_size=25), st.lists(event, max_size=25), st.lists(st.integers(0, 24), max_size=3))


def owed_rows(events: list[tuple[int, int, int, int]], edges: list[int]) -> list[dict[str, Any]]:
    rows, at = [], {}
    for number, (stream, key, digest, second) in enumerate(sorted(events, key=lambda one: one[3])):
        at[stream] = at.get(stream, -1) + 1
        rows.append(
            {"stream": stream, "minute": second // 60, "key": key, "owed_no": at[stream], "t_sent": second * 10**9,
             "edge": number in edges, "frame_no": number, "place": 0, "d1": digest, "d2": -digest, "d3": None,
             "d4": None}
        )  # fmt: skip
    return rows


def given_rows(events: list[tuple[int, int, int, int]]) -> list[dict[str, Any]]:
    rows, no = [], {}
    for number, (stream, key, digest, second) in enumerate(sorted(events, key=lambda one: one[3])):
        no[stream] = no.get(stream, 0) + 1
        shape = number % 3
        rows.append(
            {"stream": stream, "minute": second // 60, "key": key, "given_no": no[stream], "shape": shape,
             "digest": -digest if shape == 2 else digest, "t": second * 10**9}
        )  # fmt: skip
    return rows


TYPES = {"stream": pa.int32(), "shape": pa.int32(), "place": pa.int32(), "edge": pa.bool_()}
OWED_NAMES = ("stream", "minute", "key", "owed_no", "t_sent", "edge", "frame_no", "place", "d1", "d2", "d3", "d4")
GIVEN_NAMES = ("stream", "minute", "key", "given_no", "shape", "digest", "t")
OWED, GIVEN = (
    pa.schema([(name, TYPES.get(name, pa.int64())) for name in names]) for names in (OWED_NAMES, GIVEN_NAMES)
)


def write(folder: Path, owed: list[dict[str, Any]], given: list[dict[str, Any]]) -> tuple[Path, Path]:
    paths = folder / "owed.parquet", folder / "given.parquet"
    for path, rows, layout in zip(paths, (owed, given), (OWED, GIVEN), strict=True):
        pq.write_table(pa.Table.from_pylist(rows, layout), path)
    return paths


def oracle(owed: list[dict[str, Any]], given: list[dict[str, Any]]) -> dict[int, dict[str, int]]:
    """The same counts by an outer merge in pandas, the n-th of equal keys with the n-th."""
    o, g = pd.DataFrame(owed, columns=OWED.names), pd.DataFrame(given, columns=GIVEN.names)
    for frame in (o, g):
        frame["twin"] = frame.groupby(["stream", "key"]).cumcount()
    both = o.merge(g, on=["stream", "key", "twin"], how="outer", suffixes=("", "_given"), indicator=True)
    found: dict[int, dict[str, int]] = {}
    for stream, rows in both.groupby("stream"):
        edge = rows["edge"].eq(True)
        pair, lone = rows["_merge"] == "both", rows["_merge"] == "left_only"
        wanted = rows["d1"].where(rows["shape"] == 1, rows["d2"].where(rows["shape"] == 2))
        equal = wanted == rows["digest"]
        extra = rows[rows["_merge"] == "right_only"]
        ordered = rows[pair & ~edge].sort_values("given_no")["owed_no"]
        found[int(stream)] = {
            "owed": int((pair | lone).sum()), "given": int(pair.sum() + len(extra)),
            "equal": int((pair & ~edge & equal).sum()), "changed": int((pair & ~edge & ~equal).sum()),
            "missing": int((lone & ~edge).sum()), "extra": len(extra),
            "repeated": int(extra["key"].isin(o[o["stream"] == stream]["key"]).sum()),
            "behind": int((ordered < ordered.cummax().shift(fill_value=-1)).sum()),
            "edges": int((lone & edge).sum()), "edge_pairs": int((pair & edge).sum()),
            "late": int((pair & ~edge & (rows["t"] - rows["t_sent"] >= 2 * 10**9)).sum()),
        }  # fmt: skip
    return found


def counted(counts: list[Counts]) -> dict[int, dict[str, int]]:
    return {one.stream: {name: getattr(one, name) for name in COUNTED} for one in counts}


@pytest.fixture(scope="module")
def db(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    opened = connect("256MB", tmp_path_factory.mktemp("spill"))
    yield opened
    opened.close()


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(made=sides)
def test_one_bucket_counts_what_pandas_counts(made: Any, db: Any, tmp_path: Path) -> None:
    owed_events, given_events, edges = made
    owed = owed_rows([(*one[:3], one[3] % 60) for one in owed_events], edges)
    given_ = given_rows([(*one[:3], one[3] % 60) for one in given_events])
    paths = write(tmp_path, owed, given_)
    assert counted(join_bucket(db, *paths, Bucket(0, 0, 1))) == oracle(owed, given_)


def test_equal_streams_are_equal_over_the_ends_of_minutes(db: Any, tmp_path: Path) -> None:
    """Delivered a second after it was sent, so that every minute's last event comes in the next one."""
    events = [(n % 2, n, n, n) for n in range(200)]
    owed = owed_rows(events, [])
    given_ = given_rows([(*one[:3], one[3] + 1) for one in events])
    for row, one in zip(given_, events, strict=True):
        row |= {"shape": 1, "digest": one[2]}
    counts = merged(*join_all(db, *write(tmp_path, owed, given_), tmp_path / "joined"))
    assert sorted(counts) == [0, 1]
    for one in counts.values():
        assert (one.owed, one.given, one.equal) == (100, 100, 100)
        assert (one.missing, one.extra, one.behind, one.low) == (0, 0, 0, one.high)
    kept = (tmp_path / "joined").glob("*.pairs.parquet")
    assert sum(pq.read_metadata(path).num_rows for path in kept) == 200


@pytest.mark.parametrize("ending", ["json", "pairs.parquet", "given.parquet"])
@pytest.mark.parametrize("harm", ["emptied", "changed", "gone"])
def test_a_damaged_bucket_is_joined_again(db: Any, tmp_path: Path, ending: str, harm: str) -> None:
    events = [(0, n, n, n) for n in range(130)]
    paths = write(tmp_path, owed_rows(events, []), given_rows(events))
    first = join_all(db, *paths, tmp_path / "joined")
    files = {path: path.read_bytes() for path in (tmp_path / "joined").iterdir()}
    path = tmp_path / "joined" / f"1-0-of-1.{ending}"
    harmed = {"emptied": b"", "changed": files[path][:-1] + b"?"}
    path.write_bytes(harmed[harm]) if harm in harmed else path.unlink()
    assert join_all(db, *paths, tmp_path / "joined") == first
    assert {path: path.read_bytes() for path in (tmp_path / "joined").iterdir()}.keys() == files.keys()


def test_a_bucket_of_other_events_counts_for_nothing(db: Any, tmp_path: Path) -> None:
    """As after a mend of the decoder: the same raw files, and other events read from them."""
    many = [(0, n, n, n) for n in range(130)]
    join_all(db, *write(tmp_path, owed_rows(many, []), given_rows(many)), tmp_path / "joined")
    few = [(0, n, n, n) for n in range(40)]
    counts = merged(*join_all(db, *write(tmp_path, owed_rows(few, []), given_rows(few)), tmp_path / "joined"))
    assert (counts[0].owed, counts[0].given) == (40, 40)
    assert [path.name for path in (tmp_path / "joined").glob("*.json")] == ["0-0-of-1.json"]


def test_finished_buckets_are_not_joined_again(db: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    events = [(0, n, n, n) for n in range(130)]
    paths = write(tmp_path, owed_rows(events, []), given_rows(events))
    first = join_all(db, *paths, tmp_path / "joined")
    (tmp_path / "joined" / "1-0-of-1.json").unlink()
    joined: list[int] = []

    def watched(*words: Any, **more: Any) -> list[Counts]:
        joined.append(words[3].minute)
        return join_bucket(*words, **more)

    monkeypatch.setattr("shadow.offline.buckets.join_bucket", watched)
    assert join_all(db, *paths, tmp_path / "joined") == first
    assert joined == [1]
