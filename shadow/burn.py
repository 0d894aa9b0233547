"""How long a stack takes per message in a burst, read from the running session: the measure of burned CPU."""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path

__all__ = ["service_ns"]


def service_ns(run: Path, leg: str, role: str) -> dict[str, float]:
    """Mean service time in ns per message by connection: (last callback - the burst's t_sent) / frames.

    A burst belongs to its connection until the next burst to the same role begins. The median over the bursts that
    hold the connection's mix of types; a connection without one is left out.
    """
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    from shadow.capture.reader import RunData
    from shadow.capture.tables import schema

    data = RunData(run)
    marks = data.table("marks")
    marks = marks.filter(pc.equal(marks["leg"], leg)).to_pylist()
    bursts = sorted(
        (row["t"], json.loads(row["detail"])) for row in marks if row["name"] == "burst" and row["role"] == role
    )
    names, layout = ["k", "c", "t"], schema(f"events/{role}")
    batches = data.batches(f"events/{role}", leg, names)
    events = pa.Table.from_batches(batches, pa.schema([layout.field(name) for name in names]))
    events = events.filter(pc.equal(events["k"], "event"))
    figures: dict[str, list[float]] = defaultdict(list)
    for connection in {detail["connection"] for _, detail in bursts}:
        t = np.sort(events.filter(pc.equal(events["c"], connection))["t"].to_numpy())
        for number, (began, detail) in enumerate(bursts):
            if detail["connection"] != connection or detail["type"] != "mixed":
                continue
            ended = bursts[number + 1][0] if number + 1 < len(bursts) else began + 1_000_000_000
            inside = t[(t >= began) & (t < ended)]
            if inside.size:
                figures[connection].append((inside[-1] - began) / detail["frames"])
    return {connection: float(np.median(values)) for connection, values in figures.items()}
