"""A made-up run: what a quick session leaves, with known effects, without starting anything."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import count, product
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from shadow.capture.tables import schema
from shadow.diff.codes import Difference, LegDiff, Matches
from shadow.release_plan import release_plan
from shadow.verdict.checklist import load_checklist
from shadow.verdict.collect import Collected
from shadow.verdict.judge import Judgement, judge_diffs
from shadow.verdict.plan_view import PlanView
from shadow.verdict.series import PUBLIC_TYPES as TYPES
from shadow.verdict.timeline import read_marks

CONNECTIONS = ["gateio.spot.public", "mexc.spot.public"]
MIX = {"book": 0.4, "book_ticker": 0.25, "trade": 0.25, "ticker": 0.1}
LEGS = {
    "aa1": {"paired": 9.0, "burst": 3.5},
    "main": {"paired": 21.0, "burst": 9.0, "connect": 6.5},
    "aa2": {"paired": 9.0, "burst": 3.5},
    "control": {"burst": 3.5},
}
S = 1_000_000_000
MIB = 1 << 20
FIRST_OF_BURSTS = 300_000
"""Number of the first frame of a burst: above all paced ones, and near them as in a real run."""


@dataclass
class Effects:
    """What the candidate of the main legs does otherwise; 1.0 is like legacy. `burn` is the control's.

    `release_s` makes it a session of grade release; `only_leg` leaves what is wrong with CPU and events to one leg.
    `copies` is how often each event is written; `batched` gives all frames of a burst the first one's time.
    """

    latency: float = 1.0
    service: float = 1.0
    cpu: float = 1.0
    uss: float = 1.0
    gap: float = 1.0
    burn: float = 1.3
    aa_latency: float = 1.0
    noise: float = 0.25
    phi: float = 0.4
    drift: float = 0.01
    seed: int = 1
    calibration: bool = True
    rate: float = 600.0
    marks: list[list[Any]] = field(default_factory=list)
    connections: list[list[Any]] = field(default_factory=list)
    differences: list[Difference] = field(default_factory=list)
    aa_differences: list[Difference] = field(default_factory=list)
    accounted: float = 1.0
    conserved: bool = True
    session: dict[str, Any] = field(default_factory=dict)
    manifest: dict[str, Any] = field(default_factory=dict)
    release_s: float = 0.0
    gap_noise: float = 0.1
    only_leg: str = ""
    copies: int = 1
    batched: bool = False


class MadeUpRun:
    """Stands in for RunData."""

    def __init__(self, folder: Path, effects: Effects) -> None:
        self.path = folder
        self._rng = np.random.default_rng(effects.seed)
        self._effects = effects
        self._rows: dict[str, list[list[Any]]] = {name: [] for name in ("marks", "connections", "resources")}
        self._events: dict[str, list[tuple[str, Any]]] = {}
        self._sends: list[tuple[str, str, Any, Any]] = []
        self._bulk: dict[str, pa.Table] = {}
        self.diffs: dict[str, LegDiff] = {}
        self.session = self._session()
        t = 5 * S
        for leg in self.session["plan"]["legs"]:
            t = self._leg(leg, t) + 2 * S
        self._rows["marks"] += effects.marks
        self._rows["connections"] += effects.connections
        folder.mkdir(exist_ok=True)
        (folder / "session.json").write_text(json.dumps(self.session))
        (folder / "manifest.json").write_text(json.dumps({"schema": 1, "complete": True} | effects.manifest))

    @property
    def manifest(self) -> Any:
        from shadow.capture.manifest import read_manifest

        return read_manifest(self.path)

    def roles(self) -> list[str]:
        return list(self._events)

    def part(self, name: str, columns: Sequence[str], leg: str | None = None) -> pa.Table:
        rows = self.table(name)
        kept = rows.select(list(columns))
        return kept if leg is None else kept.filter(pc.equal(rows["leg"], leg))

    def table(self, name: str) -> pa.Table:
        if name in self._rows:
            wanted, rows = schema(name), self._rows[name]
            return pa.table([pa.array([row[i] for row in rows], kind) for i, kind in enumerate(wanted.types)], wanted)
        if name not in self._bulk:
            self._bulk[name] = self._built(name)
        return self._bulk[name]

    def _built(self, name: str) -> pa.Table:
        """A table of what was fixed when the run was made up; those of `_rows` tests may still alter."""
        if name.startswith("events/"):
            legs, times = zip(*self._events[name.partition("/")[2]], strict=True)
            t = np.concatenate(times)
            known = {
                "leg": _each(legs, times), "n": np.arange(len(t)), "k": "event", "c": CONNECTIONS[0], "type": "book",
                "symbol": "X", "t": t, "t_read": t, "body": b'{"t":41000,"recv":1000}',
            }  # fmt: skip
            return _filled(name, known, len(t))
        legs, subjects, numbers, times = zip(*self._sends, strict=True)
        if name == "sends":
            known = {
                "frame_no": np.concatenate(numbers), "t_sent": np.concatenate(times), "leg": _each(legs, times),
                "subject": _each(subjects, times),
            }  # fmt: skip
            return _filled(name, known, sum(map(len, times)))
        if name == "frames":
            frame_no = np.unique(np.concatenate(numbers))
            return _filled(name, {"frame_no": frame_no, "kind": "ws", "channel": "book"}, len(frame_no))
        return schema(name).empty_table()

    def _session(self) -> dict[str, Any]:
        if self._effects.release_s:
            return self._described(release_plan(self._effects.release_s, calibration=True).as_json(), "release")
        legs = LEGS if self._effects.calibration else {"main": LEGS["main"]}
        plan = [
            {
                "leg": leg,
                "roles": ["legacy", "new" if leg == "main" else "legacy2"],
                "phases": [{"phase": name, "seconds": seconds} for name, seconds in phases.items()],
            }
            for leg, phases in legs.items()
        ]
        return self._described({"legs": plan, "block_s": 0.5, "gap_us": 300}, "quick")

    def _described(self, plan: dict[str, Any], grade: str) -> dict[str, Any]:
        return {
            "schema": 1, "run": "made-up", "grade": grade, "feed": "sim", "connections": CONNECTIONS,
            "symbols": ["BTC_USDT"], "channels": {c: list(TYPES) for c in CONNECTIONS}, "profile": "default",
            "rate": self._effects.rate, "seed": 1, "faults": [], "calibration": self._effects.calibration,
            "mix": MIX, "plan": plan, "known": None,
            "started_utc": "2026-01-01T00:00:00+00:00",
        } | self._effects.session  # fmt: skip

    def _mark(self, t: int, leg: str, role: str, name: str, **detail: Any) -> None:
        self._rows["marks"].append([t, leg, role, name, json.dumps(detail)])

    def _leg(self, leg: dict[str, Any], t: int) -> int:
        name, roles = leg["leg"], tuple(leg["roles"])
        self._mark(t, name, "", "leg-begin")
        start = t
        for role in roles:
            for connection in CONNECTIONS:
                self._confirm(t, name, role, connection, 1)
        t += S
        parts: list[dict[str, dict[str, np.ndarray]]] = []
        for phase in leg["phases"]:
            end = t + int(phase["seconds"] * S)
            label = "control" if name == "control" else phase["phase"]
            self._mark(t, name, "", "phase-begin", phase=label)
            if phase["phase"] == "paired":
                parts.append(self._paired(name, roles, t, end, len(parts)))
            elif phase["phase"] == "burst":
                parts.append(self._bursts(name, roles, t, end, FIRST_OF_BURSTS))
            else:
                self._closes(name, roles, t)
            self._mark(end, name, "", "phase-end", phase=label)
            t = end
        self._mark(t, name, "", "leg-end")
        self._resources(name, roles, start, t)
        self.diffs[name] = self._diff(name, roles, parts)
        return t

    def _confirm(self, t: int, leg: str, role: str, connection: str, conn_no: int) -> None:
        base = [leg, role, connection, conn_no]
        self._rows["connections"].append([t, *base, "open", "", "", None, "client", ""])
        for i, channel in enumerate(TYPES):
            self._rows["connections"].append(
                [t + 1000 * (i + 1), *base, "subscribed", channel, "BTC_USDT", None, "", ""]
            )

    def _paired(self, leg: str, roles: Any, t: int, end: int, offset: int) -> dict[str, dict[str, np.ndarray]]:
        rng, effects = self._rng, self._effects
        n = int((end - t) / S * effects.rate)
        sent = np.sort(rng.integers(t, end - 2_000_000, n))
        types = rng.choice(4, n, p=[MIX[name] for name in TYPES])
        blocks = int((end - t) / (S // 2)) + 1
        drift = np.zeros(blocks)
        for i in range(1, blocks):
            drift[i] = effects.phi * drift[i - 1] + rng.normal(0, effects.drift)
        ratio = effects.latency if leg.startswith("main") else effects.aa_latency
        shift = np.log(ratio) + drift[(sent - t) // (S // 2)]
        out = {}
        second = rng.integers(0, 2, n)
        for number, role in enumerate(roles):
            latency = np.exp(rng.normal(np.log(170_000), effects.noise, n) + (shift if number else 0.0))
            at = sent + 300_000 * (second == number)
            out[role] = {
                "frame_no": np.arange(n) + offset, "connection": rng.integers(0, 2, n) if number == 0 else None,
                "type": types, "t_sent": at, "t_callback": at + latency.astype(np.int64), "burst": np.full(n, -1),
            }  # fmt: skip
        out[roles[1]]["connection"] = out[roles[0]]["connection"]
        return out

    def _bursts(self, leg: str, roles: Any, t: int, end: int, first: int) -> dict[str, dict[str, np.ndarray]]:
        rng, effects = self._rng, self._effects
        factor = effects.burn if leg == "control" else effects.service if leg.startswith("main") else 1.0
        turns, number, frames = count(), 0, 64
        rows: dict[str, list[Any]] = {role: [] for role in roles}
        while t < end:
            single = next(turns) % 4
            for connection, (kind, name) in product((0, 1), ((0, "mixed"), (0, "mixed"), (single, TYPES[single]))):
                for role in (roles[0], roles[1], roles[1], roles[0]):
                    service = (
                        12_000 * (1 + kind / 4) * np.exp(rng.normal(0, 0.03)) * (factor if role == roles[1] else 1)
                    )
                    self._mark(
                        t,
                        leg,
                        role,
                        "burst",
                        burst=number,
                        connection=CONNECTIONS[connection],
                        type=name,
                        frames=frames,
                    )
                    done = t + (np.arange(1, frames + 1) * service).astype(np.int64)
                    if effects.batched and leg.startswith("main") and role == roles[1]:
                        done[:] = done[0]
                    cell = np.full(frames, 1)
                    rows[role].append(
                        (first + number * frames + np.arange(frames), cell * connection, cell * kind, cell * t, done,
                         cell * number)
                    )  # fmt: skip
                    number += 1
                    t += 36_000_000
        names = ("frame_no", "connection", "type", "t_sent", "t_callback", "burst")
        return {
            role: dict(zip(names, (np.concatenate(part) for part in zip(*parts, strict=True)), strict=True))
            for role, parts in rows.items()
        }

    def _closes(self, leg: str, roles: Any, t: int) -> None:
        effects = self._effects
        for i in range(10):
            for connection in CONNECTIONS:
                for role in roles:
                    at = t + i * S // 2
                    longer = effects.gap if role == "new" else 1.0
                    gap = 4_000_000 * np.exp(self._rng.normal(0, effects.gap_noise)) * longer
                    self._mark(at, leg, role, "forced-close", connection=connection, code=1006, conn_no=i + 1)
                    row = [at, leg, role, connection, i + 1, "close", "", "", 1006, "connect-leg", ""]
                    self._rows["connections"].append(row)
                    self._confirm(at + int(gap), leg, role, connection, i + 2)

    def _resources(self, leg: str, roles: Any, begin: int, end: int) -> None:
        effects = self._effects
        for number, role in enumerate(roles):
            mine = number and leg.startswith(effects.only_leg or "main")
            t = np.arange(begin, end + S // 10, S // 10)
            cost = 60_000 * effects.rate / 10 * (effects.cpu if mine else 1.0)
            cpu = np.cumsum(cost * np.exp(self._rng.normal(0, 0.05, len(t)))).astype(np.int64)
            uss = (60 * MIB * (effects.uss if mine else 1.0) + self._rng.integers(0, 100_000, len(t))).astype(np.int64)
            rows = zip(t.tolist(), cpu.tolist(), uss.tolist(), strict=True)
            self._rows["resources"] += [[at, leg, role, 7, used, size, size] for at, used, size in rows]

    def _diff(self, leg: str, roles: Any, parts: list[Any]) -> LegDiff:
        matches, totals = {}, {}
        for role in roles:
            columns = {
                name: np.concatenate([part[role][name] for part in parts])
                for name in ("frame_no", "connection", "type", "t_sent", "t_callback", "burst")
            }
            n = len(columns["frame_no"])
            flags = np.zeros(n, np.bool_)
            matches[role] = Matches(**columns, symbol=np.zeros(n, np.int16), first_written=flags, queued=flags)
            totals[role] = {"input": n, "expected": n, "codes": {"MATCH": n}, "rounded": 0}
            copies = self._effects.copies if role == roles[1] and leg.startswith("main") else 1
            self._events.setdefault(role, []).append((leg, np.sort(np.repeat(columns["t_callback"], copies))))
            self._sends.append((leg, role, columns["frame_no"], columns["t_sent"]))
        sent = 2 * n
        is_main = leg.startswith("main")
        share = self._effects.accounted if is_main else 1.0
        differences = self._effects.differences if is_main else self._effects.aa_differences
        if is_main and not leg.startswith(self._effects.only_leg):
            differences = []
        return LegDiff(
            leg, roles, matches, CONNECTIONS, ["BTC_USDT"], differences, [], totals,
            self._effects.conserved, [], sent, int(sent * share), [],
        )  # fmt: skip

    def collect(self) -> Collected:
        timeline = read_marks(self.table("marks").to_pylist())
        return Collected(self, PlanView(self.session), timeline, self.diffs, load_checklist())  # type: ignore[arg-type]  # stands in for RunData

    def judge(self) -> Judgement:
        timeline = read_marks(self.table("marks").to_pylist())
        return judge_diffs(self, PlanView(self.session), timeline, self.diffs)  # type: ignore[arg-type]  # stands in for RunData


@cache
def _repeated(value: str | bytes | int, kind: pa.DataType, n: int) -> pa.Array:
    """A column of one value; the runs of most tests have the same ones."""
    return pa.repeat(pa.scalar(value).cast(kind), n)


def _each(values: Sequence[str], parts: Sequence[np.ndarray]) -> pa.Array:
    """Each value as often as its part has rows."""
    return pa.concat_arrays([_repeated(x, pa.string(), len(part)) for x, part in zip(values, parts, strict=True)])


def _filled(name: str, known: dict[str, Any], n: int) -> pa.Table:
    """A table of what is known, one value standing for a whole column; the rest is 0 or empty."""
    columns = []
    for item in schema(name):
        is_text = pa.types.is_string(item.type) or pa.types.is_binary(item.type)
        value = known.get(item.name, "" if is_text else 0)
        is_column = isinstance(value, (np.ndarray, pa.Array))
        columns.append(pa.array(value, item.type) if is_column else _repeated(value, item.type, n))
    return pa.table(columns, schema(name))


@pytest.fixture
def made_up(tmp_path: Path) -> Callable[..., MadeUpRun]:
    """Builds a made-up run with the given effects."""
    return lambda **effects: MadeUpRun(tmp_path / f"run{effects.get('seed', 1)}", Effects(**effects))


@pytest.fixture(scope="session")
def like_legacy(tmp_path_factory: pytest.TempPathFactory) -> Judgement:
    """The judgement of a made-up run without any effect; to be read only."""
    return MadeUpRun(tmp_path_factory.mktemp("like-legacy") / "run", Effects()).judge()
