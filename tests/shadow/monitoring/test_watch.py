"""The thread that looks: it lives through whatever a file holds, and says that its look grows old."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from shadow.monitoring import watch as module

from ..rollout.conftest import Desk
from .conftest import Scraped, exposed, scrape_of, watch_of


def scraped(watch: module.Watch) -> Scraped:
    return scrape_of(exposed(watch))


def test_a_look_that_fails_is_counted_the_old_one_stays_and_the_next_is_taken(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    failed, went_on, good = threading.Event(), threading.Event(), module.look

    def broken(*_: Any) -> Any:
        failed.set()
        raise ValueError("a file that nobody thought of")

    def mended(*words: Any) -> Any:
        found = good(*words)
        went_on.set()
        return found

    monkeypatch.setattr(module, "LOOK_S", 0.01)
    desk.beat()
    watch = watch_of(desk)
    watch.start()
    try:
        assert (scraped(watch)["look_failures"], scraped(watch)["look_age_seconds"]) == ({(): 0}, {(): 0})
        monkeypatch.setattr(module, "look", broken)
        assert failed.wait(5)
        monkeypatch.setattr(module, "look", mended)
        assert went_on.wait(5)
    finally:
        watch.stop()
    found = scraped(watch)
    assert found["look_failures"][()] >= 1
    assert found["heartbeats_fresh"] == {("consumer",): 1, ("judge",): 1}


def test_before_the_first_good_look_nothing_is_claimed(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any) -> Any:
        raise ValueError("a file that nobody thought of")

    monkeypatch.setattr(module, "LOOK_S", 60.0)
    monkeypatch.setattr(module, "look", broken)
    watch = watch_of(desk)
    watch.start()
    watch.stop()
    assert scraped(watch) == {"look_failures": {(): 1}}


def test_an_old_look_is_told_by_its_age(desk: Desk) -> None:
    watch = watch_of(desk)
    watch.take()
    desk.now_s += 12
    assert scraped(watch)["look_age_seconds"] == {(): 12}


def test_sessions_are_looked_for_now_and_then_only(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[float] = []
    monkeypatch.setattr(module, "newest_evidence", lambda _: asked.append(desk.now_s))
    watch = watch_of(desk)
    for _ in range(31):
        watch.take()
        desk.now_s += 1
    assert len(asked) == 3
