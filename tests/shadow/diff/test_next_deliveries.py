"""How long a whole book may stand for an update that was not delivered."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from shadow.diff.expected import RECOVERY_NS, Owed, next_deliveries


def owed(t_sent: int, delivered_at: int | None) -> Owed:
    event: Any = SimpleNamespace()
    delivered = None if delivered_at is None else SimpleNamespace(t=delivered_at)
    return Owed(event, 0, 0, 1, 1, t_sent, "", False, delivered=delivered)


def test_until_the_next_update_behind_it_was_delivered() -> None:
    assert next_deliveries([owed(10, None), owed(20, None), owed(30, 35)]) == [35, 35, 30 + RECOVERY_NS]


def test_never_longer_than_the_time_to_recover() -> None:
    late = 10 + RECOVERY_NS + 1
    assert next_deliveries([owed(10, None), owed(late - 1, late)])[0] == 10 + RECOVERY_NS


def test_what_was_delivered_before_it_says_nothing() -> None:
    assert next_deliveries([owed(10, 15), owed(20, None)])[1] == 20 + RECOVERY_NS
