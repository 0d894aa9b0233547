"""A run as it would look with one connection alone, and as far as some moment: the judge is asked about such parts."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from shadow.capture.reader import RunData
from shadow.diff.leg import CUT_NS, diff_leg
from shadow.verdict.assess import Assessment, assess
from shadow.verdict.checklist import load_checklist
from shadow.verdict.collect import Collected
from shadow.verdict.judge import gather
from shadow.verdict.plan_view import PlanView
from shadow.verdict.timeline import read_marks

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["Judged", "RunView", "judge_view"]

NO_CONNECTION: Final = ("", "stderr")
"""What stands in an events table's column `c` where a line is of no connection."""
TIMES: Final = {"sends": "t_sent", "events": "t_read"}
"""A table's column of time; `t` in all others, none in `frames`."""


class RunView(RunData):
    """One connection of a run (empty: all) up to a time (None: to the end); tables are read once."""

    def __init__(self, path: Path, connection: str = "", until_ns: int | None = None) -> None:
        super().__init__(path)
        self.connection = connection
        self._until_ns = until_ns
        self._tables: dict[str, pa.Table] = {}

    def until(self, t_ns: int) -> RunView:
        """The same as far as a moment; a leg that goes on is cut there, as that of an interrupted run."""
        part = RunView(self.path, self.connection, t_ns)
        part._tables = self._tables
        return part

    @cached_property
    def session(self) -> dict[str, Any]:
        """session.json with the connection alone and its share of the rate."""
        whole = RunData(self.path).session
        if not self.connection:
            return whole
        return whole | {"connections": [self.connection], "rate": whole["rate"] / len(whole["connections"])}

    def table(self, name: str) -> pa.Table:
        """A raw table's rows of this connection and time."""
        if name not in self._tables:
            self._tables[name] = self._of_connection(name, super().table(name))
        found = self._tables[name]
        return found if self._until_ns is None else self._cut(name, found, self._until_ns)

    def part(self, name: str, columns: Sequence[str], leg: str | None = None) -> pa.Table:
        """Some of its columns, of one leg if it is given."""
        import pyarrow.compute as pc

        found = self.table(name)
        if leg is not None:
            found = found.filter(pc.equal(found["leg"], leg))
        return found.select(list(columns))

    def _of_connection(self, name: str, table: pa.Table) -> pa.Table:
        import pyarrow as pa
        import pyarrow.compute as pc

        if not self.connection or name == "resources":
            return table
        if name == "marks":
            places = [json.loads(detail or "{}").get("connection") for detail in table["detail"].to_pylist()]
            return table.filter(pa.array([place in (None, self.connection) for place in places], pa.bool_()))
        column = "c" if name.startswith("events/") else "connection"
        wanted = [self.connection, *(NO_CONNECTION if column == "c" else ())]
        return table.filter(pc.is_in(table[column], value_set=pa.array(wanted)))

    def _cut(self, name: str, table: pa.Table, until_ns: int) -> pa.Table:
        import pyarrow.compute as pc

        if name == "frames":
            sent = self.table("sends")["frame_no"]
            return table.filter(pc.less_equal(table["frame_no"], pc.max(sent).as_py() or 0))
        column = TIMES.get(name.partition("/")[0], "t")
        kept = table.filter(pc.less_equal(table[column], until_ns))
        return _ended(kept, until_ns) if name == "marks" else kept


def _ended(marks: pa.Table, until_ns: int) -> pa.Table:
    """The marks with an end of the leg that is open."""
    import pyarrow as pa

    rows = marks.to_pylist()
    legs = [row["leg"] for row in rows if row["name"] == "leg-begin"]
    open_legs = set(legs) - {row["leg"] for row in rows if row["name"] == "leg-end"}
    rows += [
        {"t": until_ns - CUT_NS, "leg": leg, "role": "", "name": "leg-end", "detail": "{}"} for leg in sorted(open_legs)
    ]
    return pa.Table.from_pylist(rows, schema=marks.schema)


class Judged:
    """What the judge makes of a view."""

    def __init__(self, collected: Collected, assessment: Assessment) -> None:
        self.collected = collected
        self.assessment = assessment


def judge_view(view: RunView) -> Judged:
    """Judge a view by the judge's own rules."""
    limits = load_checklist()
    plan = PlanView(view.session)
    timeline = read_marks(view.table("marks").to_pylist())
    legs = [str(leg["leg"]) for leg in plan.legs if leg["leg"] in timeline.legs]
    diffs = {leg: diff_leg(view, leg, plan.roles(leg)) for leg in legs}
    collected = Collected(view, plan, timeline, diffs, limits)
    return Judged(collected, assess(gather(collected), limits))
