import os
import signal
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shadow.capture import writer as module
from shadow.capture.reader import RunData
from shadow.capture.writer import SegmentWriter, compact, segment_files
from shadow.errors import RunError

MARK = (1, "main", "new", "burst", "{}")
INT64 = st.integers(-(2**63), 2**63 - 1)
TEXT = st.text(st.characters(codec="utf-8"), max_size=8)
REQUESTS = st.lists(st.tuples(INT64, TEXT, TEXT, TEXT, st.integers(-5, 5), TEXT, st.binary(max_size=20)), max_size=20)


def rows_of(table: pa.Table) -> list[tuple[object, ...]]:
    return [tuple(row.values()) for row in table.to_pylist()]


@settings(deadline=None, max_examples=30)
@given(parts=st.lists(REQUESTS, max_size=4))
def test_rows_come_back_from_segments_and_from_parquet(
    tmp_path_factory: pytest.TempPathFactory, parts: list[list[tuple[object, ...]]]
) -> None:
    folder = tmp_path_factory.mktemp("run")
    sink = SegmentWriter(folder, "requests")
    for part in parts:
        for row in part:
            sink.append(row)
        sink.close()
    expected = [row for part in parts for row in part]
    assert rows_of(RunData(folder).table("requests")) == expected
    assert compact(folder, "requests") == len(expected) == sink.rows_written
    assert not (folder / "requests").exists()
    assert rows_of(RunData(folder).table("requests")) == expected


LOADED = """
import sys
from pathlib import Path
from shadow.capture.reader import RunData
run = RunData(Path(sys.argv[1]))
assert run.table("marks").num_rows == run.part("marks", ("t",), "main").num_rows == 1
print("pandas" in sys.modules)
"""


def test_reading_a_run_loads_no_pandas(tmp_path: Path) -> None:
    sink = SegmentWriter(tmp_path, "marks")
    sink.append(MARK)
    sink.close()
    compact(tmp_path, "marks")
    words = [sys.executable, "-c", LOADED, str(tmp_path)]
    assert subprocess.run(words, capture_output=True, text=True, timeout=50, check=True).stdout == "False\n"


@pytest.mark.parametrize("is_compact", [False, True])
def test_a_part_is_what_the_whole_table_has_there(tmp_path: Path, is_compact: bool) -> None:
    """Rows of two legs, one behind the other and with stragglers, in row groups of a few."""
    rows = [(t, leg, "new", "burst", "{}") for t, leg in enumerate(["aa1"] * 5 + ["main"] * 4 + ["aa1", "main"])]
    sink = SegmentWriter(tmp_path, "marks")
    for row in rows:
        sink.append(row)
    sink.close()
    if is_compact:
        compact(tmp_path, "marks")
        pq.write_table(pq.read_table(tmp_path / "marks.parquet"), tmp_path / "marks.parquet", row_group_size=3)
    run = RunData(tmp_path)
    whole = run.table("marks")
    for leg in ("aa1", "main", "aa2"):
        found = run.part("marks", ("name", "t"), leg)
        assert rows_of(found) == [("burst", row[0]) for row in rows if row[1] == leg]
        assert found.schema == whole.schema.empty_table().select(["name", "t"]).schema
    assert rows_of(run.part("marks", ("t",))) == [(row[0],) for row in rows]


def test_a_part_of_a_damaged_file_or_of_no_table_is_refused(tmp_path: Path) -> None:
    (tmp_path / "marks.parquet").write_bytes(b"PAR1 no table PAR1")
    pq.write_table(pa.table({"leg": ["main"], "t": ["text"]}), tmp_path / "sends.parquet")
    for name, columns in (("marks", ("t",)), ("sends", ("leg", "frame_no")), ("no", ("t",))):
        with pytest.raises(RunError, match=name):
            RunData(tmp_path).part(name, columns, "main")


def test_optional_columns_hold_nulls_and_others_refuse_them(tmp_path: Path) -> None:
    sink = SegmentWriter(tmp_path, "frames")
    good = (1, "main", "gateio.spot.public", "ws", "trade", "BTC_USDT", None, None, b"\xff\x00", True, "")
    sink.append(good)
    sink.append((None, *good[1:]))
    sink.append(good[:-1])
    sink.append((2**63, *good[1:]))
    sink.append((2, "lone \ud800", *good[2:]))
    sink.append((2, *good[1:]))
    sink.close()
    assert [row[0] for row in rows_of(RunData(tmp_path).table("frames"))] == [1, 2]
    assert sink.drops == 4


