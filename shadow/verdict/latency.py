"""Wire-to-callback metrics: typical and quantiles, per connection and per event type."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from shadow.stats.blocks import Blocks, balanced_median_blocks, median_blocks
from shadow.stats.bootstrap import GridCounts, count_on_grid, quantile_ratio, quantile_values, resample_weights
from shadow.stats.intervals import Estimate, estimate_mean, overlap_df
from shadow.verdict.checklist import Checklist
from shadow.verdict.evidence import Measured
from shadow.verdict.plan_view import PlanView
from shadow.verdict.series import TYPES, Pairs

__all__ = ["QUANTILES", "latency_metrics", "percentile_curve", "series_id", "typical_blocks"]

QUANTILES = {"p50": 0.5, "p90": 0.9, "p99": 0.99, "p999": 0.999}


def series_id(family: str, connection: str, name: str | None) -> str:
    """`latency.gateio.spot.book`, or `.public` for all types of the connection."""
    market, _, scope = connection.rpartition(".")
    return f"{family}.{market}.{name or scope}"


def typical_blocks(pairs: Pairs, min_pairs: int) -> Blocks:
    """Typical ln(new / legacy) of each block: the median, balanced over which side got the frame first.

    The side that is written to second finds the machine awake and is faster by tens of per cent, whoever it is.
    """
    d = np.log(pairs.new / pairs.legacy)
    return balanced_median_blocks(pairs.block, d, pairs.legacy_first, pairs.declared, min_pairs)


def latency_metrics(pairs: Pairs, connections: list[str], plan: PlanView, limits: Checklist) -> list[Measured]:
    """All latency metrics of a comparison, in order of connection and type."""
    out: list[Measured] = []
    for connection in plan.connections:
        number = connections.index(connection) if connection in connections else -1
        mine = pairs[pairs.connection == number]
        out += _series(mine, connection, None, True, plan, limits)
        for name in plan.types(connection):
            declared = plan.declares_type(connection, name, limits)
            out += _series(mine[mine.type == TYPES.index(name)], connection, name, declared, plan, limits)
    return out


def _series(
    pairs: Pairs, connection: str, name: str | None, declared: bool, plan: PlanView, limits: Checklist
) -> list[Measured]:
    base = series_id("latency", connection, name)
    weight = "pooled" if name is None else "type" if declared else "undeclared"
    blocks = typical_blocks(pairs, limits.session.pairs_per_block)
    typical = Measured(
        f"{base}.typical", "ns", *_medians(pairs), estimate_mean(blocks.y), len(pairs.legacy), len(blocks.y),
        pairs.declared, declared, weight, note=_overlap_note(pairs, limits.session.pairs_per_block),
    )  # fmt: skip
    quantiles = {"p50": declared, "p90": declared and plan.declares_p90(connection, name, limits)}
    quantiles["p99"] = plan.release and name is None
    return [typical, *_quantiles(pairs, base, blocks, quantiles, weight, plan.seed, limits)]


def _medians(pairs: Pairs) -> tuple[float | None, float | None]:
    if not len(pairs.legacy):
        return None, None
    return float(np.median(pairs.legacy)), float(np.median(pairs.new))


def _overlap_note(pairs: Pairs, min_pairs: int) -> str:
    """Typical with and without the overlapped frames, in words; empty where none overlapped."""
    share = float(pairs.overlapped.mean()) if len(pairs.overlapped) else 0.0
    if share == 0.0:
        return ""
    kept = typical_blocks(pairs[~pairs.overlapped], min_pairs)
    without = f"{np.exp(kept.y.mean()):.6g}" if len(kept.y) else "no block left"
    return f"{share:.1%} of the pairs overlapped; without them {without}"


def _quantiles(
    pairs: Pairs,
    base: str,
    blocks: Blocks,
    declared: Mapping[str, bool],
    weight: str,
    seed: int,
    limits: Checklist,
) -> list[Measured]:
    n, judged = len(pairs.legacy), len(blocks.y)
    if judged < 3:
        nothing = Measured("", "ns", None, None, n=n, blocks=judged, blocks_declared=pairs.declared)
        return [_named(nothing, f"{base}.{q}", declared.get(q, False), weight) for q in QUANTILES]
    strata = _like_with_like(_levelled(pairs), blocks)
    weights = resample_weights(judged, limits.session.resamples, zlib.crc32(f"{seed}/{judged}".encode()))
    seen = [q for q, p in QUANTILES.items() if n * (1 - p) >= limits.session.tail_events]
    rare = [q for q in QUANTILES if q not in seen]
    found: dict[str, tuple[float, float, Estimate | None]] = {}
    ratios = quantile_ratio(strata, weights, [QUANTILES[q] for q in seen], overlap_df(judged))
    found |= zip(seen, ratios, strict=True)
    values = quantile_values(strata, [QUANTILES[q] for q in rare])
    found |= {q: (*sides, None) for q, sides in zip(rare, values, strict=True)}
    return [
        _named(Measured("", "ns", *found[q], n, judged, pairs.declared), f"{base}.{q}", declared.get(q, False), weight)
        for q in QUANTILES
    ]


def _levelled(pairs: Pairs) -> Pairs:
    """The pairs with each block's common level divided out, the same factor for both sides.

    Seconds in which the whole machine is slow would otherwise make up all of a tail, and its quantile would compare two
    handfuls of frames. What one side does worse than the other stays as it is.
    """
    common = (np.log(pairs.legacy) + np.log(pairs.new)) / 2
    blocks = median_blocks(pairs.block, common, pairs.declared, 1)
    level = np.zeros(pairs.declared + 1)
    level[blocks.index] = blocks.y - blocks.y.mean()
    factor = np.exp(-level[pairs.block])
    scaled = [np.rint(side * factor).astype(np.int64) for side in (pairs.legacy, pairs.new)]
    return replace(pairs, legacy=scaled[0], new=scaled[1])


def _like_with_like(pairs: Pairs, blocks: Blocks) -> list[tuple[GridCounts, GridCounts]]:
    """Counts of each side's frames that it got first, and of those that it got second; all together where one order
    is rare."""
    first = pairs.legacy_first
    orders = [(first, ~first), (~first, first)]
    if not 0.2 < first.mean() < 0.8:
        orders = [(first | True, first | True)]
    sides = (pairs.legacy, pairs.new)

    def counts(side: int, kept: npt.NDArray[np.bool_]) -> GridCounts:
        return count_on_grid(pairs.block[kept], sides[side][kept], blocks.index)

    return [(counts(0, legacy), counts(1, new)) for legacy, new in orders]


def _named(figure: Measured, name: str, declared: bool, weight: str) -> Measured:
    return replace(figure, id=name, declared=declared, weight=weight if declared else "undeclared")


def percentile_curve(values: npt.NDArray[np.int64]) -> list[list[float]]:
    """[[percentile, ns]..] from the median to the largest that the number of values supports."""
    steps = [50.0, 60.0, 70.0, 80.0, 90.0, 95.0, 98.0, 99.0, 99.5, 99.8, 99.9, 99.95, 99.99]
    kept = [p for p in steps if len(values) * (1 - p / 100) >= 1]
    return [[p, float(v)] for p, v in zip(kept, np.percentile(values, kept), strict=True)] if kept else []
