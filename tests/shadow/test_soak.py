"""The soak: our own stacks hold out; losing, leaking, failing and dying subjects are told."""

from __future__ import annotations

import json
import sys

import pytest

from shadow.cli import main
from shadow.soak_figures import MemorySample, Soaked, as_json, complaints, memory_growth, summary

SABOTEUR = f"{sys.executable} -m shadow.subjects.saboteur"
MB = 1_000_000


def flat(level: int = 24 * MB, seconds: int = 20) -> list[MemorySample]:
    return [MemorySample(float(t), level + (t % 3) * 4096) for t in range(seconds)]


def held(**changes: object) -> Soaked:
    fields: dict[str, object] = {
        "subject": "new", "rate": 1000, "seconds": 20.0, "frames": 20_000, "sent": {"a": 15_000, "b": 9_000},
        "received": {"a": 15_000, "b": 9_000}, "errors": 0, "cpu_s": 1.0, "memory": flat(),
    }  # fmt: skip
    return Soaked(**(fields | changes))  # type: ignore[arg-type]


def test_a_subject_that_held_out_has_no_complaint() -> None:
    assert complaints(held()) == []
    assert held().cpu_us_per_frame == 50.0


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"received": {"a": 15_000, "b": 8_999}}, "1 of 24000 events lost"),
        ({"received": {"a": 15_000}}, "9000 of 24000 events lost"),
        ({"received": {}}, "delivered nothing at all"),
        ({"received": {"a": 15_001, "b": 8_999}}, "1 events too many"),
        ({"errors": 2}, "2 errors"),
        ({"frames": 15_000}, "only 750 of 1000 frames/s"),
        ({"memory": flat(seconds=4)}, "too short"),
        ({"ended": "ended by itself with code 1"}, "ended by itself"),
    ],
)
def test_each_thing_that_is_wrong_is_told(changes: dict[str, object], text: str) -> None:
    soaked = held(**changes)
    assert any(text in complaint for complaint in complaints(soaked))
    assert "FAILED" in summary([soaked])[0]
    assert as_json(soaked)["held"] is False


def test_growth_is_seen_and_a_jump_at_the_start_is_not() -> None:
    leak = [MemorySample(float(t), 24 * MB + t * 200_000) for t in range(20)]
    growth = memory_growth(leak)
    assert growth is not None
    assert growth[0] == pytest.approx(14 * 200_000)
    assert "memory grew by 2.8 MB" in complaints(held(memory=leak))[0]
    jump = [MemorySample(float(t), (20 if t < 3 else 24) * MB) for t in range(20)]
    assert complaints(held(memory=jump)) == []


def test_cpu_is_set_against_the_last_subject() -> None:
    assert summary([held(), held(subject="legacy", cpu_s=2.0)])[-1] == "CPU new / legacy: 0.50"


@pytest.mark.checklist("5.2.11", "5.2.14")
def test_the_new_stack_holds_out(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["soak", "--rate", "2000", "--duration", "2.5s", "--json"]) == 0
    said = capsys.readouterr()
    (soaked,) = json.loads(said.out)
    assert soaked["received"] == soaked["sent"]
    assert sum(soaked["sent"].values()) > 6_000
    assert "0 s left" in said.err
    assert soaked["held"]


def test_events_that_are_only_counted_are_all_counted(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["soak", "--rate", "600", "--duration", "2.5s", "--json", "--count-only"]) == 0
    (counted,) = json.loads(capsys.readouterr().out)
    assert counted["received"] == counted["sent"]
    assert sum(counted["sent"].values()) > 1_800


@pytest.mark.long
def test_counting_costs_less_than_writing(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["soak", "--rate", "600", "--duration", "5s", "--json"]
    costs = []
    for more in ([], ["--count-only"]):
        assert main([*words, *more]) == 0
        costs.append(json.loads(capsys.readouterr().out)[0]["cpu_us_per_frame"])
    assert costs[1] < costs[0]


@pytest.mark.long
@pytest.mark.checklist("5.2.11", "5.2.14", "5.3.5", "5.3.6", "5.3.7")
def test_ten_thousand_a_second_for_five_minutes_at_less_than_legacy_costs(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["soak", "--duration", "5m", "--subjects", "new,legacy", "--json"]) == 0
    new, legacy = json.loads(capsys.readouterr().out)
    assert (new["subject"], legacy["subject"]) == ("new", "legacy")
    for soaked in (new, legacy):
        assert soaked["received"] == soaked["sent"]
        assert 3_000_000 <= soaked["frames"] <= 3_000_500
    assert new["cpu_us_per_frame"] <= 0.85 * legacy["cpu_us_per_frame"]


@pytest.mark.parametrize(
    ("subject", "text"),
    [
        pytest.param(f"{SABOTEUR} drop@gateio.spot.public:at=2s", "1 of ", marks=pytest.mark.long),
        pytest.param(f"{SABOTEUR} die@*:at=2s", "ended by itself", marks=pytest.mark.long),
        (f"{sys.executable} -c 0", "ended by itself with code 0"),
    ],
)
def test_a_subject_that_does_not_is_found(subject: str, text: str, capsys: pytest.CaptureFixture[str]) -> None:
    words = [
        "soak",
        "--connections",
        "gateio.spot.public",
        "--rate",
        "600",
        "--duration",
        "4.5s",
        "--subjects",
        subject,
    ]
    assert main(words) == 10
    assert text in capsys.readouterr().err
