"""analysis.json: the numbers behind the report's figures, thinned to what a figure can show."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from shadow.verdict.assess import Assessment
from shadow.verdict.dual import dual_view
from shadow.verdict.evidence import six_digits
from shadow.verdict.latency import percentile_curve, typical_blocks
from shadow.verdict.series import TYPES
from shadow.verdict.uptime import Recovery
from shadow.verdict.views import build_views

if TYPE_CHECKING:
    from shadow.diff.codes import LegDiff, Matches
    from shadow.verdict.collect import Collected
    from shadow.verdict.series import Pairs
    from shadow.verdict.timeline import Phase

__all__ = ["build_analysis", "matched_cells", "paced_load"]

MAX_RESOURCES = 150
MAX_TIMELINE = 400


def build_analysis(collected: Collected, assessment: Assessment) -> dict[str, Any]:
    """analysis.json, schema 1. Times are seconds since the first mark, rounded to ms."""
    diffs = collected.diffs
    main = diffs.get("main")
    return {
        "schema": 1,
        "forest": _forest(assessment),
        "sequential": assessment.watch.rows(),
        "blocks": {connection: _blocks(collected, connection) for connection in collected.plan.connections},
        "tails": {connection: _tails(collected, connection) for connection in collected.plan.connections},
        "timeline": _timeline(collected),
        "resources": _resources(collected),
        "phases": [
            {
                "leg": phase.leg,
                "phase": phase.phase,
                "begin_s": _seconds(collected, phase.begin),
                "end_s": _seconds(collected, phase.end),
            }
            for phase in collected.timeline.phases
        ],
        "conservation": {
            leg: {
                role: {
                    "input": side.get("input", 0),
                    "expected": side.get("expected", 0),
                    "codes": side.get("codes", {}),
                }
                for role, side in diff.totals.items()
            }
            for leg, diff in diffs.items()
        },
        "samples": [_json({"leg": leg} | sample) for leg, diff in diffs.items() for sample in diff.samples],
        "connect": _connect(collected),
        **_loads(collected),
        "requests": _requests(collected),
        "first_arrival": _first_arrival(collected),
        **build_views(collected),
        "dual": dual_view(main.dual if main else None, collected.limits),
        "upstream": _upstream(collected),
        "totals": _totals(collected),
        "stretches": _stretches(collected),
    }


def _seconds(collected: Collected, t: int) -> float:
    return round((t - collected.timeline.origin) / 1e9, 3)


def _forest(assessment: Assessment) -> list[dict[str, Any]]:
    rows = []
    for metric in assessment.metrics:
        aa = assessment.calibration.ranges.get(metric.id)
        rows.append(
            {
                "id": metric.id,
                "unit": metric.measured.unit,
                **metric.range.as_json(),
                "verdict": metric.verdict,
                "declared": metric.measured.declared,
                "aa": aa.as_json() if aa else None,
            }
        )
    return rows


def _blocks(collected: Collected, connection: str) -> list[dict[str, Any]]:
    rows = []
    for leg, pairs in collected.pairs.items():
        phase = collected.timeline.phase(leg, "paired")
        names = collected.diffs[leg].connections
        if phase is None or connection not in names:
            continue
        mine = pairs[pairs.connection == names.index(connection)]
        blocks = typical_blocks(mine, collected.limits.session.pairs_per_block)
        block_s = collected.plan.block_s
        for index, y in zip(blocks.index.tolist(), blocks.y.tolist(), strict=True):
            begin = _seconds(collected, phase.begin)
            rows.append({"leg": leg, "t_s": round(begin + index * block_s, 3), "y": six_digits(y)})
    return rows


def _tails(collected: Collected, connection: str) -> dict[str, list[list[float | None]]]:
    curves: dict[str, list[list[float | None]]] = {"legacy": [], "new": [], "aa": []}
    plan = collected.plan
    for legs, sides in ((plan.main_legs, ("legacy", "new")), (plan.aa_legs, (None, "aa"))):
        pairs = collected.joined(legs)
        names = next((collected.diffs[leg].connections for leg in legs if leg in collected.diffs), [])
        if pairs is None or connection not in names:
            continue
        mine = pairs[pairs.connection == names.index(connection)]
        for side, values in zip(sides, (mine.legacy, mine.new), strict=True):
            if side is not None:
                curves[side] = [[six_digits(p), six_digits(v)] for p, v in percentile_curve(values)]
    return curves


def _timeline(collected: Collected) -> list[dict[str, Any]]:
    """Opens, closes and refusals as the venue saw them; subscriptions are left out."""
    rows = [
        {
            "role": row["subject"],
            "connection": row["connection"],
            "conn_no": row["conn_no"],
            "leg": row["leg"],
            "t_s": _seconds(collected, row["t"]),
            "event": row["event"],
            "cause": row["cause"],
        }
        for row in sorted(collected.connections, key=lambda row: (row["t"], row["subject"], row["connection"]))
        if row["event"] in ("open", "close", "refused")
    ]
    return rows[:MAX_TIMELINE]


def _resources(collected: Collected) -> dict[str, list[dict[str, Any]]]:
    """CPU share of one core and unique set size, at most MAX_RESOURCES points per leg and role."""
    out: dict[str, list[dict[str, Any]]] = {}
    for (leg, role), samples in collected.samples.items():
        step = -(-len(samples.t) // MAX_RESOURCES)
        t, cpu, uss = samples.t[::step], samples.cpu_ns[::step], samples.uss[::step]
        share = np.diff(cpu) / np.maximum(np.diff(t), 1)
        rows = out.setdefault(role, [])
        rows += [
            {"leg": leg, "t_s": _seconds(collected, int(at)), "cpu_share": six_digits(float(part)), "uss": int(size)}
            for at, part, size in zip(t[1:], share, uss[1:], strict=True)
        ]
    return out


def _connect(collected: Collected) -> dict[str, Any]:
    return {
        connection: {role: _recovery_figures(found) for role, found in sides.items()}
        for connection, sides in collected.recovered.items()
    }


def _recovery_figures(found: Sequence[Recovery | None]) -> dict[str, Any]:
    came = [one for one in found if one is not None]
    return {
        "reconnect_ns": _two([one.gap for one in came]),
        "connect_ns": _two([one.connect for one in came]),
        "subscribe_ns": _two([one.subscribe for one in came]),
        "n": len(found),
        "recovered": len(came),
    }


def _two(values: Sequence[int]) -> list[float | None]:
    """Median and p90."""
    return [six_digits(float(v)) for v in np.percentile(values, (50, 90))] if values else []


def _loads(collected: Collected) -> dict[str, Any]:
    """coverage_cells and load, from what was sent to the candidate of the comparison."""
    plan, main = collected.plan, collected.main
    cells: list[dict[str, Any]] = []
    load: dict[str, Any] = {"rate_asked": plan.rate, "rate_sent": None, "queued": 0, "overlapped": 0}
    if main is None:
        return {"coverage_cells": cells, "load": load}
    role, legs = main.roles[1], collected.main_legs
    stretched = collected.stretched
    expected = stretched.sent(legs, role) if stretched else _sent_cells(collected, role)
    matched = stretched.matched(legs, role) if stretched else matched_cells(main, role)
    for connection in plan.connections:
        declared = set(plan.types(connection))
        keys = sorted({key for key in (*expected, *matched) if key[0] == connection})
        cells += [
            {
                "connection": connection,
                "channel": channel,
                "symbol": symbol,
                "expected": expected.get((connection, channel, symbol), 0),
                "matched": matched.get((connection, channel, symbol), 0),
                "declared": channel in declared,
            }
            for _, channel, symbol in keys
        ]
    phases = [collected.timeline.phase(leg, "paired") for leg in collected.main_legs]
    paced_in, pairs = [phase for phase in phases if phase is not None], collected.joined(collected.main_legs)
    if paced_in and main.roles[1] in main.matches:
        load |= paced_load(main.matches[main.roles[1]], pairs, paced_in, plan.keep_one_in)
    return {"coverage_cells": cells, "load": load}


def paced_load(side: Matches, pairs: Pairs | None, paced_in: Sequence[Phase], keep_one_in: int) -> dict[str, Any]:
    """Paced frames/s, and how many frames were queued and overlapped; a paced one stands for so many as it was kept
    of, a burst's for itself."""
    is_single = np.asarray(side.burst) == -1
    single, is_queued = side.t_sent[is_single], np.asarray(side.queued)
    paced = sum(int(((single >= phase.begin) & (single < phase.end)).sum()) for phase in paced_in)
    seconds = max(sum(phase.end - phase.begin for phase in paced_in) / 1e9, 1e-9)
    queued = int((is_queued & is_single).sum()) * keep_one_in + int((is_queued & ~is_single).sum())
    return {
        "rate_sent": six_digits(paced * keep_one_in / seconds),
        "queued": queued,
        "overlapped": int(pairs.overlapped.sum()) * keep_one_in if pairs is not None else 0,
    }


