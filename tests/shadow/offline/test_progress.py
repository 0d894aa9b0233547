"""What a person sees of a join."""

from __future__ import annotations

import pytest

from shadow.offline.progress import JoinProgress


def test_buckets_joined_before_do_not_count_in_pace_and_time_left(capsys: pytest.CaptureFixture[str]) -> None:
    progress = JoinProgress(10, 4)
    assert capsys.readouterr().err == "4 of 10 buckets were joined before\n"
    for _ in range(2):
        progress.bucket(300)
    assert progress.line(4.0) == "joined 2 of 6 buckets, 150 events/s, 8 s left"
