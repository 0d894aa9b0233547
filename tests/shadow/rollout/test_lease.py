"""Who watches, and when nobody does."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

import pytest

from shadow.errors import UsageError
from shadow.rollout.lease import LEASE_S, read_lease, release, renew, this_process


def test_a_lease_holds_for_its_time_and_for_one(tmp_path: Path) -> None:
    path = tmp_path / "lease.json"
    renew(path, "one", 100.0)
    with pytest.raises(UsageError, match="one holds the lease"):
        renew(path, "two", 100.0 + LEASE_S - 0.1)
    renew(path, "two", 100.0 + LEASE_S)
    release(path, "one")
    lease = read_lease(path)
    assert lease is not None
    assert lease.holder == "two"
    release(path, "two")
    assert read_lease(path) is None


@pytest.mark.parametrize("text", ["", "{", "[]", '{"holder": "one"}', '{"holder": "one", "until": "soon"}'])
def test_a_damaged_lease_means_that_nobody_watches_and_is_no_hindrance(text: str, tmp_path: Path) -> None:
    path = tmp_path / "lease.json"
    path.write_text(text)
    assert read_lease(path) is None
    assert renew(path, "one", 100.0).is_live(100.0)


def test_a_lease_of_another_clock_is_none(tmp_path: Path) -> None:
    """One that a clock an hour ahead wrote would else hold for an hour after its controller died."""
    lease = renew(tmp_path / "lease.json", "one", 3_700.0)
    assert not lease.is_live(100.0)
    assert renew(tmp_path / "lease.json", "two", 100.0).is_live(100.0)


def test_the_lease_of_a_controller_that_was_killed_on_this_machine_is_free_at_once(tmp_path: Path) -> None:
    path = tmp_path / "lease.json"
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as killed:
        renew(path, f"{socket.gethostname()}:{killed.pid}", 100.0)
        with pytest.raises(UsageError, match="holds the lease"):
            renew(path, this_process(), 100.1)
        killed.kill()
    assert renew(path, this_process(), 100.2).holder == this_process()


def test_whether_a_controller_of_another_machine_died_is_not_known_here(tmp_path: Path) -> None:
    renew(tmp_path / "lease.json", "elsewhere:999999999", 100.0)
    with pytest.raises(UsageError, match="holds the lease"):
        renew(tmp_path / "lease.json", this_process(), 100.1)
