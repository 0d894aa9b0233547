"""Samples can be written down, whatever an exchange sent."""

from __future__ import annotations

import orjson

from shadow.diff.codes import Finding
from shadow.diff.merge import sample_row
from shadow.reference.events import Book


def test_a_version_beyond_64_bits_is_written_as_text() -> None:
    wire = Book("A_B", 10**25, 2**64 - 1, False, [["1", "2"]], [], -(2**63) - 1)
    item = Finding("GAP", "c", "book", "A_B", "", (1,), expected=wire, delivered={"first": [7, 2**64]})
    row = orjson.loads(orjson.dumps(sample_row("new", item, "main", {})))
    assert (row["expected"]["first"], row["expected"]["last"]) == (str(10**25), 2**64 - 1)
    assert (row["expected"]["ts"], row["delivered"]) == (str(-(2**63) - 1), {"first": [7, str(2**64)]})
