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
