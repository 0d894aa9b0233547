"""Outages: from a close to the next confirmed subscription, and whose they are."""

from __future__ import annotations

import pytest

from reports.outages import Outage, outages
from reports.series import Analysis, Moment, Phase


def moment(t_s: float, event: str, cause: str = "client", leg: str = "main", conn_no: int = 1) -> Moment:
    return Moment("new", "gateio.spot.public", event, leg, t_s, cause, conn_no)


def found_in(rows: list[Moment]) -> list[Outage]:
    return outages(Analysis(timeline=rows))


@pytest.mark.parametrize(
    ("cause", "kind"),
    [("client", "own"), ("idle", "own"), ("venue", "shared"), ("fault:close", "shared"), ("planned", "planned"),
     ("connect-leg", "planned")],
)  # fmt: skip
def test_cause_of_the_close_says_whose_outage_it_is(cause: str, kind: str) -> None:
    found = found_in([moment(1.0, "close", cause), moment(1.5, "open"), moment(2.0, "subscribed", "client")])
    assert [(outage.begin_s, outage.end_s, outage.kind) for outage in found] == [(1.0, 2.0, kind)]


def test_order_of_the_rows_does_not_matter_and_a_second_close_extends_the_first() -> None:
    rows = [moment(3.0, "subscribed"), moment(1.0, "close"), moment(2.0, "close", "venue")]
    assert [(o.begin_s, o.end_s, o.kind) for o in found_in(rows)] == [(1.0, 3.0, "own")]


def test_a_connection_that_never_came_back_has_no_end_and_a_stop_is_no_outage() -> None:
    assert [o.end_s for o in found_in([moment(1.0, "close")])] == [None]
    assert found_in([moment(1.0, "close", "stop")]) == []


def test_a_close_beside_an_open_socket_is_none_and_the_last_ones_close_is_one() -> None:
    rows = [moment(0.0, "open"), moment(1.0, "open", conn_no=2), moment(1.5, "close")]
    assert found_in(rows) == []
    found = found_in([*rows, moment(2.0, "close", conn_no=2), moment(3.0, "open", conn_no=3)])
    assert [(outage.begin_s, outage.end_s) for outage in found] == [(2.0, 3.0)]


def test_a_subscription_of_the_next_leg_does_not_heal_this_one() -> None:
    found = found_in([moment(1.0, "close"), moment(2.0, "subscribed", leg="aa2")])
    assert [(o.leg, o.end_s) for o in found] == [("main", None)]


@pytest.mark.parametrize(("t_s", "count"), [(4.0, 1), (5.0, 0), (5.3, 0)])
def test_a_close_behind_the_legs_last_measured_phase_ends_the_leg(t_s: float, count: int) -> None:
    phases = [Phase("main", "connect", 3.0, 5.0), Phase("main", "drain", 5.0, 6.0), Phase("aa2", "paired", 7.0, 9.0)]
    assert len(outages(Analysis(timeline=[moment(t_s, "close")], phases=phases))) == count
