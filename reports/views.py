"""Section j: who was first, latency against load, the worst symbols, and who had the older top of the book."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from reports.run_data import ReportInput
from reports.series import LoadClass, SymbolFigures
from reports.tables import Table
from reports.text import NO_DATA, count, percent, plain, quantity, ratio

__all__ = ["by_load", "first_arrival", "top_of_book", "worst_symbols"]

SYMBOLS_SHOWN: Final = 30


def first_arrival(data: ReportInput) -> Table:
    """Who delivered first in the main leg, by connection."""
    rows = []
    for one in data.analysis.first_arrival:
        lead = [quantity(value, "ns") for value in [*(one.lead_ns or []), None, None, None][:3]]
        share = None if not one.n or one.new_first is None else one.new_first / one.n
        rows.append([one.connection, count(one.n), percent(share), count(one.legacy_first), *lead])
    head = ["Connection", "Events", "New first", "Legacy first", "Lead of new, p25", "p50", "p75"]
    return Table("Who was first", head, rows)


def by_load(data: ReportInput) -> Table:
    """Latency against message rate."""
    rows = [
        [
            one.connection or "all together",
            _rates(one),
            count(one.n),
            *_figures(one.legacy_ns),
            *_figures(one.new_ns),
            ratio(one.ratio),
        ]
        for one in data.analysis.by_load
    ]
    head = ["Connection", "Frames/s", "Frames", "Legacy p50", "p90", "New p50", "p90", "New / legacy, typical"]
    return Table("Latency against load", head, rows)


def worst_symbols(data: ReportInput) -> Table:
    """Symbols with their figures, worst first."""
    ordered = sorted(data.analysis.symbols, key=_badness)
    rows = [
        [
            f"{one.symbol or '(no symbol)'} · {one.connection}",
            count(one.n),
            _figures(one.legacy_ns)[0],
            _figures(one.new_ns)[0],
            ratio(one.ratio),
            ratio(one.service),
            f"{count(one.differences.get('new'))} / {count(one.differences.get('legacy'))}",
        ]
        for one in ordered[:SYMBOLS_SHOWN]
    ]
    head = ["Symbol", "Frames", "Legacy p50", "New p50", "New / legacy, typical", "Service, new / legacy"]
    left = len(ordered) - len(rows)
    caption = f"Worst symbols ({left} better ones in analysis.json)" if left else "Worst symbols"
    return Table(caption, [*head, "Serious differences, new / legacy"], rows)


def top_of_book(data: ReportInput) -> Table:
    """Who had the older top of the book, and for how long."""
    rows = [
        [
            f"{one.symbol or '(no symbol)'} · {one.connection}",
            count(one.n),
            *(_per_hour(value) for value in (one.new_behind_ms_h, one.legacy_behind_ms_h, one.apart_ms_h)),
        ]
        for one in data.analysis.top_of_book
    ]
    return Table("Older top of the book", ["Symbol", "Book tickers", "New behind", "Legacy behind", "Either"], rows)


def _badness(one: SymbolFigures) -> tuple[float, float, str, str]:
    return -(one.differences.get("new") or 0), -(one.ratio or 0), one.connection, one.symbol


def _rates(one: LoadClass) -> str:
    return count(one.low) if one.low == one.high else f"{count(one.low)} to {count(one.high)}"


def _figures(pair: Sequence[float | None] | None) -> list[str]:
    return [quantity(value, "ns") for value in [*(pair or []), None, None][:2]]


def _per_hour(value: float | None) -> str:
    return NO_DATA if value is None else f"{plain(value, 3)} ms/h"
