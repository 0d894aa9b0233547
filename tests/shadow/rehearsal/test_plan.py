"""A plan that says how its rehearsal is played, and what is wrong with one."""

from __future__ import annotations

from pathlib import Path

import pytest

from shadow.cli import main
from shadow.errors import UsageError
from shadow.rehearsal.plan import read_rehearsal

ROOT = Path(__file__).parents[3]
STEPS = """
[[step]]
unit = "*.*.*.*"
stage = "shadow"

[[step]]
unit = "*.*.*.*"
stage = "live"
at_least = "2s"
"""


def written(folder: Path, head: str, steps: str = STEPS) -> Path:
    path = folder / "plan.toml"
    path.write_text(head + steps)
    return path


def test_what_is_not_said_is_the_default(tmp_path: Path) -> None:
    plan = read_rehearsal(written(tmp_path, '[rehearsal]\nharm = "die"\nafter = "1s"\n'))
    assert plan is not None
    assert (plan.harm, plan.placement, plan.after_s, plan.rollback_within_s) == ("die", "sidecar", 1.0, 3.0)
    assert [str(step.position) for step in plan.steps] == ["shadow", "live"]


def test_the_plan_of_make_rollout_takes_every_connection_and_stage_and_less_than_eight_minutes() -> None:
    plan = read_rehearsal(ROOT / "docs" / "examples" / "rehearsal.toml")
    assert plan is not None
    assert len(plan.connections) == 6
    assert [str(step.position) for step in plan.steps if step.unit.scope == "public"] == [
        *("shadow", "canary:10", "canary:50", "live")
    ]
    assert sum(step.at_least_s for step in plan.steps) + plan.after_s + 2 * plan.session_s < 300


def test_a_plan_without_the_table_is_no_rehearsals(tmp_path: Path) -> None:
    assert read_rehearsal(written(tmp_path, "")) is None


@pytest.mark.parametrize(
    ("head", "says"),
    [
        ('harm = "sing"', "harm is one of alter, mute, die, leak"),
        ('placement = "moon"', "placement is inline or sidecar"),
        ('harm = "die"\nplacement = "inline"', 'write placement = "sidecar"'),
        ('harm = "leak"\nplacement = "inline"', 'write placement = "sidecar"'),
        ("rate = 0", "rate is messages per second"),
        ('rate = "fast"', "rate"),
        ('after = "soon"', "after is a time"),
        ('colour = "red"', "unknown colour"),
        ('connections = ["gateio.spot"]', "gateio.spot"),
        ("symbols = []", "symbols are at least one"),
    ],
)
def test_a_mistake_is_told(head: str, says: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=says):
        read_rehearsal(written(tmp_path, f"[rehearsal]\n{head}\n"))


def test_steps_that_end_with_legacy_are_no_rehearsal(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="begin with shadow and end with a stage that new serves"):
        read_rehearsal(written(tmp_path, "[rehearsal]\n", STEPS.replace("live", "shadow")))


def test_a_rehearsal_is_not_played_unless_that_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    path = written(tmp_path, "[rehearsal]\n")
    assert main(["rollout", "start", str(path)]) == 2
    told = capsys.readouterr().err
    assert "add --rehearsal" in told
    assert told.count("\n") == 1
    assert list(tmp_path.iterdir()) == [path]
