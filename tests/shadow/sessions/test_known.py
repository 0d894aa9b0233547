"""The known-differences list goes into the run, so that a verdict can be derived again from the run alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

Live = dict[str, tuple[Path, tuple[int, dict[str, Any], str]]]
pytestmark = pytest.mark.timeout(480)  # the first test waits for all live sessions


@pytest.mark.parametrize(("name", "verdict"), [("known", "HOLD"), ("known but expired", "ROLL_BACK")])
def test_an_entry_covers_its_difference_until_it_expires(live: Live, name: str, verdict: str) -> None:
    out, (_, found, _) = live[name]
    assert found["verdict"] == verdict
    assert 'id = "K1"' in (out / "known.toml").read_text()
    assert [entry["id"] for entry in found["known"]] == ["K1"]
