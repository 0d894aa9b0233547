"""The written capture: whole under its name, or nothing at all."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from shadow.errors import UsageError
from shadow.importing.capture_file import CaptureFile
from shadow.venue.sources.imported import FrameLine

FRAME = FrameLine(0, "spot.trades", "trade", "BTC_USDT", text="{}")


def test_a_sealed_file_is_there_with_its_hash(tmp_path: Path) -> None:
    dest = tmp_path / "x.capture"
    with CaptureFile(dest) as file:
        file.open("gateio.spot.public")
        file.write(FRAME)
        assert not dest.exists()
        sha256 = file.seal(1, ["trade"], ["BTC_USDT"])
    lines = dest.read_bytes().splitlines(keepends=True)
    assert sha256 == hashlib.sha256(b"".join(lines[:-1])).hexdigest()
    assert sha256.encode() in lines[-1]
    assert list(tmp_path.iterdir()) == [dest]
    assert dest.stat().st_mode & 0o077 == 0


def test_an_unsealed_file_leaves_nothing(tmp_path: Path) -> None:
    def write_half() -> None:
        with CaptureFile(tmp_path / "x.capture") as file:
            file.open("gateio.spot.public")
            file.write(FRAME)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_half()
    assert list(tmp_path.iterdir()) == []


def test_a_file_is_never_written_over(tmp_path: Path) -> None:
    dest = tmp_path / "x.capture"
    dest.write_text("kept")
    with pytest.raises(UsageError, match="never written over"):
        CaptureFile(dest)
    assert dest.read_text() == "kept"


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no/x\.capture: No such file"):
        CaptureFile(tmp_path / "no" / "x.capture")
    with pytest.raises(UsageError, match="nope"):
        CaptureFile(Path("/proc/nope"))


def test_a_full_disk_is_one_sentence_and_leaves_nothing(tmp_path: Path) -> None:
    with CaptureFile(tmp_path / "x.capture") as file, Path("/dev/full").open("wb", buffering=0) as full:
        file._file.close()
        file._file = full  # type: ignore[assignment]  # unbuffered, so that it fails at once
        with pytest.raises(UsageError, match=r"x\.capture: No space left"):
            file.open("gateio.spot.public")
    assert list(tmp_path.iterdir()) == []
