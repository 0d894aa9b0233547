"""The place of a tap: whose it is, who is let in, and when nobody can be."""

from __future__ import annotations

import asyncio
import errno
import socket
import stat
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from exchanges.structs import ConfigurationError
from infrastructure.networking.websocket.migration import tap_socket
from infrastructure.networking.websocket.migration.tap import Tap
from infrastructure.networking.websocket.migration.tap_socket import MOST_READERS

from .taps import WAIT_S, Attach


async def test_the_place_is_the_owners_alone(tap: Tap, tmp_path: Path) -> None:
    path = tap.socket.path
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    with pytest.raises(ConfigurationError, match=r"no tap at .*in use"):
        Tap(path).open()
    (tmp_path / "open").mkdir(mode=0o755)
    with pytest.raises(ConfigurationError, match="chmod 700"):
        Tap(tmp_path / "open" / "desk").open()
    with pytest.raises(ConfigurationError, match="too long"):
        Tap(tmp_path / "taps" / ("d" * 120)).open()
    await tap.close()
    assert not path.exists()


async def test_the_socket_of_a_process_that_died_is_replaced(tmp_path: Path, attach: Attach) -> None:
    path = tmp_path / "taps" / "desk"
    path.parent.mkdir(mode=0o700)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as left:
        left.bind(str(path))
    tap = Tap(path)
    tap.open()
    await attach(tap)
    await tap.close()


async def test_a_process_without_room_for_a_reader_lets_it_wait_and_does_not_spin(
    tap: Tap, attach: Attach, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tap_socket, "PAUSE_S", 0.05)
    assert tap.socket._listening is not None
    listening: socket.socket = tap.socket._listening
    asked: list[float] = []

    class Full:
        """The listening socket of a process whose files are all in use, twice."""

        def fileno(self) -> int:
            return listening.fileno()

        def accept(self) -> Any:
            asked.append(asyncio.get_running_loop().time())
            if len(asked) <= 2:
                raise OSError(errno.EMFILE, "Too many open files")
            return listening.accept()

    asyncio.get_running_loop().remove_reader(listening)
    tap.socket._listen(Full())  # type: ignore[arg-type]  # as much of a socket as is asked for
    await attach(tap)
    assert [later - earlier >= 0.04 for earlier, later in pairwise(asked)] == [True, True]


async def test_a_tap_that_is_closed_while_it_lets_nobody_in_stays_closed(tap: Tap) -> None:
    listening = tap.socket._listening
    assert listening is not None
    tap.socket._pause(listening)
    again = tap.socket._again
    await tap.close()
    assert again is not None
    assert again.cancelled()


async def test_there_is_an_end_to_readers(tap: Tap, attach: Attach) -> None:
    judges = [await attach(tap) for _ in range(MOST_READERS)]
    reader, writer = await asyncio.open_unix_connection(tap.socket.path)
    assert await asyncio.wait_for(reader.read(), WAIT_S) == b""
    writer.close()
    await writer.wait_closed()
    assert len(tap.socket.readers) == len(judges)
