"""Status files: fresh, stale, damaged, and whole at every moment."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import msgspec
import pytest

from shadow.rollout.consumers import (
    HEARTBEAT_S,
    Alarm,
    ConsumerStatus,
    JudgeStatus,
    UnitStatus,
    read_statuses,
    strangers,
    write_status,
)

DESK = ConsumerStatus("desk", 1, 100.0, 3, {"gateio.spot.private": UnitStatus("new")}, ["ws://127.0.0.1:1/"])
JUDGE = JudgeStatus("judge", 100.0, "HOLD", "alarm", [Alarm("memory", "gateio.spot", "+21 %", True)])


def test_what_was_written_is_read(tmp_path: Path) -> None:
    write_status(tmp_path, DESK)
    write_status(tmp_path, JUDGE)
    told = read_statuses(tmp_path, 100.0)
    assert (told.consumers, told.judges, told.stale) == ([DESK], [JUDGE], [])
    assert read_statuses(tmp_path / "nowhere", 100.0).stale == []


@pytest.mark.parametrize(("now_s", "is_fresh"), [(99.0, True), (98.9, False), (105.0, True), (105.1, False)])
def test_a_heartbeat_lasts_and_none_comes_from_the_future(now_s: float, is_fresh: bool, tmp_path: Path) -> None:
    write_status(tmp_path, DESK)
    told = read_statuses(tmp_path, now_s)
    assert HEARTBEAT_S == 5.0
    assert (told.consumers == [DESK], told.stale == ["consumers/desk.json"]) == (is_fresh, not is_fresh)


@pytest.mark.parametrize(
    "change", [{"schema": 2}, {"at": "now"}, {"units": {"gateio": 1}}, {"units": {"a b": {"serving": "new"}}}]
)
def test_a_file_that_is_no_status_is_named_and_hides_no_other(change: dict[str, Any], tmp_path: Path) -> None:
    write_status(tmp_path, DESK)
    damaged = msgspec.json.decode(msgspec.json.encode(DESK)) | change
    (tmp_path / "consumers" / "bad.json").write_bytes(msgspec.json.encode(damaged))
    told = read_statuses(tmp_path, 100.0)
    assert (told.consumers, told.stale) == ([DESK], ["consumers/bad.json"])


def test_a_pipe_in_the_place_of_a_status_keeps_nobody(tmp_path: Path) -> None:
    write_status(tmp_path, DESK)
    os.mkfifo(tmp_path / "consumers" / "pipe.json")
    told = read_statuses(tmp_path, 100.0)
    assert (told.consumers, told.stale) == ([DESK], ["consumers/pipe.json"])


def test_addresses_beyond_this_machine_are_strangers() -> None:
    urls = ["ws://127.0.0.1:1/", "ws://localhost/", "http://[::1]:2/", "wss://wbs-api.mexc.com/ws", "nonsense"]
    assert strangers([msgspec.structs.replace(DESK, urls=urls)]) == ["nonsense", "wss://wbs-api.mexc.com/ws"]
