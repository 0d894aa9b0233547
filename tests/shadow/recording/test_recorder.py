"""`shadow record` of a second venue over TLS, as a person calls it; what it leaves is what `--feed capture:` plays."""

from __future__ import annotations

import asyncio
import os
import resource
import signal
import sys
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from shadow.venue.sources.capture import load_capture
from shadow.venue.sources.recording import Capture

BOTH = ["gateio.spot.public", "mexc.spot.public"]
SMALL = ("--file-size", "60KB")


async def record(dest: Path, *words: str, before: Callable[[], None] | None = None) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "shadow.cli", "record", str(dest), *words),
        stderr=asyncio.subprocess.PIPE,
        preexec_fn=before,
    )


async def end_of(process: asyncio.subprocess.Process) -> tuple[int | None, list[str]]:
    _, said = await process.communicate()
    return process.returncode, said.decode().splitlines()


async def files_beyond(dest: Path, count: int) -> None:
    while len(list(dest.glob("[!.]*.capture"))) < count:  # noqa: ASYNC110 - another process writes them
        await asyncio.sleep(0.02)


def captures(dest: Path) -> dict[str, list[Capture]]:
    found: dict[str, list[Capture]] = {}
    for path in sorted(dest.glob("[!.]*.capture"), key=lambda path: path.stat().st_mtime_ns):
        capture = load_capture(path)
        found.setdefault(capture.connections[0], []).append(capture)
    return found


def holes(files: list[Capture]) -> int:
    """Places where the versions of a symbol's book do not go on, over all files."""
    count = 0
    for symbol in files[0].symbols:
        books = [one for file in files for one in file.frames if (one.channel, one.symbol) == ("book", symbol)]
        assert len(books) > 10
        count += sum(after.first != (before.last or 0) + 1 for before, after in pairwise(books))
    return count


async def test_files_follow_each_other_without_a_hole_each_with_its_own_books(upstream: Any, tmp_path: Path) -> None:
    await upstream(connections=BOTH, rate=600)
    dest = tmp_path / "tapes"
    words = ("--connections", ",".join(BOTH), "--duration", "1.5s", *SMALL)
    code, said = await end_of(await record(dest, *words))
    assert code == 0, said
    assert "files of this recording" in said[-1]
    found = captures(dest)
    assert set(found) == set(BOTH)
    for files in found.values():
        assert len(files) > 1
        assert holes(files) == 0
        for file in files[:-1]:
            assert set(file.market.books) == set(file.symbols) == {"BTC_USDT", "ETH_USDT"}
            for symbol, (version, bids, asks) in file.market.books.items():
                first = next(one for one in file.frames if (one.channel, one.symbol) == ("book", symbol))
                assert first.first is not None
                assert version >= first.first - 1
                assert bids
                assert asks
    assert [path.name for path in dest.glob(".*")] == []


async def test_the_oldest_files_go_when_the_limit_is_reached(upstream: Any, tmp_path: Path) -> None:
    await upstream(connections=BOTH[:1], rate=1000)
    dest = tmp_path / "tapes"
    words = ("--connections", BOTH[0], "--duration", "2s", "--max-disk", "200KB")
    code, said = await end_of(await record(dest, *words))
    assert code == 0, said
    assert any("old files removed" in line for line in said)
    assert sum(path.stat().st_size for path in dest.iterdir()) <= 200_000
    (files,) = captures(dest).values()
    assert holes(files) == 0


async def test_kill_9_leaves_whole_files_and_the_next_recording_clears_the_rest(upstream: Any, tmp_path: Path) -> None:
    await upstream(connections=BOTH[:1], rate=600)
    dest = tmp_path / "tapes"
    process = await record(dest, "--connections", BOTH[0], *SMALL)
    await files_beyond(dest, 2)
    other = await record(dest, "--connections", BOTH[0])
    assert await end_of(other) == (2, [f"shadow: {dest}: another `shadow record` writes there; give another folder"])
    process.kill()
    await process.wait()
    (files,) = captures(dest).values()
    assert len(files) >= 2
    assert list(dest.glob(".*.capture.*"))
    process = await record(dest, "--connections", BOTH[0], *SMALL)
    await files_beyond(dest, len(files) + 1)
    process.send_signal(signal.SIGINT)
    code, said = await end_of(process)
    assert code == 0, said
    assert list(dest.glob(".*")) == []
    assert len(captures(dest)[BOTH[0]]) > len(files)


def small_files() -> None:
    """A disk that takes no more: writing beyond 100 kB fails."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))


async def test_a_disk_that_takes_no_more_ends_it_cleanly(upstream: Any, tmp_path: Path) -> None:
    await upstream(connections=BOTH[:1], rate=600)
    dest = tmp_path / "tapes"
    code, said = await end_of(await record(dest, "--connections", BOTH[0], before=small_files))
    assert code == 2
    assert said[-1].startswith(f"shadow: {dest / BOTH[0]}-")
    assert said[-1].endswith(": File too large")
    assert not dest.exists() or list(dest.iterdir()) == []


async def test_a_lost_connection_ends_a_file_and_the_next_one_has_books_again(upstream: Any, tmp_path: Path) -> None:
    exchange = await upstream(connections=BOTH[:1], rate=300)
    dest = tmp_path / "tapes"
    process = await record(dest, "--connections", BOTH[0])
    await exchange.ws.passed_on(40_000)
    exchange.ws.drop()
    await exchange.ws.passed_on(40_000)
    process.send_signal(signal.SIGTERM)
    code, said = await end_of(process)
    assert code == 0, said
    assert "1 losses of a connection, each the end of a file" in said
    before, after = captures(dest)[BOTH[0]]
    assert holes([before]) == holes([after]) == 0
    assert set(after.market.books) == {"BTC_USDT", "ETH_USDT"}


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--symbols", "NO_SUCH"), "gateio.spot.public refuses NO_SUCH: "),
        (("--connections", "mexc.spot.public"), "the upstream names no address of mexc"),
    ],
)
async def test_what_the_exchange_does_not_have_is_one_line(
    words: tuple[str, ...], says: str, upstream: Any, tmp_path: Path
) -> None:
    await upstream(connections=BOTH[:1], rate=300)
    code, said = await end_of(await record(tmp_path / "tapes", "--connections", BOTH[0], *words))
    assert (code, len(said)) == (2, 1)
    assert says in said[0]
    assert not (tmp_path / "tapes").exists()


def test_nothing_is_left_where_nobody_is_reached(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from shadow.cli import main

    file = tmp_path / "upstream.json"
    file.write_text('{"ws":{"gateio.spot":"ws://127.0.0.1:9/"},"rest":{"gateio":"http://127.0.0.1:9"}}')
    monkeypatch.setenv("WS_SHADOW_UPSTREAM", str(file))
    assert main(["record", str(tmp_path / "tapes"), "--connections", BOTH[0]]) == 2
    assert os.listdir(tmp_path) == ["upstream.json"]