def test_the_clock_flushes_and_closes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [10**9]
    monkeypatch.setattr(module, "perf_counter_ns", lambda: now[0])
    sink = SegmentWriter(tmp_path, "marks")
    run = RunData(tmp_path)
    sink.append(MARK)
    sink.tick()
    assert run.table("marks").num_rows == 0
    now[0] += module.FLUSH_NS
    sink.tick()
    assert run.table("marks").num_rows == 1
    now[0] += module.SEGMENT_NS
    sink.tick()
    sink.append(MARK)
    sink.flush()
    assert run.table("marks").num_rows == 2
    assert [path.name for path in segment_files(tmp_path, "marks")] == ["000001.arrows", "000002.arrows"]


def test_parquet_bytes_depend_on_rows_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "GROUP_ROWS", 100)
    rows = [(n, "main", "", "burst", "x" * (n % 7)) for n in range(450)]
    written = []
    for name, step in (("one", 450), ("many", 7), ("groups", 100)):
        sink = SegmentWriter(tmp_path / name, "marks")
        for begin in range(0, len(rows), step):
            sink.extend(list(rows[begin : begin + step]))
            sink.flush()
            if begin % 3 == 0:
                sink.close()
        sink.close()
        compact(tmp_path / name, "marks")
        written.append((tmp_path / name / "marks.parquet").read_bytes())
    assert written[0] == written[1] == written[2]
    assert rows_of(RunData(tmp_path / "one").table("marks")) == rows
    assert pq.read_metadata(tmp_path / "one" / "marks.parquet").num_row_groups == 5


def test_segments_stay_until_the_parquet_file_is_in_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sink = SegmentWriter(tmp_path, "marks")
    sink.append(MARK)
    sink.close()

    def fail(_: Path) -> None:
        raise OSError("disk gone")

    with monkeypatch.context() as patch:
        patch.setattr(module, "_sync", fail)
        with pytest.raises(OSError, match="disk gone"):
            compact(tmp_path, "marks")
    assert not (tmp_path / "marks.parquet").exists()
    assert rows_of(RunData(tmp_path).table("marks")) == [MARK]
    assert compact(tmp_path, "marks") == 1


def test_compaction_cut_short_after_the_rename_loses_and_doubles_nothing(tmp_path: Path) -> None:
    sink = SegmentWriter(tmp_path, "marks")
    sink.append(MARK)
    sink.close()
    segment = segment_files(tmp_path, "marks")[0]
    kept = segment.read_bytes()
    compact(tmp_path, "marks")
    segment.parent.mkdir()
    segment.write_bytes(kept)
    assert RunData(tmp_path).table("marks").num_rows == 1
    assert compact(tmp_path, "marks") == 1
    assert not segment.parent.exists()


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.9, 0.999])
def test_a_torn_tail_keeps_whole_batches_and_is_counted(tmp_path: Path, share: float) -> None:
    sink = SegmentWriter(tmp_path, "marks")
    sizes = []
    for n in range(3):
        sink.extend([(n, "main", "", "burst", "y" * 50)] * 40)
        sink.flush()
        sizes.append(segment_files(tmp_path, "marks")[0].stat().st_size)
    path = segment_files(tmp_path, "marks")[0]
    cut = sizes[1] + int((sizes[2] - sizes[1]) * share)
    path.write_bytes(path.read_bytes()[:cut])
    run = RunData(tmp_path)
    assert run.table("marks").num_rows == 80
    assert run.torn == (0 if share == 0.0 else 1)
    path.write_bytes(path.read_bytes()[:20])
    assert run.table("marks").num_rows == 0
    assert run.torn == 1


def test_flushed_rows_survive_kill_9(tmp_path: Path) -> None:
    program = (
        "import sys; from shadow.capture.writer import SegmentWriter\n"
        f"sink = SegmentWriter({str(tmp_path)!r}, 'marks')\n"
        "for n in range(10):\n"
        "    sink.append((n, 'main', '', 'burst', ''))\n"
        "sink.flush(); sink.append((99, 'main', '', 'burst', ''))\n"
        "sys.stdout.write('flushed\\n'); sys.stdout.flush(); sys.stdin.read()"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"flushed\n"
        os.kill(child.pid, signal.SIGKILL)
    assert [row[0] for row in rows_of(RunData(tmp_path).table("marks"))] == list(range(10))


def test_a_second_writer_continues_the_numbering(tmp_path: Path) -> None:
    for _ in range(2):
        sink = SegmentWriter(tmp_path, "marks")
        sink.append(MARK)
        sink.close()
    assert RunData(tmp_path).table("marks").num_rows == 2


def test_tables_are_for_their_owner_only(tmp_path: Path) -> None:
    SegmentWriter(tmp_path / "run", "events/new")
    assert {path.stat().st_mode & 0o777 for path in (tmp_path / "run").rglob("*")} == {0o700}
