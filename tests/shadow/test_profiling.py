"""The profile of a run: who asks for it, what it says of a stack that is busy, and that no verdict is touched."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Any

import pytest

from reports.profile import bottleneck, by_function, by_stage
from reports.run_data import load
from shadow import profiling
from shadow.capture.manifest import read_manifest, sha256_file, write_manifest
from shadow.capture.profile_file import side_of
from shadow.config import SessionConfig
from shadow.errors import UsageError
from shadow.leg_run import Listener
from shadow.profiling import profile_run, reason_to_profile

FAULTY = Path(__file__).parent / "sessions" / "faulty_stack.py"
LOOP = "a_loop_for_nothing_in_each_message"
FIRED = {"triggers": [{"id": "performance", "verdict": "REGRESSION", "worst": "cpu.per_message"}]}
QUIET: dict[str, Any] = {"triggers": [{"id": "performance", "verdict": "HOLD", "worst": None}]}


class Listening(Listener):
    """Remembers the notes."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, text: str) -> None:
        """A note."""
        self.notes.append(text)


def test_a_performance_trigger_or_a_person_asks_and_nobody_else() -> None:
    assert reason_to_profile(SessionConfig(), FIRED) == "performance trigger, worst cpu.per_message"
    assert reason_to_profile(SessionConfig(), QUIET) == ""
    assert reason_to_profile(SessionConfig(sampled_profile=True), QUIET) == "--sampled-profile"
    memory = {"triggers": [{"id": "memory", "verdict": "REGRESSION", "worst": "memory.level"}]}
    assert reason_to_profile(SessionConfig(), memory) == ""
    for other in (SessionConfig(feed="capture:x"), SessionConfig(feed="live"), SessionConfig(unpaced=True)):
        assert reason_to_profile(other, FIRED) == ""


def test_the_option_is_refused_where_nothing_could_be_sampled() -> None:
    with pytest.raises(UsageError, match="--sampled-profile does not go with --rate max"):
        SessionConfig(sampled_profile=True, unpaced=True).validate()


def test_what_ends_in_a_wait_is_not_busy_and_callers_get_their_share() -> None:
    stacks = [(["a:f", "a:g"], 3), (["a:f", "a:f"], 2), (["a:f", "selectors:EpollSelector.select"], 5)]
    side = side_of(10, 0.001, stacks)
    assert (side.taken, side.busy) == (10, 5)
    assert [(one.name, one.self, one.cumulative) for one in side.functions] == [("a:g", 3, 3), ("a:f", 2, 5)]


def test_a_busy_loop_in_the_stack_is_first_and_its_stage_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(profiling, "SAMPLED_S", 0.8)
    monkeypatch.setattr(profiling, "BURST_S", 1.2)
    (tmp_path / "session.json").write_text("{}")
    sealed = write_manifest(tmp_path)
    config = SessionConfig(connections=("gateio.spot.public",), new=shlex.join([sys.executable, str(FAULTY), LOOP]))
    listening = Listening()
    profile = profile_run(config, tmp_path, "a test", listening)
    assert (profile.skipped, profile.missing) == ("", {})
    read = load(tmp_path).profile
    assert read is not None
    first = by_function(read)[0]
    assert first.name == f"__main__:{LOOP}.<locals>.the_loop_for_nothing"
    assert (first.legacy, first.new is not None and first.new > 0.05) == (0.0, True)
    assert first.name in bottleneck(read)
    assert sum(stage.legacy or 0.0 for stage in by_stage(read)) == pytest.approx(
        read.sides["legacy"].busy / read.sides["legacy"].taken
    )
    manifest = read_manifest(tmp_path)
    assert manifest.raw == sealed.raw
    assert manifest.derived == {"profile.json": sha256_file(tmp_path / "profile.json")}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["manifest.json", "profile.json", "session.json"]


def test_a_stack_that_does_not_know_the_option_is_left_alone_and_the_profile_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "session.json").write_text("{}")
    write_manifest(tmp_path)
    monkeypatch.setattr(profiling, "_play", lambda config, place, listener: "")
    profile = profile_run(SessionConfig(), tmp_path, "a test", Listening())
    assert profile.sides == {}
    assert all(why.startswith("its command does not know the option") for why in profile.missing.values())
