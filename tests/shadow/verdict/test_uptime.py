from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from shadow.stats.burn_rate import BurnRule, BurnWarning
from shadow.verdict.checklist import load_checklist
from shadow.verdict.timeline import Close
from shadow.verdict.uptime import Downtime, Recovery, connect_metrics, downtime, recoveries, uptime_metric

MS = 1_000_000
FREE = 1000 * MS
LIMITS = load_checklist().uptime


def row(t_ms: float, event: str, channel: str = "", cause: str = "", conn_no: int = 1) -> dict[str, Any]:
    symbol = "BTC_USDT" if channel else ""
    return {
        "t": int(t_ms * MS),
        "event": event,
        "channel": channel,
        "symbol": symbol,
        "cause": cause,
        "conn_no": conn_no,
    }


START = [row(0, "open"), row(1, "subscribed", "book"), row(2, "subscribed", "trade")]


LOST = [row(3000, "upstream-lost"), row(3000, "close", cause="upstream")]


def again(t_ms: float) -> list[dict[str, Any]]:
    return [row(t_ms, "subscribed", channel, conn_no=2) for channel in ("book", "trade")]


@pytest.mark.parametrize(
    ("rows", "down_ms", "own_ms"),
    [
        ([], 0, 0),
        # closed by the venue, back after 400 ms: free; after 1.5 s: half a second is its own
        ([row(3000, "close", cause="connect-leg")], 7000, 6000),
        ([row(3000, "close", cause="fault:close"), row(3400, "subscribed", "book", conn_no=2)], 7000, 6000),
        (
            [
                row(3000, "close", cause="venue"),
                row(3400, "subscribed", "book", conn_no=2),
                row(4500, "subscribed", "trade", conn_no=2),
            ],
            1500,
            500,
        ),
        # by the client, or for want of a ping: all its own
        ([row(9700, "close", cause="client")], 300, 300),
        ([row(9700, "close", cause="idle")], 300, 300),
        # the client gave up a channel that it was asked for: down until it takes it up again
        ([row(4000, "unsubscribed", "trade")], 6000, 6000),
        ([row(4000, "unsubscribed", "trade"), row(4050, "subscribed", "trade")], 50, 50),
        # a second socket had it already
        ([*again(3990), row(4000, "unsubscribed", "trade"), row(4001, "close", cause="client")], 0, 0),
        # the venue refused it: still up
        ([row(4000, "refused", "trade")], 0, 0),
        # a second socket took over before the first one closed
        (
            [
                row(4000, "subscribed", "book", conn_no=2),
                row(4001, "subscribed", "trade", conn_no=2),
                row(4002, "close", cause="client"),
            ],
            0,
            0,
        ),
        # the exchange behind the venue was away: nobody's, until a second after it is back
        ([*LOST, row(6000, "upstream-back"), *again(6900)], 3900, 0),
        ([*LOST, row(6000, "upstream-back"), *again(7500)], 4500, 500),
        (LOST, 7000, 0),
    ],
)
def test_downtime_of_its_own(rows: list[dict[str, Any]], down_ms: float, own_ms: float) -> None:
    found = downtime(START + rows, 100 * MS, 10_000 * MS, FREE)
    assert (found.down / MS, found.own / MS) == (down_ms, own_ms)


def test_never_subscribed_is_down_all_the_time() -> None:
    found = downtime([row(0, "open")], 100 * MS, 10_000 * MS, FREE)
    assert found.own == found.window
    assert found.share_up == 0.0


@pytest.mark.parametrize(
    ("legacy_ms", "new_ms", "verdict"),
    [(0, 0, "PASS"), (0, 99, "PASS"), (0, 101, "REGRESSION"), (150, 240, "PASS"), (500, 350, "REGRESSION")],
)
def test_uptime_fires_over_one_percent_or_over_legacy(legacy_ms: float, new_ms: float, verdict: str) -> None:
    window = 30_000 * MS
    legacy, new = (Downtime(window, int(ms * MS), int(ms * MS), 0) for ms in (legacy_ms, new_ms))
    metric = uptime_metric("x.y.z", legacy, new, LIMITS)
    assert metric.census is not None
    assert metric.census.verdict == verdict
    assert metric.census.fact


