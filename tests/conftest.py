"""Fixtures that every test may use."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

DEFAULT_CAPTURES = Path(__file__).parents[2] / "shared" / "captures"


@pytest.fixture(scope="session")
def captures() -> Path:
    """The folder of recorded frames, from $WS_SHADOW_CAPTURES; the test is skipped where it is missing."""
    folder = Path(os.environ.get("WS_SHADOW_CAPTURES", str(DEFAULT_CAPTURES)))
    if not folder.is_dir():
        pytest.skip(f"no captures at {folder}; set WS_SHADOW_CAPTURES to a folder of recorded frames")
    return folder


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whole sessions first and all on one worker, since they share recorded runs; other files are shared out."""
    for item in items:
        is_session = "sessions" in item.path.parts
        item.add_marker(pytest.mark.xdist_group("sessions" if is_session else str(item.path)))
    items.sort(key=lambda item: "sessions" not in item.path.parts)
