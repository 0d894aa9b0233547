"""Managers of both stacks, and the flag that says who serves."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from openfeature import api

from bench.flip_drive import HandFlag
from exchanges.structs import (
    ExchangeConfig,
)
from infrastructure.networking.websocket.migration.dual_run import DualRunManager
from infrastructure.networking.websocket.migration.stage import Stage
from infrastructure.networking.websocket.utils import create_websocket_manager


@pytest.fixture
def flag(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[HandFlag]:
    """Stage shadow at first."""
    monkeypatch.setenv("WS_SHADOW_KILL", str(tmp_path / "websocket.kill"))
    yield HandFlag(Stage.SHADOW)
    api.clear_providers()


@pytest.fixture
async def dual(flag: HandFlag, exchange_config: ExchangeConfig, caller: Any) -> AsyncIterator[DualRunManager]:
    """What the factory gives in stage shadow, not yet initialised; closed at the end."""
    options = {"logger": logging.getLogger("conformance"), "placement": "inline"}
    built = create_websocket_manager(exchange_config, False, caller.on_message, caller.on_state, **options)
    assert isinstance(built, DualRunManager)
    yield built
    await built.close()


@pytest.fixture
async def beside(flag: HandFlag, exchange_config: ExchangeConfig, caller: Any) -> AsyncIterator[DualRunManager]:
    """Legacy in this process, new in a sidecar, which is what a caller gets who says nothing of it."""
    built = create_websocket_manager(exchange_config, False, caller.on_message, caller.on_state)
    yield built
    await built.close()
