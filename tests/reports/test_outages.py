"""Outages: from a close to the next confirmed subscription, and whose they are."""

from __future__ import annotations

import pytest

from reports.outages import outages
from reports.series import Moment


def moment(t_s: float, event: str, cause: str = "client", leg: str = "main") -> Moment:
    return Moment(role="new", connection="gateio.spot.public", event=event, leg=leg, t_s=t_s, cause=cause)


@pytest.mark.parametrize(
    ("cause", "kind"),
    [("client", "own"), ("idle", "own"), ("venue", "shared"), ("fault:close", "shared"), ("planned", "planned"),
     ("connect-leg", "planned")],
)  # fmt: skip
def test_cause_of_the_close_says_whose_outage_it_is(cause: str, kind: str) -> None:
    found = outages([moment(1.0, "close", cause), moment(1.5, "open"), moment(2.0, "subscribed", "client")])
    assert [(outage.begin_s, outage.end_s, outage.kind) for outage in found] == [(1.0, 2.0, kind)]


def test_order_of_the_rows_does_not_matter_and_a_second_close_extends_the_first() -> None:
    rows = [moment(3.0, "subscribed"), moment(1.0, "close"), moment(2.0, "close", "venue")]
    assert [(o.begin_s, o.end_s, o.kind) for o in outages(rows)] == [(1.0, 3.0, "own")]


def test_a_connection_that_never_came_back_has_no_end_and_a_stop_is_no_outage() -> None:
    assert [o.end_s for o in outages([moment(1.0, "close")])] == [None]
    assert outages([moment(1.0, "close", "stop")]) == []


def test_a_subscription_of_the_next_leg_does_not_heal_this_one() -> None:
    found = outages([moment(1.0, "close"), moment(2.0, "subscribed", leg="aa2")])
    assert [(o.leg, o.end_s) for o in found] == [("main", None)]
