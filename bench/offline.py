"""`python -m bench.offline`: events/s and peak memory of the offline join, on made-up tables, in a process of its own.

Both sides' rows are made first, with events left out, doubled and changed here and there; the counts must be those.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from time import perf_counter, process_time

from shadow.offline.buckets import join_all
from shadow.offline.join import connect, quoted
from shadow.offline.settle import merged

__all__ = ["main", "make_tables"]

STREAMS = 24
EVERY = 100_000
"""One event in so many is left out, one doubled, one changed."""
RATE = 10_000
"""Events a second of the made-up time."""


def make_tables(folder: Path, events: int) -> None:
    """owed.parquet and given.parquet of one side, in order of time."""
    db = connect("4GB", folder / "spill")
    made = (
        f"SELECT (i % {STREAMS})::INT AS stream, (i // {RATE * 60}) AS minute, (hash(i) >> 1)::BIGINT AS key,"
        f" i // {STREAMS} AS place_in, i * {10**9 // RATE} AS time, i FROM range({events}) AS r(i)"
    )
    digest = "(hash(key + 1) >> 1)::BIGINT"
    options = "(FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE 61440)"
    db.execute(
        "COPY (SELECT stream, minute, key, place_in AS owed_no, time AS t_sent, false AS edge, i AS frame_no,"
        f" 0::INT AS place, {digest} AS d1, NULL::BIGINT AS d2, NULL::BIGINT AS d3, NULL::BIGINT AS d4"
        f" FROM ({made}) ORDER BY i)"
        f" TO {quoted(folder / 'owed.parquet')} {options}"
    )
    db.execute(
        "COPY (SELECT stream, minute, key, row_number() OVER (PARTITION BY stream ORDER BY i, copy) AS given_no,"
        f" 1::INT AS shape, {digest} + (i % {EVERY} = 2)::INT AS digest, time + 200000 AS t"
        f" FROM ({made}), (VALUES (0), (1)) AS c(copy) WHERE i % {EVERY} <> 0 AND (copy = 0 OR i % {EVERY} = 1)"
        f" ORDER BY i, copy) TO {quoted(folder / 'given.parquet')} {options}"
    )


def join_tables(folder: Path, memory: str) -> dict[str, float]:
    """Join the tables; figures of this process."""
    db = connect(memory, folder / "spill")
    began, began_cpu = perf_counter(), process_time()
    counts = merged(*join_all(db, folder / "owed.parquet", folder / "given.parquet", folder / "joined")).values()
    spent_s, cpu_s = perf_counter() - began, process_time() - began_cpu
    names = ("owed", "given", "equal", "changed", "missing", "extra", "repeated", "behind")
    totals = {name: float(sum(getattr(one, name) for one in counts)) for name in names}
    events = totals["owed"] + totals["given"]
    speed = {"seconds": spent_s, "events_s": events / spent_s, "cpu_s": cpu_s, "events_cpu_s": events / cpu_s}
    return totals | speed | {"peak_mib": peak_mib()}


def peak_mib() -> float:
    """The most that this program had in memory; `ru_maxrss` would tell of the parent, too."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM"))


def main() -> int:
    """Print one line; 1 where the counts are not those that were made."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=10_000_000, help="of one side, default 10 million")
    parser.add_argument("--memory", default="512MB")
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.folder is not None:
        sys.stdout.write(json.dumps(join_tables(options.folder, options.memory)) + "\n")
        return 0
    with tempfile.TemporaryDirectory() as name:
        make_tables(Path(name), options.events)
        words = [sys.executable, "-m", "bench.offline", "--memory", options.memory, "--folder", name]
        found = json.loads(subprocess.run(words, stdout=subprocess.PIPE, check=True).stdout)
    sys.stdout.write(json.dumps(found) + "\n")
    defects = [(options.events - first + EVERY - 1) // EVERY for first in range(3)]
    return 0 if [found[name] for name in ("missing", "repeated", "changed")] == defects else 1


if __name__ == "__main__":
    sys.exit(main())
