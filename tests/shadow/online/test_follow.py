"""Looks at a made-up session that comes in bit by bit: what speaks, what never does."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from shadow.diff.codes import Difference, LegDiff, Matches
from shadow.online.follow import Look, look_at, until
from shadow.online.stop import StopRule
from shadow.verdict.checklist import load_checklist
from shadow.verdict.collect import Collected
from shadow.verdict.plan_view import PlanView
from shadow.verdict.sequential import Tail
from shadow.verdict.timeline import read_marks
from shadow.verdict.watched import watched_of

from ..verdict.conftest import Effects, MadeUpRun

S = 1_000_000_000
LIMITS = load_checklist()


class Sofar:
    """A made-up run as it was at a moment: later rows are not there yet, and the leg that runs ends there."""

    def __init__(self, run: MadeUpRun, end: int) -> None:
        self._run, self.end = run, end
        self.path, self.session = run.path, run.session
        self.roles, self.manifest = run.roles, run.manifest

    def table(self, name: str) -> pa.Table:
        tables = self._run.__dict__.setdefault("tables", {})
        found = tables[name] if name in tables else tables.setdefault(name, self._run.table(name))
        time = "t_sent" if name == "sends" else "t"
        return found if name == "frames" else found.filter(pc.less_equal(found[time], self.end))

    def part(self, name: str, columns: Sequence[str]) -> pa.Table:
        return self.table(name).select(list(columns))

    def collect(self) -> Collected:
        timeline = read_marks(self.table("marks").to_pylist() + self._ending())
        diffs = {leg: self._cut(self._run.diffs[leg]) for leg in timeline.legs}
        return Collected(self, PlanView(self.session), timeline, diffs, LIMITS)  # type: ignore[arg-type]  # stands in

    def _ending(self) -> list[dict[str, Any]]:
        legs = [row["leg"] for row in self.table("marks").to_pylist() if row["name"] == "leg-begin"]
        return [{"t": self.end, "leg": legs[-1], "role": "", "name": "leg-end", "detail": "{}"}]

    def _cut(self, diff: LegDiff) -> LegDiff:
        return msgspec.structs.replace(diff, matches={role: self._came(one) for role, one in diff.matches.items()})

    def _came(self, matches: Matches) -> Matches:
        kept = matches.t_callback <= self.end
        return Matches(**{name: getattr(matches, name)[kept] for name in Matches.__struct_fields__})


def looks(run: MadeUpRun, step_s: float = 6.0) -> Iterator[Look]:
    """Looks through the whole session, one each `step_s`."""
    marks = run.table("marks").to_pylist()
    for end in range(marks[0]["t"] + S, max(row["t"] for row in marks) + S, int(step_s * S)):
        yield look_at(Sofar(run, end).collect(), end)


def stopped_at(run: MadeUpRun) -> tuple[Look, str] | None:
    rule = StopRule()
    return next(((look, reason) for look in looks(run) if (reason := rule.take(look)) is not None), None)


@pytest.mark.parametrize("phi", [0.0, 0.9])
def test_legacy_as_its_own_candidate_is_never_stopped(tmp_path: Path, phi: float) -> None:
    for seed in range(2):
        run = MadeUpRun(tmp_path / f"{phi}-{seed}", Effects(seed=seed, phi=phi, drift=0.03))
        assert stopped_at(run) is None


def test_work_added_to_every_message_ends_the_session_and_the_offline_judge_agrees(tmp_path: Path) -> None:
    run = MadeUpRun(tmp_path / "slow", Effects(service=1.5, latency=1.5, cpu=1.5))
    found = stopped_at(run)
    assert found is not None
    look, reason = found
    assert reason.startswith("the sequential test of ")
    assert look.leg == "main"
    verdict = run.judge().verdict
    assert (verdict["verdict"], verdict["sequential"]["fired"]) == ("ROLL_BACK", True)


def test_a_lost_trade_ends_the_session(tmp_path: Path) -> None:
    lost = Difference("MISSING", "new", "critical", "gateio.spot.public", "trade", "BTC_USDT", "", 1)
    run = MadeUpRun(tmp_path / "lost", Effects(differences=[lost]))
    found = stopped_at(run)
    assert found is not None
    assert found[1].startswith("1 critical MISSING of the new stack")


def test_legacys_own_losses_and_grave_but_not_critical_ones_do_not(tmp_path: Path) -> None:
    lost = Difference("MISSING", "legacy", "critical", "gateio.spot.public", "trade", "BTC_USDT", "", 1)
    twice = msgspec.structs.replace(lost, code="DUP", side="new", severity="major")
    run = MadeUpRun(tmp_path / "legacy", Effects(differences=[lost, twice]))
    assert stopped_at(run) is None


def test_what_a_block_says_does_not_change_when_more_comes(tmp_path: Path) -> None:
    run = MadeUpRun(tmp_path / "run", Effects())
    whole = {one.id: one for one in watched_of(run.collect())}
    begin = run.table("marks").to_pylist()[0]["t"]
    for end in (begin + 30 * S + S // 3, begin + 40 * S + S // 3):
        for found in until(watched_of(Sofar(run, end).collect()), end):
            later = until([whole[found.id]], end)[0]
            # The second half of A/A moves the line of a tail; it is all that may move.
            one = replace(found, threshold=later.threshold) if isinstance(later, Tail) else found
            assert len(one.at) == len(later.at)
            assert np.array_equal(one.evidence(1.1), later.evidence(1.1))
