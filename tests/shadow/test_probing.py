"""The session's probe: whom it times, when it is left out, and that a probe that fails loses no session."""

from __future__ import annotations

from pathlib import Path

import pytest

from shadow import probing
from shadow.capture.probe_file import read_probe
from shadow.config import SessionConfig, own_subject
from shadow.leg_run import Listener
from shadow.probing import architectures, probe_targets, reason_to_skip
from shadow.subjects.probe import layers


class Listening(Listener):
    """Remembers what it was told."""

    def __init__(self) -> None:
        self.heard: list[str] = []

    def phase(self, leg: str, phase: str, seconds: float) -> None:
        """A phase begins."""
        self.heard.append(f"{leg} {phase}")

    def note(self, text: str) -> None:
        """A note."""
        self.heard.append(text)


def settle() -> None:
    """No core of its own."""


@pytest.mark.parametrize(
    ("duration_s", "failures", "why"),
    [
        (65.0, {}, ""),
        (20.0, {}, ""),
        (19.9, {}, "session shorter than 20 s"),
        (65.0, {"new": "died"}, "a subject failed: new died"),
    ],
)
def test_short_and_failed_sessions_have_no_probe(duration_s: float, failures: dict[str, str], why: str) -> None:
    assert reason_to_skip(SessionConfig(duration_s=duration_s), failures) == why


def test_a_replay_has_no_probe() -> None:
    assert reason_to_skip(SessionConfig(feed="capture:x"), {}) == "a replayed capture proves facts only"
    assert reason_to_skip(SessionConfig(unpaced=True), {}) == "a capacity run judges no times"


def test_a_role_is_timed_as_the_stack_that_played_it() -> None:
    assert architectures(SessionConfig()) == {"legacy": "legacy", "new": "new"}
    assert architectures(SessionConfig(new=own_subject("legacy"))) == {"legacy": "legacy", "new": "legacy"}
    assert architectures(SessionConfig(new="python mine.py")) == {"legacy": "legacy"}


async def test_a_skipped_probe_says_why_and_starts_nothing(tmp_path: Path) -> None:
    listener = Listening()
    await probe_targets(SessionConfig(duration_s=4.0), tmp_path, {}, settle, listener)
    assert read_probe(tmp_path).skipped == "session shorter than 20 s"
    assert listener.heard == []
    assert [path.name for path in tmp_path.iterdir()] == ["probe.json"]


@pytest.mark.checklist("1.1.14", "2.1.16", "5.3.1")
async def test_a_foreign_new_stack_is_not_timed_in_its_place(tmp_path: Path) -> None:
    listener = Listening()
    await probe_targets(SessionConfig(new="python mine.py"), tmp_path, {}, settle, listener)
    probe = read_probe(tmp_path)
    assert probe.skipped == ""
    assert probe.missing == {"new": "foreign stack"}
    assert set(probe.figures) == {"legacy"}
    assert len(probe.figures["legacy"]["initialise"]) == layers.STARTS
    assert listener.heard == ["probe targets"]


async def test_two_foreign_stacks_leave_nothing_to_time(tmp_path: Path) -> None:
    await probe_targets(SessionConfig(new="python a.py", legacy="python b.py"), tmp_path, {}, settle, Listening())
    assert read_probe(tmp_path).missing == {"legacy": "foreign stack", "new": "foreign stack"}
    assert read_probe(tmp_path).figures == {}


@pytest.mark.parametrize(
    ("architecture", "patience_s", "words"),
    [("broken", 20.0, "the probe ended on its own"), ("new", 0.01, "no answer in time")],
)
async def test_a_probe_that_fails_is_named_and_loses_no_session(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, architecture: str, patience_s: float, words: str
) -> None:
    monkeypatch.setattr(probing, "architectures", lambda _: {"new": architecture})
    monkeypatch.setattr(probing, "PATIENCE_S", patience_s)
    listener = Listening()
    await probe_targets(SessionConfig(), tmp_path, {}, settle, listener)
    assert words in read_probe(tmp_path).skipped
    assert listener.heard == ["probe targets", read_probe(tmp_path).skipped]
