"""A flag provider that cannot be used: nothing moves away from legacy, and nothing keeps anyone from going back."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest
from openfeature import api

from shadow.cli import main
from shadow.subjects import consumer
from tests.shadow.rollout.conftest import Desk

NOBODY = "flags.of.nobody:provider"
LINE = f"flag provider '{NOBODY}' cannot be imported: ModuleNotFoundError: No module named 'flags'"


@pytest.fixture
def here(tmp_path: Path, make_desk: Callable[[Path], Desk], monkeypatch: pytest.MonkeyPatch) -> Desk:
    """A rollout in the working directory, at shadow, whose consumers are to ask a provider that is not there."""
    for name in ("WS_SHADOW_FLAGS", "WS_SHADOW_ROLLOUT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    desk = make_desk(Path())
    desk.now_s = time.time()
    desk.session()
    desk.watch()
    desk.flip("*", "shadow")
    monkeypatch.setenv("WS_SHADOW_FLAG_PROVIDER", NOBODY)
    api.clear_providers()  # one that another test left would be asked instead
    return desk


@pytest.mark.parametrize("words", ["flip * canary", "flip * canary --dry-run", "rollout start", "rollout advance"])
def test_a_move_to_new_is_refused_in_one_line(here: Desk, words: str, capsys: pytest.CaptureFixture[str]) -> None:
    if words == "rollout advance":
        from shadow.rollout.plan_file import default_plan
        from shadow.rollout.units import parse_unit

        here.controller().begin(default_plan(parse_unit("*")))
    assert main(words.split()) == 2
    said = capsys.readouterr().err
    assert said == f"shadow: {LINE}; mend $WS_SHADOW_FLAG_PROVIDER, or unset it for the flag file\n"
    assert here.rules() == ["* shadow"]


@pytest.mark.parametrize("words", ["flip * off", "flip * shadow", "rollout rollback", "rollout hold", "status"])
def test_the_way_back_asks_no_provider(here: Desk, words: str) -> None:
    assert main(words.split()) == 0


def test_a_consumer_ends_with_one_line(here: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    assert consumer.main() == 2
    assert capsys.readouterr().err.startswith(f"consumer: {LINE}; mend")