def _sent_cells(collected: Collected, role: str) -> dict[tuple[str, str, str], int]:
    """Frames sent to one side in the comparison by (connection, channel, symbol)."""
    import pyarrow as pa
    import pyarrow.compute as pc

    parts = [collected.run.part("sends", ("frame_no", "subject"), leg) for leg in collected.main_legs]
    sends = pa.concat_tables(parts)
    sends = sends.filter(pc.equal(sends["subject"], role)).select(["frame_no"])
    frames = collected.run.part("frames", ("frame_no", "kind", "connection", "channel", "symbol"))
    frames = frames.filter(pc.equal(frames["kind"], "ws"))
    frames = frames.filter(pc.is_in(frames["channel"], value_set=_strings(TYPES)))
    numbers = np.sort(frames["frame_no"].to_numpy())
    order = np.argsort(frames["frame_no"].to_numpy(), kind="stable")
    sent = sends["frame_no"].to_numpy()
    at = np.searchsorted(numbers, sent)
    known = at < len(numbers)
    known[known] = numbers[at[known]] == sent[known]
    times = np.bincount(order[at[known]], minlength=len(order))
    counted = frames.append_column("times", [times]).group_by(["connection", "channel", "symbol"])
    rows = counted.aggregate([("times", "sum")]).to_pylist()
    return {(row["connection"], row["channel"], row["symbol"]): row["times_sum"] for row in rows if row["times_sum"]}


