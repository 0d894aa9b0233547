"""The rates of a direct session against their floor: what two legacies show on connections of their own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from shadow.stats.counts import incidents_p_value
from shadow.verdict.checklist import Checklist
from shadow.verdict.evidence import Census, Measured, Range, six_digits

if TYPE_CHECKING:
    from shadow.diff.codes import Dual, Rate

__all__ = ["dual_metrics", "dual_view"]

CODES = ("MISSING", "LATE", "FIELD", "STATE")
PAIRED = frozenset({"STATE"})
"""Counted between two books: the candidate's against the baseline's, and the floor between two baselines."""


def dual_metrics(dual: Dual | None, connections: Sequence[str], limits: Checklist) -> list[Measured]:
    """`dual.<code>.<connection>`: REGRESSION when the candidate's incidents are more than 1.10 times the floor's rate
    explains (one-sided, binomial, at the checklist's alpha for incidents); HOLD where nothing could be compared."""
    if dual is None:
        return []
    found = {(rate.code, rate.connection): rate for rate in dual.rates}
    return [
        _metric(code, connection, found.get((code, connection)), _compared(dual, code, connection), limits)
        for connection in connections
        for code in CODES
        if code not in PAIRED or connection.endswith(".public")
    ]


def _compared(dual: Dual, code: str, connection: str) -> int:
    return (dual.versions if code in PAIRED else dual.compared).get(connection, 0)


def p_value(rate: Rate, margin: float) -> float:
    """Chance of as many incidents of the candidate while its rate is at most `margin` times the floor's."""
    new, legacy, third = rate.incidents
    if rate.code in PAIRED:
        return incidents_p_value(new, third, margin)
    return incidents_p_value(new, legacy + third, margin, 0.5)


def _metric(code: str, connection: str, rate: Rate | None, compared: int, limits: Checklist) -> Measured:
    name = f"dual.{code.lower()}.{connection}"
    if not compared:
        return Measured(name, "incidents", None, None, declared=True, note="nothing to compare in time")
    new, legacy, third = rate.incidents if rate is not None else (0, 0, 0)
    floor = float(third) if code in PAIRED else (legacy + third) / 2
    p = p_value(rate, limits.session.margin) if rate is not None else 1.0
    ratio = new / floor if floor else None
    events = "" if rate is None else f", {'/'.join(map(str, rate.events))} events"
    note = f"{new} incidents of new, {legacy} of legacy, {third} of the second legacy{events}, p {six_digits(p):g}"
    worse = p < limits.uptime.incident_alpha
    census = Census(Range(ratio, ratio, ratio), "REGRESSION" if worse else "PASS", note)
    return Measured(name, "incidents", floor, float(new), n=compared, declared=True, census=census, note=note)


def dual_view(dual: Dual | None, limits: Checklist) -> dict[str, Any] | None:
    """For analysis.json: every rate with its counts and chance, what was compared and what all lacked alike."""
    if dual is None:
        return None
    rates = [
        {
            "code": rate.code,
            "connection": rate.connection,
            "incidents": list(rate.incidents),
            "events": list(rate.events),
            "p": six_digits(p_value(rate, limits.session.margin)),
        }
        for rate in dual.rates
    ]
    return {
        "roles": list(dual.roles),
        "rates": rates,
        "compared": dual.compared,
        "versions": dual.versions,
        "shared": dual.shared,
    }
