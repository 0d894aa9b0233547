"""The checklist's targets with what was measured of them: shown, never decisive."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
import numpy as np

from shadow.capture.probe_file import Probe
from shadow.verdict.checklist import Target
from shadow.verdict.evidence import six_digits
from shadow.verdict.metrics import JudgedMetric
from shadow.verdict.uptime import Recovery

__all__ = ["Stamped", "TargetData", "stamped_times", "target_lines"]

_ONE = {"us": 1e3, "ms": 1e6, "s": 1e9, "blocks": 1.0, "ratio": 1.0, "MiB": float(1 << 20)}
_PARTS = {"connect": "connect", "subscribe": "subscribe", "reconnect": "gap"}
NO_LAYER = "this stack has no such layer"
Stamped = dict[tuple[str, str], list[int]]
"""(connection, type) to recv-to-callback times in ns."""


class _Stamps(msgspec.Struct):
    t: int | None = None
    recv: int | None = None


def stamped_times(rows: Iterable[tuple[str, str, bytes]]) -> Stamped:
    """Times from the optional stamp `recv` to `t` of events (connection, type, body); unreadable bodies are skipped."""
    decode = msgspec.json.Decoder(_Stamps).decode
    out: Stamped = {}
    for connection, kind, body in rows:
        try:
            stamps = decode(body)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            continue
        if stamps.t is not None and stamps.recv is not None and stamps.t >= stamps.recv:
            out.setdefault((connection, kind), []).append(stamps.t - stamps.recv)
    return out


@dataclass(frozen=True)
class TargetData:
    """Where the figures come from. `stamped` is of the new stack; `recovered` by connection and role."""

    probe: Probe
    stamped: Stamped = field(default_factory=dict)
    recovered: Mapping[str, Mapping[str, Sequence[Recovery | None]]] = field(default_factory=dict)
    metrics: Mapping[str, JudgedMetric] = field(default_factory=dict)


@dataclass(frozen=True)
class _Side:
    """One side's p50 and p99 in the target's unit, of n samples; without them `why` says what is missing."""

    p50: float | None = None
    p99: float | None = None
    n: int = 0
    why: str = ""


def target_lines(targets: Sequence[Target], data: TargetData, margin: float) -> list[dict[str, Any]]:
    """One line per target, in the checklist's order: p50 and p99 of new and of legacy, their ratio, and `met`.

    Null figures come with `why`. `met` is p50 against the limit; without a limit new against legacy, at most `margin`
    times as bad; of a session's metric its own verdict. Null where nothing can be said.
    """
    ordered = sorted(targets, key=lambda target: [int(part) for part in target.id.split(".")])
    return [_line(target, data, margin) for target in ordered]


def _line(target: Target, data: TargetData, margin: float) -> dict[str, Any]:
    source = target.source
    if source == "stamps" and len(data.stamped.get((target.connection, target.type), ())) < target.minimum:
        source = "probe"
    legacy, new = (_side(target, source, data, role) for role in ("legacy", "new"))
    ratio = _ratio(target, data, legacy, new)
    met = _met(target, data, new.p50 if target.limit is not None else ratio, margin)
    why = new.why or (f"legacy: {legacy.why}" if target.limit is None and legacy.why else "")
    return {
        "id": target.id,
        "what": target.what,
        "unit": target.unit,
        "limit": target.limit,
        "direction": target.direction,
        "p50": new.p50,
        "p99": new.p99,
        "legacy_p50": legacy.p50,
        "legacy_p99": legacy.p99,
        "ratio": ratio,
        "met": met,
        "n": new.n,
        "source": source,
        "why": why or ("not decided by this session" if met is None else ""),
    }


def _ratio(target: Target, data: TargetData, legacy: _Side, new: _Side) -> float | None:
    if target.source == "metric":
        return six_digits(data.metrics[target.figure].range.best) if target.figure in data.metrics else None
    if new.p50 is None or not legacy.p50:
        return None
    pairs = _pairs(target, data.probe) if target.source in ("probe", "stamps") and not target.over else []
    return six_digits(float(np.median(pairs)) if pairs else new.p50 / legacy.p50)


def _pairs(target: Target, probe: Probe) -> list[float]:
    """new / legacy of values taken in turn, so that a slow spell of the machine meets both; none where they differ."""
    legacy, new = (_figure(probe, role, target.figure) for role in ("legacy", "new"))
    if len(legacy) != len(new) or min(legacy) <= 0:
        return []
    ratios = [b / a for a, b in zip(legacy, new, strict=True)]
    return [1 / ratio for ratio in ratios if ratio] if target.unit == "1/s" else ratios


def _met(target: Target, data: TargetData, value: float | None, margin: float) -> bool | None:
    if target.source == "metric":
        metric = data.metrics.get(target.figure)
        return {"PASS": True, "REGRESSION": False}.get(metric.verdict) if metric is not None else None
    if value is None:
        return None
    limit = target.limit if target.limit is not None else margin
    if target.direction == "below":
        return value <= limit
    return value >= (limit if target.limit is not None else 1 / limit)


def _side(target: Target, source: str, data: TargetData, role: str) -> _Side:
    if source == "stamps":
        return _quantiles(target, data.stamped[target.connection, target.type]) if role == "new" else _Side()
    if source == "probe":
        return _probed(target, data.probe, role)
    if source == "metric":
        return _of_metric(target, data.metrics.get(target.figure), role)
    if source == "tests":
        return _Side(why="a behaviour without a figure; tests prove it")
    found = data.recovered.get(target.connection, {}).get(role)
    if found is None:
        return _Side(why=f"no connect leg of {target.connection} in this session")
    return _quantiles(target, [getattr(one, _PARTS[source]) for one in found if one is not None])


def _probed(target: Target, probe: Probe, role: str) -> _Side:
    if probe.skipped or role in probe.missing:
        return _Side(why=probe.skipped or probe.missing[role])
    values = _figure(probe, role, target.figure)
    if not values:
        return _Side(why=NO_LAYER)
    if not target.over:
        return _quantiles(target, values)
    below = _figure(probe, role, target.over)
    if min(len(values), len(below)) < target.minimum:
        return _Side(n=len(values), why=_too_few(min(len(values), len(below)), target))
    return _Side(six_digits(float(np.median(values) / np.median(below))), None, len(values))


def _figure(probe: Probe, role: str, figure: str) -> list[int]:
    """The values of a figure, or of all figures whose names go on behind it."""
    found = probe.figures.get(role, {})
    return [value for name in sorted(found) if f"{name}.".startswith(f"{figure}.") for value in found[name]]


def _quantiles(target: Target, values: Sequence[int]) -> _Side:
    if len(values) < target.minimum:
        return _Side(n=len(values), why=_too_few(len(values), target))
    p50, p99 = (float(value) for value in np.percentile(np.array(values, np.float64), (50, 99)))
    if target.unit == "1/s":
        p50, p99 = (1e9 / value if value else 0.0 for value in (p50, p99))
        return _Side(six_digits(p50), six_digits(p99), len(values))
    return _Side(six_digits(p50 / _ONE[target.unit]), six_digits(p99 / _ONE[target.unit]), len(values))


def _too_few(n: int, target: Target) -> str:
    return f"too few: {n} of {target.minimum}"


def _of_metric(target: Target, metric: JudgedMetric | None, role: str) -> _Side:
    value = None if metric is None else getattr(metric.measured, role)
    if metric is None or value is None:
        return _Side(why="no figure in this session")
    return _Side(six_digits(value / _ONE.get(target.unit, 1.0)), None, metric.measured.n)
