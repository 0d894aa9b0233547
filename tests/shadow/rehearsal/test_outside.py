"""A rollout is back on legacy when the consumer's lines, its status, the journal and the flag all say so."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from shadow.rehearsal.outside import LoopbackRollout
from shadow.rollout.consumers import ConsumerStatus, UnitStatus, write_status
from shadow.rollout.flag_file import replace_file
from tests.shadow.rehearsal.conftest import set_stage
from tests.shadow.rehearsal.test_judge import UNIT, C


def serve(rollout: LoopbackRollout, side: str) -> None:
    """A line of the consumer."""
    rollout.parts.ear.line(json.dumps({"k": "serving", "t": 1, "unit": UNIT, "side": side}).encode())


def apply(rollout: LoopbackRollout) -> None:
    """The consumer's status: legacy serves by the flag as it is now."""
    generation = rollout.controller.books().state.generation
    status = ConsumerStatus("rehearsal", 1, time.time(), generation, {UNIT: UnitStatus("legacy")})
    write_status(rollout.parts.places.folder, status)


@pytest.fixture
def rollout(tmp_path: Path) -> LoopbackRollout:
    """One that is back."""
    rollout = LoopbackRollout(tmp_path, tmp_path / "runs", [C], ["BTC_USDT"])
    set_stage(rollout.parts, "shadow")
    serve(rollout, "legacy")
    apply(rollout)
    return rollout


def test_all_of_them_say_so(rollout: LoopbackRollout) -> None:
    assert rollout.is_back()


def test_the_consumer_still_hands_on_what_new_says(rollout: LoopbackRollout) -> None:
    serve(rollout, "new")
    assert not rollout.is_back()


def test_the_journal_has_new_serve(rollout: LoopbackRollout) -> None:
    set_stage(rollout.parts, "live")
    apply(rollout)
    assert not rollout.is_back()


def test_the_consumer_has_not_applied_the_flag_yet(rollout: LoopbackRollout) -> None:
    set_stage(rollout.parts, "off")
    assert not rollout.is_back()
    apply(rollout)
    assert rollout.is_back()


def test_a_flag_that_cannot_be_read_means_not_yet(rollout: LoopbackRollout) -> None:
    good = rollout.parts.places.flags.read_bytes()
    replace_file(rollout.parts.places.flags, b'{"flags": ')
    assert not rollout.is_back()
    replace_file(rollout.parts.places.flags, good)
    assert rollout.is_back()
