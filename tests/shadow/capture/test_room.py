"""What a run may take of the disk."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shadow.capture.room import LEAST_BYTES, bytes_of, is_full, room_for, spelt
from shadow.errors import UsageError


@pytest.mark.parametrize(("text", "size"), [("2MB", 2_000_000), ("2.5GB", 2_500_000_000), ("1TB", 10**12)])
def test_sizes_are_read_and_written(text: str, size: int) -> None:
    assert bytes_of(text) == size
    assert spelt(size) == text


@pytest.mark.parametrize("text", ["", "5", "1MB", "-2GB", "2 GB", "all", "1e9KB"])
def test_what_is_no_size_is_refused_with_the_way_out(text: str) -> None:
    with pytest.raises(UsageError, match="write for example 500MB"):
        bytes_of(text)


def test_without_a_wish_half_of_what_is_free(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(100, 40, 60))
    assert room_for(tmp_path, None) == 30
    assert room_for(tmp_path, 50) == 50


@given(tables=st.lists(st.integers(0, 10**9), max_size=8), limit=st.integers(LEAST_BYTES, 10**10))
def test_what_is_not_full_can_be_compacted_within_the_limit(tables: list[int], limit: int) -> None:
    """Each table is there twice while it is compacted; none grows by that."""
    peak = sum(tables) + max(tables, default=0)
    assert is_full(tables, limit) or peak < limit
    assert is_full([*tables, limit], limit)
