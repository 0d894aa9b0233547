"""CPU burned in a subject, by how long a stack takes per message in a burst of the same session."""

from __future__ import annotations

import asyncio
import json
from collections import defaultdict
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from shadow.children import Message
from shadow.config import SessionConfig
from shadow.plan import Leg

__all__ = ["Burns"]

CONTROL_SHARE = 0.30
Mark = Callable[[str, str, str, Message], Awaitable[None]]


class Burns:
    """What each leg's subjects are told, CPU to burn included; `mark` writes down how much of it."""

    def __init__(self, config: SessionConfig, folder: Path, mark: Mark) -> None:
        self._config = config
        self._folder = folder
        self._mark = mark
        self._service_ns: dict[str, dict[str, float]] = {}

    async def measure(self, leg: Leg) -> None:
        """Right behind the leg that later burns are measured by: by then its raw data may be gone."""
        if leg.leg == "aa1":
            for role in leg.roles:
                self._service_ns[role] = await asyncio.to_thread(service_ns, self._folder, leg.leg, role)

    async def options(self, leg: Leg) -> dict[str, dict[str, Any]]:
        """By role: what the settings say, the compressed day, and CPU burned for the positive control or a drill."""
        scale = self._config.time_scale
        day = {} if scale == 1.0 else {"time_scale": scale}
        options: dict[str, dict[str, Any]] = {role: day | self._config.options.get(role, {}) for role in leg.roles}
        asked = self._config.burn
        if leg.leg == "control":
            options["legacy2"] |= await self._measured(leg, "legacy2", "legacy2", CONTROL_SHARE)
        elif asked is not None and asked.role in leg.roles and leg.leg.startswith("main"):
            options[asked.role] |= await self._measured(leg, asked.role, "legacy", asked.share)
        return options

    async def _measured(self, leg: Leg, role: str, measured_role: str, share: float) -> dict[str, Any]:
        measured = self._service_ns.get(measured_role, {})
        burn_ns = {connection: round(share * value) for connection, value in measured.items()}
        await self._mark(leg.leg, role, "burn", {"burn_ns": burn_ns, "share": share, "service_ns": measured})
        return {"burn_ns": burn_ns}


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
