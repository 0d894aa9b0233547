"""Candidates that fail live: ROLL BACK by functionality, the other side's data kept, nothing left running."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

Live = dict[str, tuple[Path, tuple[int, dict[str, Any], str]]]
pytestmark = pytest.mark.timeout(480)  # the first test waits for all live sessions


def delivered(out: Path, role: str) -> int:
    table = pq.read_table(out / "events" / f"{role}.parquet")
    return int(pc.sum(pc.equal(table["k"], "event")).as_py() or 0)


def leftovers(out: Path) -> list[str]:
    """Processes whose command line or open files name this run."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            names = [(entry / "cmdline").read_bytes().decode(errors="replace")]
            names += [str(link.readlink()) for link in (entry / "fd").iterdir()]
        except OSError:
            continue
        found += [name for name in names if str(out) in name]
    return found


@pytest.mark.checklist("R.4")
@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("cannot be imported", "exited before hello"),
        ("exits at once", "exited before hello"),
        ("never says hello", "no hello"),
    ],
)
def test_a_candidate_that_cannot_start_is_named(live: Live, name: str, reason: str) -> None:
    out, (code, verdict, said) = live[name]
    assert (code, verdict["verdict"], verdict["decided_by"]) == (10, "ROLL_BACK", "functionality")
    assert "new" in verdict["reason"]
    assert (name == "cannot be imported") == ("No module named" in verdict["reason"]), verdict["reason"]
    assert [d["side"] for d in verdict["differences"] if d["code"] == "EXC"] == ["new"]
    assert reason in said
    assert delivered(out, "legacy") > 500
    assert leftovers(out) == []


def test_what_a_candidate_started_ends_with_it(live: Live) -> None:
    out, (code, verdict, _) = live["leaves a child"]
    assert (code, verdict["verdict"]) == (11, "HOLD"), verdict["reason"]
    left = Path("/proc", (out.parent / "left").read_text().strip(), "cmdline")
    assert not left.exists() or b"sleep" not in left.read_bytes()


def test_a_legacy_that_cannot_start_is_not_fit_never_an_improvement(live: Live) -> None:
    _, (code, verdict, _) = live["legacy cannot start"]
    assert (code, verdict["verdict"]) == (12, "NOT_FIT")
    assert "legacy" in verdict["reason"].lower()


@pytest.mark.checklist("R.4", "S.5")
@pytest.mark.parametrize(
    ("name", "codes"),
    [
        ("silent", {"STALE", "MISSING"}),
        ("dies", {"EXC"}),
        ("hangs", {"EXC", "STALE", "MISSING"}),
        ("freezes", {"EXC", "STALE", "MISSING"}),
        ("garbage", {"MISSING", "STALE"}),
    ],
)
def test_a_candidate_that_fails_while_it_runs(live: Live, name: str, codes: set[str]) -> None:
    out, (code, verdict, _) = live[name]
    assert (code, verdict["verdict"], verdict["decided_by"]) == (10, "ROLL_BACK", "functionality")
    critical = {d["code"] for d in verdict["differences"] if d["side"] == "new" and d["code"] in codes}
    assert critical
    assert not [d for d in verdict["differences"] if d["side"] in ("legacy", "both") and d["code"] in codes]
    assert verdict["conservation"]["ok"]
    assert delivered(out, "legacy") > 500
    assert leftovers(out) == []


def test_a_candidate_that_is_started_again_is_held_for_the_time_that_it_was_gone(live: Live) -> None:
    out, (code, verdict, _) = live["restarts"]
    assert (code, verdict["verdict"]) == (10, "ROLL_BACK")
    assert "stability" in {line["id"] for line in verdict["triggers"] if line["verdict"] == "REGRESSION"}
    assert not [d for d in verdict["differences"] if d["side"] == "legacy" and d["severity"] == "critical"]
    hellos = pq.read_table(out / "events" / "new.parquet")
    assert pc.sum(pc.equal(hellos["k"], "hello")).as_py() == 2
    assert verdict["conservation"]["ok"]
    assert leftovers(out) == []


RELAY = f"{sys.executable} {Path(__file__).parent / 'relay.py'}"
SHORT = ("--connections", "gateio.spot.public", "--no-calibration", "--duration", "2s")


@pytest.mark.parametrize(
    ("side", "outcome"), [("--new", (10, "ROLL_BACK", "functionality")), ("--legacy", (12, "NOT_FIT", None))]
)
def test_a_subject_of_another_protocol_is_refused_and_named(
    run_session: Callable[..., Any], tmp_path: Path, side: str, outcome: tuple[int, str, str | None]
) -> None:
    code, verdict, _ = run_session(tmp_path / "run", *SHORT, side, f"{RELAY} another-protocol")
    assert (code, verdict["verdict"], verdict["decided_by"]) == outcome
    assert "stack speaks another protocol: 99, this harness speaks 1 (leg main)" in verdict["reason"]


def test_who_ends_without_a_bye_is_held(run_session: Callable[..., Any], tmp_path: Path) -> None:
    code, verdict, _ = run_session(tmp_path / "run", *SHORT, "--new", f"{RELAY} says-no-bye")
    assert (code, verdict["verdict"]) == (11, "HOLD")
    assert verdict["reason"].startswith("The new stack ended without saying bye (leg main)"), verdict["reason"]


@pytest.mark.long
def test_a_stream_that_only_legacy_asks_for_again_after_a_refusal_is_told(
    run_session: Callable[..., Any], tmp_path: Path
) -> None:
    """Our own new stack waits for its caller then, which the fault table allows: no difference, and no SHIP."""
    once = "refuse-subscribe@gateio.spot.public:at=2s", "close@gateio.spot.public:at=2500ms"
    faults = [word for fault in once for word in ("--fault", fault)]
    code, verdict, _ = run_session(tmp_path / "run", *SHORT[:3], "--duration", "5s", *faults)
    assert (code, verdict["verdict"], verdict["differences"]) == (11, "HOLD", [])
    assert " of gateio.spot.public and never had it again (leg main)" in verdict["reason"]
