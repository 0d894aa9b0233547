"""How soon the judge's rules could speak, on figures made by hand."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from shadow.drill.bounds import first_blocks, level_passed, memory_s, pairs_needed, soonest, stability_s
from shadow.drill.view import Judged
from shadow.stats.power import blocks_needed
from shadow.verdict.checklist import load_checklist
from shadow.verdict.metrics import judge_metric
from shadow.verdict.resources import Samples
from shadow.verdict.series import ServicePair
from shadow.verdict.service import middle_half, service_metrics
from shadow.verdict.timeline import Phase

SECOND = 1_000_000_000
MIB = 1 << 20
PLACE = "gateio.spot.public"


def test_the_soonest_moment_is_a_step_behind_the_cause_and_none_beyond_the_bound() -> None:
    assert soonest(lambda t: t >= SECOND, SECOND, 1.0) == 0.0
    assert soonest(lambda t: t >= SECOND + 350_000_000, SECOND, 1.0) == 0.4
    assert soonest(lambda t: t >= 2 * SECOND, SECOND, 1.0) == 1.0
    assert soonest(lambda t: t > 2 * SECOND, SECOND, 1.0) is None


def samples(uss_mib: list[float]) -> Samples:
    t = np.arange(len(uss_mib), dtype=np.int64) * SECOND // 4
    return Samples(t, t, (np.array(uss_mib) * MIB).astype(np.int64))


def judged(**collected: Any) -> Judged:
    parts: Any = SimpleNamespace(**collected)
    return Judged(parts, parts)


def phase_of(seconds: float) -> Any:
    phase = Phase("main", "paired", 0, int(seconds * SECOND))
    return SimpleNamespace(phases=[phase], phase=lambda leg, name: phase)


def test_the_level_is_passed_where_both_limits_are() -> None:
    legacy = samples([50.0] * 8)
    assert level_passed(legacy, samples([50, 55, 57, 59, 61, 70, 80, 90]), 1.2, 8 * MIB) == 4 * SECOND // 4
    assert level_passed(legacy, samples([50.0] * 8), 1.2, 8 * MIB) is None
    small = samples([10.0] * 8)
    assert level_passed(small, samples([10, 13, 15, 17, 18, 19, 20, 21]), 1.2, 8 * MIB) == 5 * SECOND // 4


def test_memory_speaks_within_a_second_of_its_level_and_never_without_a_leak() -> None:
    flat, rising = samples([50.0] * 40), samples([50.0 + max(0, n - 8) for n in range(40)])
    leak = judged(samples={("main", "legacy"): flat, ("main", "new"): rising}, timeline=phase_of(10))
    soonest_s = memory_s(leak, 10.0)
    assert soonest_s is not None
    assert 0.2 <= soonest_s <= 1.3
    none = judged(samples={("main", "legacy"): flat, ("main", "new"): flat}, timeline=phase_of(10))
    assert memory_s(none, 10.0) is None


def test_stability_speaks_when_its_share_is_lost() -> None:
    def row(role: str, t: float, event: str, conn_no: int = 1) -> dict[str, Any]:
        place = {"leg": "main", "subject": role, "conn_no": conn_no, "channel": "book", "symbol": "BTC_USDT"}
        return place | {"t": int(t * SECOND), "event": event, "cause": "client", "code": None}

    steady = [row(role, 0.0, "subscribed") for role in ("legacy", "new")]
    gone = [row("new", 4.0, "close"), row("new", 5.0, "subscribed", 2)]
    plan = SimpleNamespace(connections=[PLACE])
    away = judged(connections=[*steady, *gone], timeline=phase_of(10), plan=plan)
    spoken = stability_s(away, 4 * SECOND, 5.0)
    assert spoken is not None
    assert spoken <= 0.2
    assert stability_s(judged(connections=steady, timeline=phase_of(10), plan=plan), 4 * SECOND, 5.0) is None


@pytest.mark.parametrize(("ratio", "speaks"), [(1.3, True), (1.0, False)])
def test_service_time_speaks_within_the_blocks_of_its_power_statement(ratio: float, speaks: bool) -> None:
    chance = np.random.default_rng(3)
    pairs = [ServicePair(1000.0, 1000.0 * ratio * float(np.exp(noise)), n, 128)
             for n, noise in enumerate(chance.normal(0.0, 0.04, 60))]  # fmt: skip
    cells = {(PLACE, "mixed"): pairs}
    plan: Any = SimpleNamespace(connections=[PLACE], types=lambda _: ["book"])
    limits = load_checklist()
    metrics = [judge_metric(one, 0.001, "ok", limits) for one in service_metrics(cells, plan)]
    found = judged(plan=plan, cells={"main": cells}, metrics=metrics)
    blocks, needed = first_blocks(found)
    if speaks:
        assert blocks is not None
        assert needed is not None
        assert 8 <= blocks <= needed
    else:
        assert blocks is None


@pytest.mark.parametrize("noise", [0.05, 0.1])
def test_the_statement_holds_in_nineteen_of_twenty_and_without_the_t_of_so_few_pairs_would_not(noise: float) -> None:
    chance, alpha, ratio = np.random.default_rng(5), 7e-4, 1.3

    def pairs(n: int) -> tuple[np.ndarray, np.ndarray]:
        return np.ones(n), ratio * np.exp(chance.normal(0.0, noise, n))

    def speaks(n: int) -> bool:
        estimate = middle_half(*pairs(n))
        return estimate is not None and estimate.lower(alpha) > np.log(1.10)

    known = middle_half(*pairs(20_000))
    assert known is not None
    sd = known.se * float(np.sqrt(known.n))
    stated, by_z = pairs_needed(sd, ratio, 1.10, alpha), blocks_needed(sd, ratio, 1.10, alpha, 0.95)
    assert 0.92 < np.mean([speaks(stated) for _ in range(500)]) < 0.98
    assert np.mean([speaks(max(8, by_z)) for _ in range(500)]) < 0.7
