"""The known-differences list goes into the run, so that a verdict can be derived again from the run alone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Run = Callable[..., tuple[int, dict[str, Any], str]]
ENTRY = """
[[known]]
id = "K1"
code = "MISSING"
side = "new"
channel = "trade"
max_count = 1
owner = "the desk"
reason = "one trade is left out on purpose"
expires = {expires}
"""


@pytest.mark.timeout(60)
@pytest.mark.parametrize(("expires", "verdict"), [("2999-01-01", "HOLD"), ("2020-01-01", "ROLL_BACK")])
def test_an_entry_covers_its_difference_until_it_expires(
    run_session: Run, relay: Callable[..., str], tmp_path: Path, expires: str, verdict: str
) -> None:
    listed = tmp_path / "accepted.toml"
    listed.write_text(ENTRY.format(expires=expires))
    out = tmp_path / "run"
    words = ("--no-calibration", "--duration", "3s", "--known", str(listed), "--new", relay("drop"))
    _, found, _ = run_session(out, *words)
    assert found["verdict"] == verdict
    assert (out / "known.toml").read_text() == listed.read_text()
    assert [entry["id"] for entry in found["known"]] == ["K1"]
