"""A growing table read once, row by row, whatever becomes of its segments."""

from __future__ import annotations

from pathlib import Path

import pytest

from shadow.capture.writer import SegmentWriter, compact, segment_files
from shadow.stretches.tail import TableTail

TABLE = "marks"


def row(n: int) -> tuple[int, str, str, str, str]:
    return n, "main", "", "phase-begin", "{}"


def times(batches: object) -> list[tuple[int, list[int]]]:
    return [(first, batch["t"].to_pylist()) for first, batch in batches]  # type: ignore[attr-defined]


@pytest.fixture
def writer(tmp_path: Path) -> SegmentWriter:
    return SegmentWriter(tmp_path, TABLE)


def segment(writer: SegmentWriter, *numbers: int) -> None:
    writer.extend([row(n) for n in numbers])
    writer.close()


def test_each_row_is_read_once_with_its_number(tmp_path: Path, writer: SegmentWriter) -> None:
    tail = TableTail(tmp_path, TABLE)
    writer.append(row(10))
    writer.flush()
    assert times(tail.new_rows()) == [(0, [10])]
    writer.extend([row(11), row(12)])
    writer.flush()
    assert times(tail.new_rows()) == [(1, [11, 12])]
    writer.close()
    segment(writer, 13)
    assert times(tail.new_rows()) == [(3, [13])]
    assert times(tail.new_rows()) == []


def test_only_closed_segments_without_an_open_row_are_deleted_the_oldest_first(
    tmp_path: Path, writer: SegmentWriter
) -> None:
    tail = TableTail(tmp_path, TABLE)
    for numbers in ((1, 2), (3, 4), (5, 6)):
        segment(writer, *numbers)
    list(tail.new_rows())
    assert tail.delete_before(1) == 0
    files = segment_files(tmp_path, TABLE)
    size = files[0].stat().st_size
    assert tail.bytes_before(4) == 2 * size
    assert tail.delete_before(2) == size
    assert segment_files(tmp_path, TABLE) == files[1:]
    assert tail.delete_before(6) == size
    assert tail.delete_before(6) == 0
    assert segment_files(tmp_path, TABLE) == files[2:]


def test_what_was_not_read_from_segments_is_read_from_the_finished_table(tmp_path: Path, writer: SegmentWriter) -> None:
    tail = TableTail(tmp_path, TABLE)
    segment(writer, 1, 2)
    segment(writer, 3)
    list(tail.new_rows())
    assert tail.delete_before(2)
    segment(writer, 4, 5)
    compact(tmp_path, TABLE)
    assert times(tail.rest()) == [(3, [4, 5])]


def test_a_batch_that_is_half_written_comes_when_it_is_whole(tmp_path: Path, writer: SegmentWriter) -> None:
    tail = TableTail(tmp_path, TABLE)
    segment(writer, 1)
    (path,) = segment_files(tmp_path, TABLE)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    assert times(tail.new_rows()) == []
    path.write_bytes(whole)
    assert times(tail.new_rows()) == [(0, [1])]
