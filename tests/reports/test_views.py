"""Section j's tables: worst symbols first, loads in words, nothing made up where nothing was measured."""

from __future__ import annotations

from reports.records import Manifest, Session
from reports.run_data import ReportInput
from reports.series import Analysis, LoadClass, SymbolFigures, TopOfBook
from reports.views import by_load, top_of_book, worst_symbols


def report_input(analysis: Analysis) -> ReportInput:
    return ReportInput(session=Session(), analysis=analysis, manifest=Manifest())


def symbol(name: str, ratio: float | None, lost: int = 0) -> SymbolFigures:
    return SymbolFigures("c", name, n=40, new_ns=[5e4, 6e4], ratio=ratio, differences={"new": lost, "legacy": 1})


def test_the_worst_symbol_is_the_one_with_differences_then_the_slowest() -> None:
    figures = [symbol("A", 0.9), symbol("B", None), symbol("C", 1.2), symbol("D", 0.5, lost=2)]
    rows = worst_symbols(report_input(Analysis(symbols=figures))).rows
    assert [row[0] for row in rows] == ["D · c", "C · c", "A · c", "B · c"]
    assert rows[0][1:] == ["40", "no data", "50.00\u202fµs", "0.500", "no data", "2 / 1"]
    assert rows[3][4] == "no data"


def test_symbols_beyond_the_worst_are_counted() -> None:
    table = worst_symbols(report_input(Analysis(symbols=[symbol(f"S{n}", 1 + n / 100) for n in range(33)])))
    assert len(table.rows) == 30
    assert table.rows[0][0] == "S32 · c"
    assert table.caption == "Worst symbols (3 better ones in analysis.json)"


def test_a_load_is_a_class_or_a_step() -> None:
    classes = [
        LoadClass("c", 400.0, 800.0, 60, [1e5, 2e5], [5e4, 9e4], 0.5),
        LoadClass("", 4000.0, 4000.0, 9, [], None),
    ]
    assert by_load(report_input(Analysis(by_load=classes))).rows == [
        ["c", "400 to 800", "60", "100.0\u202fµs", "200.0\u202fµs", "50.00\u202fµs", "90.00\u202fµs", "0.500"],
        ["all together", "4\u202f000", "9", "no data", "no data", "no data", "no data", "no data"],
    ]


def test_an_older_top_is_in_ms_per_hour() -> None:
    rows = top_of_book(report_input(Analysis(top_of_book=[TopOfBook("c", "BTC", 9, 7200.0, None, 7212.4)]))).rows
    assert rows == [["BTC · c", "9", "7\u202f200 ms/h", "no data", "7\u202f212 ms/h"]]
