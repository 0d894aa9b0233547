"""What a dual-run manager says of units that are made of several streams."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from openfeature import api

from infrastructure.networking.websocket.migration.dual_run import DualRunManager
from infrastructure.networking.websocket.migration.event import Side
from infrastructure.networking.websocket.migration.unit import PRIVATE, Unit

ACCOUNT = Unit("gateio", "spot", PRIVATE, account="0123456789ab")


@pytest.fixture
def manager(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[DualRunManager]:
    """Of an account, with stacks that are never started."""
    monkeypatch.setenv("WS_SHADOW_FLAGS", str(tmp_path / "flags.json"))
    monkeypatch.setenv("WS_SHADOW_KILL", str(tmp_path / "websocket.kill"))

    async def handler(_: Any) -> None:
        raise AssertionError("nothing is delivered here")

    yield DualRunManager(ACCOUNT, dict.fromkeys(Side, lambda *_: SimpleNamespace()), handler)
    api.clear_providers()


def lanes(*sides: Side, wanted: Side) -> dict[Any, Any]:
    return {
        number: SimpleNamespace(unit=ACCOUNT, wanted=wanted, arbiter=SimpleNamespace(serving=side))
        for number, side in enumerate(sides)
    }


@pytest.mark.parametrize("wanted", list(Side))
def test_an_account_is_where_it_was_until_all_of_its_streams_have_moved(manager: DualRunManager, wanted: Side) -> None:
    old = wanted.other
    for sides, told in (((old, old), old), ((wanted, old), old), ((old, wanted), old), ((wanted, wanted), wanted)):
        manager._lanes = lanes(*sides, wanted=wanted)
        assert manager.serving() == {ACCOUNT: told}
