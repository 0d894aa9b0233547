"""The table for people, and the page that the docs keep."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from shadow.errors import UsageError
from shadow.fault_table.cells import Cell, Observed
from shadow.fault_table.page import READING, as_json, check_page, page, table
from shadow.venue.faults import CONNECTIONS, KINDS

PAGE = Path(__file__).parents[3] / "docs" / "faults.md"
GOOD = Observed(hits=1, streams=8)
CELLS = [
    Cell(
        kind="close",
        connection="mexc.spot.private",
        sides={
            "legacy": Observed(
                hits=2,
                streams=5,
                lost={"MISSING fill": 2, "DUP order": 1},
                silent=["order BTCUSDT"],
                account=["balance BTC", "order 7", "order 8"],
                orders_behind=4,
            ),
            "new": Observed(hits=1, streams=5, errors={"connect": 2}, states={"reconnecting": 1}),
        },
    ),
    Cell(kind="drop", connection="gateio.spot.public", sides={"legacy": Observed(hits=0), "new": GOOD}),
]


def rows(text: str) -> list[list[str]]:
    return [[word.strip() for word in line.strip("|").split("|")] for line in text.splitlines() if line[:1] == "|"]


def test_the_table_has_a_row_for_each_fault_and_side_in_the_order_of_the_kinds() -> None:
    assert rows(table(CELLS)) == [
        ["fault", "side", "gateio.spot.public", "mexc.spot.private"],
        ["---", "---", "---", "---"],
        ["drop", "new", "ok", "-"],
        ["", "legacy", "not fired", "-"],
        ["close", "new", "-", "ok (connect, state)"],
        ["", "legacy", "-", "did not recover"],
    ]
    assert len({len(line) for line in table(CELLS).splitlines()}) == 1


def test_the_page_says_what_lies_behind_each_word_that_is_not_ok() -> None:
    lines = [line for line in page(CELLS, "`shadow faults` on a day.").splitlines() if line.startswith("* drop, ")]
    assert lines == ["* drop, gateio.spot.public, legacy: not fired"]
    (line,) = [line for line in page(CELLS, "").splitlines() if line.startswith("* close, ")]
    assert line == (
        "* close, mexc.spot.private, legacy: did not recover; 2 MISSING fill, 1 DUP order; 1 of 5 streams silent; "
        "account not equal: balance BTC, 2 orders; orders whose end fell into the hole: 4"
    )
    assert "`shadow faults` on a day." in page(CELLS, "`shadow faults` on a day.")


def test_the_json_holds_every_figure() -> None:
    told = json.loads(json.dumps(as_json(CELLS)))
    assert (told["schema"], told["new_holds"]) == (1, True)
    close = told["cells"][0]
    assert (close["kind"], close["connection"]) == ("close", "mexc.spot.private")
    assert close["sides"]["legacy"]["verdict"] == "did not recover"
    assert close["sides"]["legacy"]["lost"] == {"MISSING fill": 2, "DUP order": 1}
    assert close["sides"]["new"]["errors"] == {"connect": 2}


def test_a_page_goes_into_a_new_file_or_over_another_page_and_over_nothing_else(tmp_path: Path) -> None:
    check_page(tmp_path / "new.md")
    (tmp_path / "page.md").write_text(page(CELLS, ""))
    check_page(tmp_path / "page.md")
    (tmp_path / "diary.md").write_text("# Mine\n")
    for name in ("diary.md", "nowhere/page.md", "."):
        with pytest.raises(UsageError, match="--out"):
            check_page(tmp_path / name)


def test_the_docs_hold_a_whole_table_of_this_command_in_which_new_is_ok_everywhere() -> None:
    text = PAGE.read_text()
    assert text.startswith(READING)
    assert re.search(r"^`shadow faults` on \d{4}-\d{2}-\d{2}\.$", text, re.MULTILINE)
    found = rows(text.partition("## The table")[2])
    assert found[0] == ["fault", "side", *CONNECTIONS]
    new = {row[0]: row[2:] for row in found[2:] if row[1] == "new"}
    assert list(new) == list(KINDS)
    for kind, words in new.items():
        for connection, word in zip(CONNECTIONS, words, strict=True):
            assert word.partition(" (")[0] == ("ok" if KINDS[kind].fits(connection) else "-"), (kind, connection)
