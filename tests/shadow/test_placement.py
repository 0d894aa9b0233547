"""Who runs where: chosen from cores, rate and wish, and really in force."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from shadow.errors import UsageError
from shadow.placement import SHARED_RATE, Placement, choose_placement


@pytest.mark.parametrize(
    ("rate", "unpaced", "wish", "cores", "subjects"),
    [
        (600, False, None, {0, 1}, 1),
        (600, False, "shared", {2, 5, 7}, 7),
        (SHARED_RATE, False, None, {0, 1}, 1),
        (SHARED_RATE + 1, False, None, {0, 1}, None),
        (600, True, None, {0, 1}, None),
        (600, False, "free", {0, 1}, None),
        (600, False, None, {0}, None),
    ],
)
def test_the_subjects_share_the_last_core_where_there_is_room(
    rate: int, unpaced: bool, wish: str | None, cores: set[int], subjects: int | None
) -> None:
    environment = {} if wish is None else {"WS_SHADOW_CORES": wish}
    placement = choose_placement(rate, unpaced=unpaced, environment=environment, cores=cores)
    assert placement == Placement(frozenset(cores), subjects)
    assert placement.name == ("free" if subjects is None else "shared")


def test_another_word_is_wrong_usage() -> None:
    with pytest.raises(UsageError, match="WS_SHADOW_CORES=pinned is unknown; use shared"):
        choose_placement(600, unpaced=False, environment={"WS_SHADOW_CORES": "pinned"})


@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="one core has no room for a placement")
def test_processes_run_where_they_are_put_and_this_one_is_let_go_again() -> None:
    before = os.sched_getaffinity(0)
    placement = choose_placement(600, unpaced=False, environment={})
    show = [sys.executable, "-c", "import os; print(sorted(os.sched_getaffinity(0)))"]
    with placement.harness():
        harness = subprocess.run(show, capture_output=True, text=True, check=True)
        subject = subprocess.run(show, capture_output=True, text=True, check=True, preexec_fn=placement.settle_subject)
        placement.lift()
        judge = subprocess.run(show, capture_output=True, text=True, check=True)
    assert judge.stdout.strip() == str(sorted(before))
    assert harness.stdout.strip() == str(sorted(before - {max(before)}))
    assert subject.stdout.strip() == str([max(before)])
    assert os.sched_getaffinity(0) == before
