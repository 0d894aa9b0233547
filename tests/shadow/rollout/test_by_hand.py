"""What a person holds, or edits in the flag file, and how it is left."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from shadow.errors import UsageError
from shadow.rollout.consumers import Alarm
from shadow.rollout.units import parse_unit

from .conftest import BOOK, PRIVATE, PUBLIC, Desk, stages


def test_a_persons_hold_is_left_by_a_person(live: Desk) -> None:
    live.drill()
    live.session()
    live.controller().rollback(parse_unit(BOOK))
    live.controller().hold(parse_unit(BOOK), "until monday")
    live.now_s += 601
    live.drill()
    live.watch()
    with pytest.raises(UsageError, match="until monday"):
        live.flip(BOOK, "canary")
    live.flip(BOOK, "canary", "ada")
    assert live.controller().books().state.holds == ()


def test_a_hold_of_the_watch_is_left_by_clean_gates(live: Desk) -> None:
    live.alarms = [Alarm("stability", "*", "both are away", legacy_too=True)]
    live.watch()
    live.alarms = []
    live.watch()
    live.now_s += 86_400
    live.drill()
    live.watch()
    live.flip(PUBLIC, "rampdown")
    assert live.controller().books().state.holds == ()


def edited(desk: Desk, change: Callable[[dict[str, Any]], Any]) -> None:
    content = json.loads(desk.places.flags.read_text())
    change(content["flags"]["websocket-stack"])
    desk.places.flags.write_text(json.dumps(content))


def test_a_persons_edit_towards_legacy_is_taken_up_and_latches(live: Desk) -> None:
    edited(live, lambda flag: flag.update(targeting={}))
    assert live.watch() == []
    assert live.rules() == []
    with pytest.raises(UsageError, match="was taken back"):
        live.flip(PUBLIC, "shadow", "ada")


def test_a_persons_edit_away_from_legacy_is_refused_with_the_way_out(live: Desk) -> None:
    edited(live, lambda flag: flag["targeting"]["if"].insert(0, True) or flag["targeting"]["if"].insert(1, "rampdown"))
    with pytest.raises(UsageError, match="edited by hand"):
        live.flip(PRIVATE, "shadow")
    live.controller().rollback(parse_unit(PRIVATE))
    assert stages(live) == ["live", "live", "off"]


def test_a_hand_written_file_is_where_a_rollout_begins(desk: Desk) -> None:
    page = Path(__file__).parents[3] / "docs" / "flag.md"
    desk.places.flags.write_text(page.read_text().partition("```json\n")[2].partition("```")[0])
    desk.watch()
    assert desk.rules() == ["mexc complete"]
