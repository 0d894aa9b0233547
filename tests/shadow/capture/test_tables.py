import re
import subprocess
import sys
from pathlib import Path

import pytest

from shadow.capture.tables import COLUMNS, columns, family, schema

DOC = Path(__file__).parents[3] / "docs" / "run-directory.md"
COLUMN = re.compile(r"^\s*(\w+)(?: \w+\??)?")


def documented() -> dict[str, list[str]]:
    """Column names per table as the page's first table lists them."""
    tables = {}
    for row in re.findall(r"^\| `([\w/<>]+)` \| (.+) \|$", DOC.read_text().split("## Other files")[0], re.M):
        bare = re.sub(r"\([^()]*\)", "", row[1])
        tables[row[0].replace("/<role>", "")] = [COLUMN.match(part).group(1) for part in bare.split(",")]  # type: ignore[union-attr]  # each part matches
    return tables


def test_columns_are_those_of_the_documentation() -> None:
    assert {name: list(order) for name, order in COLUMNS.items()} == documented()


def test_schema_keeps_the_order_and_marks_optional_columns() -> None:
    found = schema("events/legacy")
    assert tuple(found.names) == columns("events/legacy") == COLUMNS["events"]
    assert [field.name for field in found if field.nullable] == ["t"]
    assert [field.name for field in schema("frames") if field.nullable] == ["first", "last"]
    assert [field.name for field in schema("connections") if field.nullable] == ["code"]


def test_tables_are_written_and_read_without_pandas_which_stays_to_be_had(tmp_path: Path) -> None:
    script = f"""
import sys
from shadow.capture.reader import RunData
from shadow.capture.writer import SegmentWriter, compact
sink = SegmentWriter({str(tmp_path)!r}, "marks")
sink.append((1, "main", "new", "burst", "{{}}"))
sink.close()
compact({str(tmp_path)!r}, "marks")
assert RunData({str(tmp_path)!r}).table("marks").num_rows == 1
assert "pandas" not in sys.modules
import pandas
assert pandas.Series([1]).sum() == 1
"""
    answer = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=50, check=False)
    assert answer.returncode == 0, answer.stderr


def test_an_unknown_table_is_refused() -> None:
    with pytest.raises(KeyError):
        family("event")
