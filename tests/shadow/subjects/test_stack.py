"""What the options of a start line change in our own subjects."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from infrastructure.networking.websocket.transport import open_websockets
from infrastructure.networking.websocket.transport_picows import open_picows
from infrastructure.networking.websocket.ws_manager import WebSocketManager
from legacy.websocket.ws_manager import WebSocketManager as LegacyManager
from shadow.subjects.direct import DirectDoor
from shadow.subjects.emit import Emitter
from shadow.subjects.protocol import ConnectionSpec, StartLine
from shadow.subjects.stack import StackSubject, set_flag

SPEC = ConnectionSpec(
    id="gateio.spot.public",
    exchange="gateio",
    market="spot",
    scope="public",
    ws_url="ws://127.0.0.1:1/",
    rest_url="http://127.0.0.1:1",
    symbols=("BTC_USDT",),
    channels=("book",),
    credentials=None,
)


def created(architecture: str, folder: Path, monkeypatch: pytest.MonkeyPatch, **options: Any) -> Any:
    """What a subject makes of a connection; the flag's variables are put back."""
    for name in ("WS_SHADOW_FLAGS", "WS_SHADOW_KILL"):
        monkeypatch.setenv(name, os.environ.get(name, ""))
    set_flag(architecture, folder)
    start = StartLine(1, "run", "new", (SPEC,), options)
    return StackSubject(architecture, start, Emitter(1))._create(SPEC)


async def test_the_door_is_the_factory_unless_told_otherwise(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert isinstance(created("new", tmp_path, monkeypatch), WebSocketManager)
    assert isinstance(created("new", tmp_path, monkeypatch, door="direct"), DirectDoor)
    assert isinstance(created("legacy", tmp_path, monkeypatch, door="direct"), LegacyManager)


@pytest.mark.parametrize("door", ["factory", "direct"])
async def test_the_transport_is_the_one_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, door: str) -> None:
    for name, opener in ((None, open_websockets), ("websockets", open_websockets), ("picows", open_picows)):
        options = {"door": door} | ({"transport": name} if name else {})
        made = created("new", tmp_path, monkeypatch, **options)
        handler = made.handler if door == "factory" else made._connection.handler
        assert handler._open_transport is opener
