"""What a consumer tells the controller of its own accord."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from shadow.rollout.consumers import Alarm
from shadow.subjects.consumer import _alarms

SPEC: Any = SimpleNamespace(exchange="gateio", market="spot", scope="public")
BOOK, TRADE = "gateio.spot.book.BTC_USDT", "gateio.spot.trade.BTC_USDT"
SILENT = "new has been silent for 1 s while legacy was not"


def told(**migration: Any) -> list[Alarm]:
    known = {"shed": {}, "latched": {}, "connected": {"legacy": True, "new": True}} | migration
    manager: Any = SimpleNamespace(get_performance_metrics=lambda: {"migration": known})
    return _alarms(SPEC, manager)


def test_nothing_wrong_is_no_alarm() -> None:
    assert told() == []


@pytest.mark.parametrize("is_up", [True, False])
def test_what_went_back_by_itself_is_told_for_the_whole_connection_so_that_the_flag_follows(is_up: bool) -> None:
    found = told(latched={TRADE: SILENT, BOOK: SILENT}, connected={"legacy": is_up, "new": True})
    assert found == [Alarm("functionality", "gateio.spot.*.*", f"{TRADE}: {SILENT}", legacy_too=not is_up)]


def test_a_stack_that_is_gone_is_one_alarm_whatever_went_back_for_it() -> None:
    assert told(shed={"new": "it died"}, latched={BOOK: "it died"}) == [
        Alarm("stability", "gateio.spot.*.*", "the new stack is gone: it died")
    ]
