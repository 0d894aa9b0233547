"""Run directories for the report's tests, made by `fixtures/build.py`."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

KINDS = ("ship", "roll_back", "not_fit", "interrupted")


def _builder() -> ModuleType:
    spec = importlib.util.spec_from_file_location("report_fixtures", Path(__file__).parent / "fixtures" / "build.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def make_run(tmp_path: Path) -> Callable[[str], Path]:
    """`make_run(kind)` writes a run directory of that kind and returns it."""
    build = _builder()
    return lambda kind: build.run_directory(kind, tmp_path / kind)


@pytest.fixture
def edit() -> Callable[[Path, Callable[[Any], None]], None]:
    """`edit(file, change)` reads a JSON file, lets `change` alter it and writes it back."""

    def apply(path: Path, change: Callable[[Any], None]) -> None:
        content = json.loads(path.read_text("utf-8"))
        change(content)
        path.write_text(json.dumps(content), "utf-8")

    return apply
