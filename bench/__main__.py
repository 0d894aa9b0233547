"""`python -m bench`: prints both tables, compares them with the stored baseline, says whether the gated ratios hold."""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import platform
import sys
from pathlib import Path

from bench.contenders import Contenders
from bench.measure import Figures, rounds
from bench.wire import WIRE_FRAMES, wire_server
from bench.wire_contenders import WireContenders
from shadow.subjects.probe.frames import TYPES, frames

BASELINE = Path(__file__).with_name("baseline.json")
GATES = {"book": 1.15, "trade": 1.35, "book_ticker": 1.35, "ticker": 1.35}
FRAMES = 2048
EXCHANGES = ("gateio", "mexc")
# Over a socket: at least this share of lean's rate, and at most this share of legacy's CPU time.
WIRE_GATE = 0.9
CPU_GATE = 0.85
Row = dict[str, float | str | bool]


async def measure_wire(exchange: str, event_type: str, url: str, repetitions: int) -> Figures:
    contenders = WireContenders(exchange, event_type, url, WIRE_FRAMES)
    try:
        return await rounds(await contenders.all(), frames(exchange, event_type, WIRE_FRAMES), repetitions)
    finally:
        await contenders.close()


async def measure(exchange: str, event_type: str, repetitions: int) -> Figures:
    contenders = Contenders(exchange, event_type)
    try:
        return await rounds(contenders.all(), frames(exchange, event_type, FRAMES), repetitions)
    finally:
        await contenders.close()


def row(exchange: str, event_type: str, figures: Figures) -> Row:
    low, high = figures.spread("new", "lean")
    return {
        "exchange": exchange,
        "type": event_type,
        "lean_us": round(figures.median_ns("lean") / 1000, 2),
        "new_us": round(figures.median_ns("new") / 1000, 2),
        "new_to_lean": round(figures.ratio("new", "lean"), 3),
        "low": round(low, 3),
        "high": round(high, 3),
        "gate": GATES[event_type],
        "met": figures.ratio("new", "lean") <= GATES[event_type],
        "metered_to_lean": round(figures.ratio("lean-metered", "lean"), 3),
        "legacy_us": round(figures.median_ns("legacy") / 1000, 2),
        "legacy_to_lean": round(figures.ratio("legacy", "lean"), 3),
        "legacy_to_classic": round(figures.ratio("legacy", "classic"), 3),
        "factory_us": round(figures.median_ns("new-factory") / 1000, 2),
        "factory_to_legacy": round(figures.ratio("new-factory", "legacy"), 3),
    }


def wire_row(exchange: str, event_type: str, figures: Figures) -> Row:
    rate = figures.ratio("lean", "new")
    return {
        "exchange": exchange,
        "type": event_type,
        "lean_us": round(figures.median_ns("lean") / 1000, 2),
        "new_us": round(figures.median_ns("new") / 1000, 2),
        "rate_to_lean": round(rate, 3),
        "rate_to_lean_framed": round(figures.ratio("lean-framed", "new"), 3),
        "gate": WIRE_GATE,
        "met": rate >= WIRE_GATE,
        "legacy_us": round(figures.median_ns("legacy") / 1000, 2),
        "factory_us": round(figures.median_ns("new-factory") / 1000, 2),
        "factory_cpu_to_legacy": round(figures.cpu_ratio("new-factory", "legacy"), 3),
        "cpu_gate": CPU_GATE,
        "cpu_met": figures.cpu_ratio("new-factory", "legacy") <= CPU_GATE,
    }


def table(rows: list[Row]) -> str:
    columns = tuple(rows[0])
    lines = [columns, *[tuple(str(entry[name]) for name in columns) for entry in rows]]
    widths = [max(len(str(line[i])) for line in lines) for i in range(len(columns))]
    return "\n".join(
        "  ".join(str(cell).rjust(width) for cell, width in zip(line, widths, strict=True)) for line in lines
    )


def against_baseline(rows: list[Row], path: Path) -> str:
    """One line a cell on how the ratios moved since the stored baseline."""
    if not path.is_file():
        return "no baseline stored yet; store this run with --save"
    stored = {(r["exchange"], r["type"]): r for r in json.loads(path.read_text())["rows"]}
    lines = [f"against the baseline ({path.name}):"]
    for entry in rows:
        old = stored.get((entry["exchange"], entry["type"]))
        if old:
            moved = float(entry["new_to_lean"]) / float(old["new_to_lean"]) - 1
            to_legacy = float(entry["factory_to_legacy"]) / float(old["factory_to_legacy"]) - 1
            lines.append(
                f"  {entry['exchange']} {entry['type']}: new/lean {moved:+.1%}, factory new/legacy {to_legacy:+.1%}"
            )
    return "\n".join(lines)


async def measure_all(repetitions: int) -> tuple[list[Row], list[Row]]:
    """Frame to callback, then socket to callback."""
    rows: list[Row] = []
    wire_rows: list[Row] = []
    cells = [(exchange, event_type) for exchange in EXCHANGES for event_type in TYPES]
    for number, cell in enumerate(cells, 1):
        sys.stderr.write(f"frame to callback: {' '.join(cell)} ({number} of {len(cells)})\n")
        rows.append(row(*cell, await measure(*cell, repetitions)))
    async with wire_server() as url:
        for number, cell in enumerate(cells, 1):
            sys.stderr.write(f"socket to callback: {' '.join(cell)} ({number} of {len(cells)})\n")
            wire_rows.append(wire_row(*cell, await measure_wire(*cell, url, repetitions)))
    return rows, wire_rows


def gates(rows: list[Row], wire_rows: list[Row]) -> tuple[list[str], bool]:
    """A line for each gate, and whether all are met."""
    lines, is_met = [], True
    for what, entries, met in (
        ("new to lean, frame to callback", rows, "met"),
        ("rate against lean, socket to callback", wire_rows, "met"),
        ("CPU against legacy, socket to callback", wire_rows, "cpu_met"),
    ):
        missed = [f"{entry['exchange']} {entry['type']}" for entry in entries if not entry[met]]
        is_met = is_met and not missed
        lines.append(f"gated: {what}: " + ("missed by " + ", ".join(missed) if missed else "all met"))
    return lines, is_met


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--repetitions", type=int, default=9)
    parser.add_argument("--gate", action="store_true", help="exit with 1 where a gated figure is missed")
    parser.add_argument("--save", action="store_true", help="store this run as the baseline")
    options = parser.parse_args()
    logging.disable(logging.CRITICAL)
    rows, wire_rows = asyncio.run(measure_all(options.repetitions))
    lines, is_met = gates(rows, wire_rows)
    out = ["frame to callback", table(rows), "", "socket to callback", table(wire_rows), ""]
    sys.stdout.write("\n".join([*out, against_baseline(rows, BASELINE), *lines]) + "\n")
    if options.save:
        about = {"python": platform.python_version(), "frames": FRAMES, "repetitions": options.repetitions}
        stored = {"schema": 1, "about": about, "rows": rows, "socket": wire_rows}
        BASELINE.write_text(json.dumps(stored, indent=1) + "\n")
    return 1 if options.gate and not is_met else 0


if __name__ == "__main__":
    sys.exit(main())
