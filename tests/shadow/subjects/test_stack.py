"""What the options of a start line change in our own subjects."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import msgspec
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


MEXC = msgspec.structs.replace(
    SPEC, id="mexc.spot.public", exchange="mexc", symbols=("BTCUSDT",), credentials={"key": "k", "secret": "s"}
)


def created(
    architecture: str, folder: Path, monkeypatch: pytest.MonkeyPatch, spec: ConnectionSpec = SPEC, **options: Any
) -> Any:
    """What a subject makes of a connection; the flag's variables are put back."""
    for name in ("WS_SHADOW_FLAGS", "WS_SHADOW_KILL", "WS_SHADOW_FLAG_PROVIDER"):
        monkeypatch.setenv(name, os.environ.get(name, ""))
    set_flag(architecture, folder)
    start = StartLine(1, "run", "new", (spec,), options)
    return StackSubject(architecture, start, Emitter(1))._create(spec)


async def test_the_door_is_the_factory_unless_told_otherwise(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert isinstance(created("new", tmp_path, monkeypatch), WebSocketManager)
    assert isinstance(created("new", tmp_path, monkeypatch, door="direct"), DirectDoor)
    assert isinstance(created("legacy", tmp_path, monkeypatch, door="direct"), LegacyManager)


async def test_a_subject_asks_no_provider_of_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from openfeature import api

    monkeypatch.setenv("WS_SHADOW_FLAG_PROVIDER", "flags.of.nobody:provider")
    api.clear_providers()
    assert isinstance(created("new", tmp_path, monkeypatch), WebSocketManager)


@pytest.mark.parametrize("door", ["factory", "direct"])
async def test_the_transport_is_the_one_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, door: str) -> None:
    for name, opener in ((None, open_websockets), ("websockets", open_websockets), ("picows", open_picows)):
        options = {"door": door} | ({"transport": name} if name else {})
        made = created("new", tmp_path, monkeypatch, **options)
        handler = made.handler if door == "factory" else made._connection.handler
        assert handler._open_transport is opener


@pytest.mark.parametrize("scope", ["public", "private"])
@pytest.mark.parametrize("door", ["factory", "direct"])
@pytest.mark.parametrize(("scale", "renew_after_s"), [(1.0, 85_800.0), (24.0, 3575.0), (1440.0, 57.0)])
async def test_a_compressed_days_connections_are_left_before_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, scope: str, door: str, scale: float, renew_after_s: float
) -> None:
    """Ten minutes before, compressed as the day; but never so little that a second connection cannot be opened."""
    spec = msgspec.structs.replace(MEXC, id=f"mexc.spot.{scope}", scope=scope)
    made = created("new", tmp_path, monkeypatch, spec, door=door, time_scale=scale)
    handler = made.handler if door == "factory" else made._connection.handler
    assert handler._renew_after_s == renew_after_s
