"""A direct session's own tables: each side on its own connections, the floor, and what it cost the exchange."""

from __future__ import annotations

from collections.abc import Sequence

from reports.run_data import ReportInput
from reports.tables import Table
from reports.text import count, plain

__all__ = ["rates", "upstream"]

SIDES = 3


def rates(data: ReportInput) -> Table:
    """Incidents of each side by class and connection, and per connection what was compared."""
    dual = data.analysis.dual
    if dual is None:
        return Table("Own connections", [], [])
    rows = [
        [
            f"{rate.code} · {rate.connection}",
            *(count(n) for n in [*rate.incidents, None, None, None][:SIDES]),
            _joined(rate.events),
            plain(rate.p, 3),
        ]
        for rate in dual.rates
    ]
    for connection, n in dual.compared.items():
        versions = count(dual.versions.get(connection))
        holes = count(dual.shared.get(connection, 0))
        said = f"{count(n)} events, {versions} book versions in common, {holes} shared holes"
        rows.append([f"compared · {connection}", "", "", "", said, ""])
    head = ["Class and connection", "New", "Legacy", "Second legacy", "Events, new / legacy / second", "Chance"]
    return Table("Own connections: incidents", head, rows)


def upstream(data: ReportInput) -> Table:
    """What all legs together did at each exchange."""
    rows = [
        [
            one.exchange,
            *(count(n) for n in (one.opened, one.most_connections, one.subscribed, one.messages)),
            count(one.rest_weight),
            count(one.listen_keys),
            count(one.refused),
            _sides(one.held_back),
        ]
        for one in data.analysis.upstream
    ]
    head = ["Exchange", "Opened", "At once", "Subscriptions", "Messages", "REST weight", "Listen keys", "Over budget"]
    return Table("At the exchange", [*head, "Held back, by side"], rows)


def _joined(values: Sequence[float | None]) -> str:
    return " / ".join(count(n) for n in values)


def _sides(held: dict[str, float | None]) -> str:
    return ", ".join(f"{role} {count(n)}" for role, n in sorted(held.items())) or "none"
