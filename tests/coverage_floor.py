"""Branch coverage by the checklist's groups (5.1): reads coverage's JSON, a line a group, fails below a floor.

Tests with pytest-cov's mark `no_cover` compute a lot and reach nothing that the others do not reach: traced, they would
take twice as long for the same figures.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

WEBSOCKET = "src/infrastructure/networking/websocket/"
GROUPS = {
    "base interface": (95.0, (WEBSOCKET + "base_interface.py",)),
    "mixins": (90.0, (WEBSOCKET + "mixins/",)),
    "message handlers": (95.0, (WEBSOCKET + "handlers/",)),
    "exchange implementations": (90.0, ("src/exchanges/integrations/",)),
}
LEFT_OUT = ("_pb2.py",)


def covered(files: dict[str, dict[str, dict[str, float]]], prefixes: tuple[str, ...]) -> tuple[float, int]:
    """Per cent of lines and branches covered, and how many there are."""
    hit = total = 0.0
    for name, entry in files.items():
        if name.startswith(prefixes) and not name.endswith(LEFT_OUT):
            figures = entry["summary"]
            hit += figures["covered_lines"] + figures["covered_branches"]
            total += figures["num_statements"] + figures["num_branches"]
    return (100.0 * hit / total if total else 0.0), int(total)


def main(report: Path) -> int:
    """Exit code 1 when a group is below its floor or has no code at all."""
    files = json.loads(report.read_text())["files"]
    failed = False
    for name, (floor, prefixes) in GROUPS.items():
        share, total = covered(files, prefixes)
        ok = total > 0 and share > floor
        failed = failed or not ok
        sys.stdout.write(f"coverage {name}: {share:.1f} % of {total} lines and branches (floor {floor:.0f} %)\n")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
