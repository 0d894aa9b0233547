"""The sequential tests together: what fires, what never does, and how often the whole set cries wolf."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy.stats import binom

from shadow.stats.blocks import median_blocks
from shadow.verdict.assess import assess
from shadow.verdict.checklist import load_checklist
from shadow.verdict.judge import Judgement
from shadow.verdict.sequential import Incidents, Series, Tail, Watched, alpha_of, watch
from shadow.verdict.watched import watched_of

MakeRun = Callable[..., Any]
LIMITS = load_checklist()
ALPHA = alpha_of(2, LIMITS)
S = 1_000_000_000


def blocks(ratio: float, count: int = 200, name: str = "latency.x.public.typical", seed: int = 1) -> Series:
    y = math.log(ratio) + np.random.default_rng(seed).normal(0, 0.03, count)
    return Series(name, "pooled", np.arange(count) * S, y)


def test_what_is_worse_beyond_the_margin_fires_and_is_named() -> None:
    found = watch([blocks(1.2), blocks(1.0, name="service.x.public", seed=2)], {}, ALPHA, LIMITS)
    assert (found.fired, found.worst, found.suspects) == (True, "latency.x.public.typical", [found.worst])
    assert found.single == ("latency.x.public.typical",)
    assert found.at is not None
    assert found.at < 199 * S


def test_what_is_worse_within_the_margin_does_not_fire() -> None:
    found = watch([blocks(1.05)], {}, ALPHA, LIMITS)
    assert (found.fired, found.single, found.suspects, found.at) == (False, (), [], 199 * S)


def test_a_metric_that_calibration_does_not_bear_out_has_to_be_worse_by_twice_as_much() -> None:
    doubtful = {"latency.x.public.typical": 1.21}
    assert not watch([blocks(1.2)], doubtful, ALPHA, LIMITS).fired
    assert watch([blocks(1.4)], doubtful, ALPHA, LIMITS).fired


def test_too_few_blocks_say_nothing() -> None:
    assert not watch([blocks(3.0, count=40)], {}, ALPHA, LIMITS).fired


def test_what_is_worse_everywhere_by_a_little_is_seen_by_the_mean_before_any_single_one() -> None:
    many = [blocks(1.115, 400, f"latency.x{n}.public.typical", seed=n) for n in range(40)]
    found = watch(many, {}, ALPHA, LIMITS)
    assert found.fired
    assert found.by_mean or len(found.single) > 1


@pytest.mark.parametrize(("fatter", "fires"), [(1.5, True), (1.0, False)])
def test_tails_vote_by_block(fatter: float, fires: bool) -> None:
    rng = np.random.default_rng(3)
    block = np.repeat(np.arange(300), 50)
    legacy, new = (np.exp(rng.normal(0, 0.5, len(block))) * 1e5 for _ in range(2))
    threshold = float(np.quantile(legacy, 0.9))
    tail = Tail(
        "latency.x.public.p90", "undeclared", np.arange(300) * S, block, legacy.astype(int),
        (new * fatter).astype(int), threshold,
    )  # fmt: skip
    assert watch([tail], {}, ALPHA, LIMITS).fired is fires


def test_incidents_of_new_alone_fire_unless_legacy_has_as_many_against_itself() -> None:
    new = np.ones(25, np.bool_)
    times = np.arange(25) * S
    assert watch([Incidents("reconnects.x", "undeclared", times, new)], {}, ALPHA, LIMITS).fired
    assert not watch([Incidents("reconnects.x", "undeclared", times, new, floor=25)], {}, ALPHA, LIMITS).fired


def test_alpha_is_what_intervals_and_the_census_of_closes_leave() -> None:
    assert alpha_of(0, LIMITS) == pytest.approx(0.005)
    assert alpha_of(6, LIMITS) == pytest.approx(0.002)
    assert watch([blocks(1.4)], {}, 0.0, LIMITS).fired is False


def test_a_quick_session_is_watched_and_like_legacy_never_fires(like_legacy: Judgement) -> None:
    said = like_legacy.verdict["sequential"]
    assert (said["fired"], said["single"], said["suspects"]) == (False, [], [])
    assert said["looks"] > 40
    rows = {row["id"]: row for row in like_legacy.analysis["sequential"]}
    assert {"latency.mexc.spot.public.typical", "service.mexc.spot.public", "cpu.per_message"} <= set(rows)
    assert all(row["fires_at"] > 0 and row["suspect"] is None for row in rows.values())


def test_without_calibration_nothing_is_watched(made_up: MakeRun) -> None:
    assert made_up(calibration=False).judge().verdict["sequential"]["looks"] == 0


def test_the_word_is_roll_back_by_the_tests_alone_where_intervals_say_nothing(made_up: MakeRun) -> None:
    """The intervals' evidence is like legacy's; what is watched is not."""
    from shadow.verdict.judge import gather

    evidence = gather(made_up().collect())
    slow = [blocks(1.3, name="service.mexc.spot.public")]
    got = assess(replace(evidence, watched=slow), LIMITS)
    assert (got.outcome, got.decided_by) == ("ROLL_BACK", "performance")
    assert got.reason.startswith("The sequential test of service.mexc.spot.public says worse by more than 10 %")
    assert (got.triggers[0].verdict, got.triggers[0].worst) == ("REGRESSION", "service.mexc.spot.public")
    counted = [Incidents("errors.mexc.spot.public", "undeclared", np.arange(30) * S, np.ones(30, np.bool_))]
    got = assess(replace(evidence, watched=counted), LIMITS)
    assert (got.outcome, got.decided_by) == ("ROLL_BACK", "functionality")
    assert got.triggers[3].worst == "errors.mexc.spot.public"


def test_what_is_watched_is_counted_by_connection_and_side(made_up: MakeRun) -> None:
    """A burst of errors is one incident, one right after a close by the venue is none; legacy's own are the floor."""
    collected = made_up().collect()
    begin = collected.timeline.phase("main", "paired").begin
    told = [("main", "new", "mexc.spot.public", begin + n * S // 10) for n in range(3)]
    told += [("main", "new", "mexc.spot.public", begin + 5 * S), ("aa1", "legacy2", "mexc.spot.public", S)]
    close = next(c for c in collected.timeline.closes if c.role == "new" and c.connection == "mexc.spot.public")
    told.append(("main", "new", close.connection, close.t + S // 2))
    collected.error_lines = lambda: sorted(told, key=lambda line: line[3])
    found = {one.id: one for one in watched_of(collected)}
    errors = found["errors.mexc.spot.public"]
    assert isinstance(errors, Incidents)
    assert (errors.is_new.tolist(), errors.floor) == ([True, True], 2)
    assert len(found["errors.gateio.spot.public"].at) == 0


CONNECTIONS, BLOCKS, PAIRS = 6, 130, 25


def ar1(rng: np.random.Generator, phi: float, deviation: float, count: int) -> np.ndarray:
    """A stationary series."""
    out = rng.normal(0, deviation, count)
    for i in range(1, count):
        out[i] = phi * out[i - 1] + math.sqrt(1 - phi**2) * out[i]
    return out


def session(rng: np.random.Generator, phi: float) -> list[Watched]:
    """Everything that a session of six connections watches, of two equal sides: pairs of log-normal latencies whose
    level wanders from block to block, in common and by itself."""
    at = np.arange(1, BLOCKS + 1) * S // 2
    block = np.repeat(np.arange(BLOCKS), PAIRS)
    out: list[Watched] = [Series("cpu.per_message", "pooled", at[1::2], ar1(rng, phi, 0.03, BLOCKS // 2))]
    level = ar1(rng, phi, 0.1, BLOCKS)
    for n in range(CONNECTIONS):
        own = level + ar1(rng, phi, 0.05, BLOCKS)
        sides = [
            np.exp(np.repeat(own + ar1(rng, phi, 0.03, BLOCKS), PAIRS) + rng.normal(0, 0.35, len(block))) * 1e5
            for _ in range(2)
        ]
        kind = rng.integers(0, 4, len(block))
        for name, kept in (("public", kind >= 0), *((f"type{k}", kind == k) for k in range(4))):
            legacy, new, here = sides[0][kept], sides[1][kept], block[kept]
            typical = median_blocks(here, np.log(new / legacy), BLOCKS, 1)
            weight = "pooled" if name == "public" else "undeclared"
            out.append(Series(f"latency.{n}.{name}.typical", weight, at[typical.index], typical.y))
            for quantile, p in (("p90", 0.9), ("p99", 0.99)):
                line = float(np.exp(0.36 * {0.9: 1.2816, 0.99: 2.3263}[p]) * 1e5)
                pair = (legacy.astype(np.int64), new.astype(np.int64))
                out.append(Tail(f"latency.{n}.{name}.{quantile}", "undeclared", at, here, *pair, line))
        out.append(Series(f"service.{n}.public", "pooled", at, ar1(rng, phi, 0.04, BLOCKS)))
        for count in ("reconnects", "errors", "differences"):
            when = np.sort(rng.integers(0, 65 * S, 20))
            out.append(Incidents(f"{count}.{n}", "undeclared", when, rng.random(20) < 0.5))
    return out


def false_alarms(phi: float, sessions: int, seed: int) -> int:
    alpha = alpha_of(CONNECTIONS, LIMITS)
    return sum(watch(session(np.random.default_rng((seed, n)), phi), {}, alpha, LIMITS).fired for n in range(sessions))


@pytest.mark.parametrize("phi", [0.5])
def test_equal_sides_seldom_alarm(phi: float) -> None:
    """At 1 %, 20 sessions have more than this many in one of a thousand trials."""
    assert false_alarms(phi, 20, seed=1) <= binom.ppf(0.999, 20, 0.01)


@pytest.mark.long
@pytest.mark.timeout(900)
@pytest.mark.parametrize("phi", [0.0, 0.5, 0.9])
def test_a_thousand_sessions_of_equal_sides_in_all_that_is_watched(phi: float) -> None:
    assert false_alarms(phi, 1_000, seed=2) <= 15
