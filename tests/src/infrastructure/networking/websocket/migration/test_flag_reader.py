"""The reader of a flag, unit by unit: what it takes in, and when it tells of that."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest

from infrastructure.networking.websocket.migration.flag_reader import FlagReader
from infrastructure.networking.websocket.migration.stage import Stage
from infrastructure.networking.websocket.migration.unit import Unit

BOOK = Unit("gateio", "spot", "book", "BTC_USDT")
GRACE_S = 5.0


class Interrupted(dict[Unit, Stage]):
    """Stages into which another thread brings a unit just as changed ones are taken in."""

    def __init__(self, reader: FlagReader, unit: Unit) -> None:
        super().__init__(reader._stages)
        self.adding = threading.Thread(target=reader.add, args=([unit],))

    def __or__(self, more: Any) -> Any:
        if self.adding.ident is None:
            self.adding.start()
            self.adding.join(0.1)
        return dict(self) | more


def test_a_unit_that_comes_while_the_flag_changes_is_asked_for_like_all_others() -> None:
    late = Unit("gateio", "spot", "trade", "ETH_USDT")
    reader = FlagReader(lambda: None, read=lambda _: (Stage.LIVE, "STATIC"))
    reader.add([BOOK])
    reader._stages = stages = Interrupted(reader, late)
    reader.read_once()
    stages.adding.join()
    reader.read_once()
    assert (reader.stage(BOOK), reader.stage(late)) == (Stage.LIVE, Stage.LIVE)


def test_a_unit_over_which_the_provider_hangs_holds_no_other_one_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The one that it answered for has its stage, and the loop hears of it, while the other is still awaited."""
    monkeypatch.setenv("WS_SHADOW_KILL", str(tmp_path / "websocket.kill"))
    hanging, go_on, told = threading.Event(), threading.Event(), threading.Event()
    late = Unit("gateio", "spot", "trade", "ETH_USDT")

    def read(unit: Unit) -> tuple[Stage | None, str]:
        if unit is late:
            hanging.set()
            go_on.wait(GRACE_S)
            return None, "TIMEOUT"
        return Stage.SHADOW, "STATIC"

    reader = FlagReader(told.set, first=Stage.LIVE, read=read)
    reader.add([BOOK, late])
    reader.start()
    try:
        assert hanging.wait(GRACE_S)
        assert told.wait(GRACE_S / 2)
        assert not go_on.is_set()
        assert (reader.stage(BOOK), reader.stage(late)) == (Stage.SHADOW, Stage.LIVE)
    finally:
        go_on.set()
        reader.stop()


def test_a_change_of_many_units_is_told_once() -> None:
    told: list[None] = []
    reader = FlagReader(lambda: told.append(None), read=lambda _: (Stage.LIVE, "STATIC"))
    reader.add(Unit("gateio", "spot", "book", f"S{number}_USDT") for number in range(300))
    reader.read_once()
    reader.read_once()
    assert (len(told), reader.generation) == (1, 1)


def test_a_unit_that_comes_when_the_provider_is_gone_begins_where_its_manager_stands() -> None:
    """Not where that was when it was made: it may have been taken back since."""
    says = [Stage.SHADOW]
    reader = FlagReader(lambda: None, first=Stage.LIVE, read=lambda _: (says[0], "STATIC") if says else (None, "ERROR"))
    reader.add([Unit("gateio", "spot")])
    reader.add([BOOK])
    assert reader.stage(BOOK) is Stage.LIVE
    reader.read_once()
    says.clear()
    late = Unit("gateio", "spot", "trade", "ETH_USDT")
    assert reader.stage(late) is Stage.SHADOW
    reader.add([late])
    reader.read_once()
    assert (reader.stage(BOOK), reader.stage(late)) == (Stage.SHADOW, Stage.SHADOW)
