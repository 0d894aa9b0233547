"""The known-differences list goes into the run, so that a verdict can be derived again from the run alone."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from shadow.capture.manifest import write_manifest
from shadow.capture.reader import RunData
from shadow.verdict.judge import judge

Live = dict[str, tuple[Path, tuple[int, dict[str, Any], str]]]
pytestmark = pytest.mark.timeout(480)  # the first test waits for all live sessions


def test_an_entry_covers_its_difference_until_it_expires(live: Live, tmp_path: Path) -> None:
    """The same session, once more with a list that had expired before it began."""
    out, (_, found, _) = live["known"]
    assert found["verdict"] == "HOLD"
    listed = (out / "known.toml").read_text()
    assert 'id = "K1"' in listed
    assert [entry["id"] for entry in found["known"]] == ["K1"]
    run = tmp_path / "run"
    shutil.copytree(out, run)
    (run / "known.toml").write_text(listed.replace("2999-01-01", "2020-01-01"))
    write_manifest(run)
    expired = judge(RunData(run)).verdict
    assert expired["verdict"] == "ROLL_BACK"
    assert [entry["id"] for entry in expired["known"]] == ["K1"]