def _strings(values: Iterable[str]) -> Any:
    import pyarrow as pa

    return pa.array(list(values), pa.string())


def matched_cells(diff: LegDiff, role: str) -> dict[tuple[str, str, str], int]:
    """How many frames of one side matched, by (connection, channel, symbol)."""
    side = diff.matches.get(role)
    if side is None:
        return {}
    kinds, symbols = len(TYPES), len(diff.symbols)
    places = (np.asarray(side.connection, np.int64) * kinds + side.type) * symbols + side.symbol
    found, counts = np.unique(places, return_counts=True)
    return {
        (diff.connections[place // symbols // kinds], TYPES[place // symbols % kinds], diff.symbols[place % symbols]): n
        for place, n in zip(found.tolist(), counts.tolist(), strict=True)
    }


def _requests(collected: Collected) -> list[dict[str, Any]]:
    """How many frames and calls each side of the comparison sent, by connection and kind."""
    table = collected.run.table("requests").select(["leg", "subject", "connection", "kind"])
    counted = table.group_by(["leg", "subject", "connection", "kind"]).aggregate([([], "count_all")]).to_pylist()
    cells: dict[tuple[str, str], dict[str, int]] = {}
    for row in counted:
        if row["leg"] in collected.main_legs:
            sides = cells.setdefault((row["connection"], row["kind"]), {})
            sides[row["subject"]] = sides.get(row["subject"], 0) + row["count_all"]
    return [
        {"connection": connection, "legacy": sides.get("legacy", 0), "new": sides.get("new", 0), "kind": kind}
        for (connection, kind), sides in sorted(cells.items())
    ]


def _first_arrival(collected: Collected) -> list[dict[str, Any]]:
    """Who was first in the comparison, with the lead's quartiles (ns; above 0 = new first)."""
    main = collected.main
    return [
        {
            "connection": one.connection,
            "n": one.n,
            "new_first": one.candidate_first,
            "legacy_first": one.baseline_first,
            "lead_ns": [six_digits(float(v)) for v in np.percentile(one.lead_ns, (25, 50, 75))] if one.n else [],
        }
        for one in (main.first_arrival if main else ())
    ]


def _upstream(collected: Collected) -> list[dict[str, Any]]:
    """What a live session did at each exchange, and how often a direct one's relays held a side back."""
    held = collected.timeline.held_back
    return [
        {**row, "held_back": {role: n for (exchange, role), n in held.items() if exchange == row.get("exchange")}}
        for row in collected.timeline.budget
    ]


def _stretches(collected: Collected) -> dict[str, Any] | None:
    """What stands for the raw data of a session that was reduced while it went on, and how much of these is left."""
    if not collected.stretched:
        return None
    return {
        "legs": collected.stretched.as_json(),
        "keep_one_in": collected.plan.keep_one_in,
        "raw_frames": collected.run.part("frames", ("frame_no",)).num_rows,
    }


def _totals(collected: Collected) -> dict[str, Any]:
    events: dict[str, int] = {}
    for diff in collected.diffs.values():
        for role, side in diff.totals.items():
            events[role] = events.get(role, 0) + side.get("input", 0)
    stretched = collected.stretched
    frames = stretched.frames if stretched else collected.run.part("frames", ("frame_no",)).num_rows
    return {"frames": frames, "events": events}


def _json(sample: Mapping[str, Any]) -> dict[str, Any]:
    """A sample as JSON: bytes become text."""
    return {name: _plain(value) for name, value in sample.items()}


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.decode("utf-8", "backslashreplace")
    if isinstance(value, Mapping):
        return {str(name): _plain(part) for name, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(part) for part in value]
    if isinstance(value, np.generic):
        return value.item()
    return value if value is None or isinstance(value, (str, int, float, bool)) else str(value)
