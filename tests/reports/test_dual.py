"""The tables of a direct session."""

from __future__ import annotations

from reports import dual
from reports.records import Manifest, Session
from reports.run_data import ReportInput
from reports.series import Analysis, Dual, DualRate, Upstream


def page(analysis: Analysis) -> ReportInput:
    return ReportInput(Session(), analysis, Manifest())


def test_each_rate_has_a_row_and_each_connection_says_what_was_compared() -> None:
    rate = DualRate("MISSING", "gateio.spot.public", [1, 0, 2], [30, 0, 4], 0.354839)
    found = Dual([rate], {"gateio.spot.public": 1593}, {"gateio.spot.public": 880}, {"gateio.spot.public": 5})
    first, second = dual.rates(page(Analysis(dual=found))).rows
    assert first[:4] == ["MISSING \u00b7 gateio.spot.public", "1", "0", "2"]
    assert first[4] == "30 / 0 / 4"
    assert first[5].startswith("0.35")
    assert "880 book versions in common, 5 shared holes" in second[4]


def test_what_all_sides_did_at_an_exchange_is_one_row() -> None:
    one = Upstream("gateio", 6, 6, 33, 27, 0, 2, 0, {"new": 2, "legacy": 1})
    (row,) = dual.upstream(page(Analysis(upstream=[one]))).rows
    assert row == ["gateio", "6", "6", "33", "27", "2", "0", "0", "legacy 1, new 2"]
    assert dual.upstream(page(Analysis())).rows == []
    assert dual.rates(page(Analysis())).rows == []
