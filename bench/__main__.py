"""`python -m bench`: prints the table, compares it with the stored baseline, says whether the gated ratios hold."""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import platform
import sys
from pathlib import Path

from bench.contenders import Contenders
from bench.frames import TYPES, frames
from bench.measure import Figures, rounds

BASELINE = Path(__file__).with_name("baseline.json")
GATES = {"book": 1.15, "trade": 1.35, "book_ticker": 1.35, "ticker": 1.35}
FRAMES = 2048
EXCHANGES = ("gateio", "mexc")


async def measure(exchange: str, event_type: str, repetitions: int) -> Figures:
    contenders = Contenders(exchange, event_type)
    try:
        return await rounds(contenders.all(), frames(exchange, event_type, FRAMES), repetitions)
    finally:
        await contenders.close()


def row(exchange: str, event_type: str, figures: Figures) -> dict[str, float | str | bool]:
    low, high = figures.spread("new", "lean")
    return {
        "exchange": exchange,
        "type": event_type,
        "lean_us": round(figures.median_ns("lean") / 1000, 2),
        "new_us": round(figures.median_ns("new") / 1000, 2),
        "new_to_lean": round(figures.ratio("new", "lean"), 3),
        "new_to_lean_low": round(low, 3),
        "new_to_lean_high": round(high, 3),
        "gate": GATES[event_type],
        "met": figures.ratio("new", "lean") <= GATES[event_type],
        "legacy_us": round(figures.median_ns("legacy") / 1000, 2),
        "legacy_to_lean": round(figures.ratio("legacy", "lean"), 3),
        "legacy_to_classic": round(figures.ratio("legacy", "classic"), 3),
        "factory_us": round(figures.median_ns("new-factory") / 1000, 2),
        "factory_to_legacy": round(figures.ratio("new-factory", "legacy"), 3),
    }


COLUMNS = (
    "exchange", "type", "lean_us", "new_us", "new_to_lean", "gate", "met",
    "legacy_us", "legacy_to_lean", "legacy_to_classic", "factory_us", "factory_to_legacy",
)  # fmt: skip


def table(rows: list[dict[str, float | str | bool]]) -> str:
    lines = [COLUMNS, *[tuple(str(entry[name]) for name in COLUMNS) for entry in rows]]
    widths = [max(len(str(line[i])) for line in lines) for i in range(len(COLUMNS))]
    return "\n".join(
        "  ".join(str(cell).rjust(width) for cell, width in zip(line, widths, strict=True)) for line in lines
    )


def against_baseline(rows: list[dict[str, float | str | bool]], path: Path) -> str:
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


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--repetitions", type=int, default=9)
    parser.add_argument("--save", action="store_true", help="store this run as the baseline")
    options = parser.parse_args()
    logging.disable(logging.CRITICAL)
    rows: list[dict[str, float | str | bool]] = []
    for exchange in EXCHANGES:
        for event_type in TYPES:
            sys.stderr.write(f"measuring {exchange} {event_type} ({len(rows) + 1} of {len(EXCHANGES) * len(TYPES)})\n")
            rows.append(row(exchange, event_type, asyncio.run(measure(exchange, event_type, options.repetitions))))
    out = [table(rows), against_baseline(rows, BASELINE)]
    missed = [f"{entry['exchange']} {entry['type']}" for entry in rows if not entry["met"]]
    out.append(
        "gated ratios (new to lean, door direct): " + ("missed by " + ", ".join(missed) if missed else "all met")
    )
    sys.stdout.write("\n".join(out) + "\n")
    if options.save:
        about = {"python": platform.python_version(), "frames": FRAMES, "repetitions": options.repetitions}
        BASELINE.write_text(json.dumps({"schema": 1, "about": about, "rows": rows}, indent=1) + "\n")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
