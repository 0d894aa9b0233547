"""The word for a cell, from what was read of its session."""

from __future__ import annotations

from typing import Any

import pytest

from shadow.fault_table.cells import Cell, Observed, holds, verdict_of


def observed(**changes: Any) -> Observed:
    return Observed(**({"hits": 1, "streams": 8} | changes))


def cell(new: Observed, legacy: Observed | None = None, kind: str = "drop") -> Cell:
    return Cell(kind=kind, connection="gateio.spot.public", sides={"legacy": legacy or observed(), "new": new})


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({}, "ok"),
        ({"orders_behind": 3}, "ok"),
        ({"lost": {"MISSING trade": 3, "GAP book": 1}}, "lost 4"),
        ({"silent": ["trade BTC_USDT"]}, "did not recover"),
        ({"books": ["BTC_USDT"]}, "did not recover"),
        ({"account": ["balance USDT"]}, "did not recover"),
        ({"books": ["BTC_USDT"], "lost": {"MISSING book": 1}}, "did not recover"),
        ({"streams": 1, "silent": ["trade BTC_USDT"]}, "silent"),
        ({"streams": 0}, "silent"),
        ({"streams": 0, "lost": {"MISSING trade": 1}}, "silent"),
        ({"hits": 0}, "not fired"),
        ({"hits": 0, "streams": 0, "lost": {"MISSING trade": 1}}, "not fired"),
        ({"hits": 0, "unusable": "stopped by a signal"}, "not measured"),
        ({"unusable": "the harness dropped 3 rows"}, "not measured"),
    ],
)
def test_the_gravest_word_that_is_true(changes: dict[str, Any], word: str) -> None:
    assert verdict_of("drop", observed(**changes)) == word


@pytest.mark.parametrize(
    ("kind", "told", "word"),
    [
        ("corrupt", {}, "untold"),
        ("corrupt", {"errors": {"decode": 2}}, "ok"),
        ("corrupt", {"errors": {"connect": 2}, "states": {"error": 1}}, "untold"),
        ("refuse-subscribe", {"errors": {"decode": 1}}, "untold"),
        ("refuse-subscribe", {"errors": {"subscribe": 1}}, "ok"),
        ("refuse-auth", {"states": {"reconnecting": 1}}, "untold"),
        ("refuse-auth", {"states": {"error": 1}}, "ok"),
        ("refuse-auth", {"errors": {"auth": 1}}, "ok"),
        *[
            (kind, told, word)
            for kind in ("close", "day-close", "reset", "burst-close", "halfopen", "expire-key")
            for told, word in (
                ({}, "untold"),
                ({"states": {"connected": 1, "subscribed": 1}}, "untold"),
                ({"states": {"reconnecting": 1}}, "ok"),
                ({"errors": {"connect": 1}}, "ok"),
            )
        ],
        ("stall", {}, "ok"),
    ],
)
def test_what_has_to_be_told(kind: str, told: dict[str, Any], word: str) -> None:
    assert verdict_of(kind, observed(**told)) == word


def test_a_connection_with_every_subscription_refused_has_nothing_to_deliver() -> None:
    told = {"errors": {"subscribe": 1}}
    assert verdict_of("refuse-subscribe", observed(streams=0, refused=8, **told)) == "ok"
    assert verdict_of("refuse-subscribe", observed(streams=1, silent=["book X"], refused=7, **told)) == "silent"


def test_new_holds_only_where_every_cell_is_ok() -> None:
    good, bad = observed(), observed(hits=0)
    assert holds([cell(good), cell(good, legacy=bad)])
    assert not holds([cell(good), cell(bad)])
    assert not holds([])
