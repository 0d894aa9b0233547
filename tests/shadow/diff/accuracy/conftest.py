"""A judge that keeps what it knows, and one recorded run for all tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from .legs import Judge, record_run


@pytest.fixture
def judge(monkeypatch: pytest.MonkeyPatch) -> Judge:
    return Judge(monkeypatch)


@pytest.fixture(scope="session")
def recorded_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return record_run(tmp_path_factory.mktemp("recorded"))