@pytest.mark.parametrize(("legacy", "new", "verdict"), [(0, 11, "PASS"), (0, 12, "REGRESSION"), (12, 12, "PASS")])
def test_dropping_its_connection_again_and_again_fires(legacy: int, new: int, verdict: str) -> None:
    """(1.1 / 2.1)^12 = 4.3e-4 is below 5e-4, ^11 is not."""
    sides = [Downtime(30_000 * MS, 0, 0, count, tuple(range(count))) for count in (legacy, new)]
    metric = uptime_metric("x.y.z", sides[0], sides[1], LIMITS)
    assert metric.census is not None
    assert metric.census.verdict == verdict


@pytest.mark.parametrize(("between", "incidents"), [([], 1), ([row(400, "upstream-lost")], 0)])
def test_who_gives_up_while_the_exchange_is_away_is_not_blamed(between: list[dict[str, Any]], incidents: int) -> None:
    found = downtime([*START, *between, row(500, "close", cause="client")], 100 * MS, 1000 * MS, FREE)
    assert found.incidents == incidents


def test_closes_are_told_by_their_cause() -> None:
    rows = [row(500, "close", cause="client"), row(600, "close", cause="venue"), row(700, "close", cause="idle")]
    found = downtime(START + rows, 100 * MS, 1000 * MS, FREE)
    assert (found.closes, found.incidents) == (3, 2)


@pytest.mark.parametrize(("channels", "incidents"), [(["book", "trade"], 0), (["book"], 1)])
def test_who_has_everything_on_a_second_socket_may_close_the_first(channels: list[str], incidents: int) -> None:
    second = [row(500, "subscribed", channel, conn_no=2) for channel in channels]
    found = downtime([*START, *second, row(600, "close", cause="client")], 100 * MS, 1000 * MS, FREE)
    assert (found.closes, found.incidents) == (1, incidents)


def test_recovery_after_each_forced_close() -> None:
    closes = [Close(1000 * MS, "main", "new", "c"), Close(2000 * MS, "main", "new", "c")]
    rows = [
        row(1010, "open", conn_no=2),
        row(1012, "subscribed", "book", conn_no=2),
        row(1015, "subscribed", "trade", conn_no=2),
        row(2010, "open", conn_no=3),
        row(2012, "subscribed", "book", conn_no=3),
    ]
    assert recoveries(closes, START + rows, wanted=2) == [Recovery(10 * MS, 5 * MS, 15 * MS, 2 * MS), None]


def test_connect_metrics_pair_the_closes_and_name_what_never_came_back() -> None:
    legacy = [Recovery(10, 5, 15, 2)] * 5
    new: list[Recovery | None] = [Recovery(20, 5, 25, 2)] * 4 + [None]
    connect, subscribe, gap = connect_metrics("c", [(legacy, new)])
    assert (connect.id, connect.legacy, connect.new, connect.n) == ("connect.time.c", 10, 20, 4)
    assert (subscribe.new, gap.id, gap.new) == (5, "stability.reconnect_gap.c", 25)
    assert gap.note == "1 of 5 closes without a recovery"


def test_own_downtime_that_burns_its_allowance_warns_before_it_is_used_up() -> None:
    legacy, new = (Downtime(3_600_000 * MS, down * MS, down * MS, 1) for down in (0, 90))
    quiet = uptime_metric("c", legacy, new, LIMITS)
    warning = BurnWarning(106 * 1000 * MS, BurnRule(60.0, 5.0, 10.0), 10.5)
    warned = uptime_metric("c", legacy, replace(new, warning=warning), LIMITS)
    assert quiet.census is not None
    assert warned.census is not None
    assert "early warning" not in quiet.census.note
    assert "early warning: 10.5 times the allowed 1% over 60 s and at least 10 times over 5 s" in warned.census.note
    assert warned.census.verdict == quiet.census.verdict == "PASS"
