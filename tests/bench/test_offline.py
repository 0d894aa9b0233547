"""The offline bench makes what it says, and finds it again."""

from __future__ import annotations

import json
import sys

import pytest

from bench import offline


def test_the_bench_counts_what_was_put_in(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["offline", "--events", "250000"])
    assert offline.main() == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["missing"], found["repeated"], found["changed"]) == (3, 3, 3)
    assert found["equal"] == found["owed"] - 6
    assert 0 < found["peak_mib"] < 512
