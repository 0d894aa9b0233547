"""Columns come out of Arrow as `to_pylist` gives them, only sooner."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest

from shadow.diff.arrow import columns_of_table, values_of


@pytest.mark.parametrize(
    ("kind", "chunks"),
    [
        (pa.int64(), [[3, 1 << 62, -5], [7]]),
        (pa.int64(), [[3, None], [1 << 62]]),
        (pa.int32(), [[1, 2], []]),
        (pa.bool_(), [[True, False], [True]]),
        (pa.bool_(), [[True, None]]),
        (pa.string(), [["a", "b", "a"], ["b", "", "ü"]]),
        (pa.string(), [["a", None, "b"], [None]]),
        (pa.string(), []),
        (pa.binary(), [[b"\xff", b""], [b"\x00"]]),
    ],
)
def test_values_are_those_of_the_column_and_python_s_own(kind: Any, chunks: list[list[Any]]) -> None:
    column = pa.chunked_array([pa.array(chunk, kind) for chunk in chunks], kind)
    found = values_of(column)
    assert found == column.to_pylist() == [value for chunk in chunks for value in chunk]
    assert [type(value) for value in found] == [type(value) for value in column.to_pylist()]


def test_a_table_is_its_columns_in_their_order() -> None:
    rows = pa.table({"leg": ["aa1", "main"], "n": [4, 3]})
    assert columns_of_table(rows) == {"leg": ["aa1", "main"], "n": [4, 3]}
    assert columns_of_table(rows.slice(0, 0)) == {"leg": [], "n": []}
