"""The last state by key, and whether it is still certain."""

from __future__ import annotations

from exchanges.interfaces.composite.held import Held, HeldTable


def test_the_last_state_is_held_until_it_is_taken_out() -> None:
    table: HeldTable[str, int] = HeldTable()
    assert table.get("a") is None
    table.put("a", 1, is_stale=False)
    table.put("a", 2, is_stale=False)
    assert table.get("a") == Held(2, False)
    table.pop("a")
    table.pop("a")
    assert table.all() == {}


def test_a_lost_connection_makes_everything_stale_until_it_is_told_again() -> None:
    table: HeldTable[str, int] = HeldTable()
    table.put("a", 1, is_stale=False)
    table.put("b", 2, is_stale=False)
    earlier = table.get("a")
    table.mark_stale()
    table.put("b", 2, is_stale=False)
    table.put("c", 3, is_stale=True)
    assert table.all() == {"a": Held(1, True), "b": Held(2, False), "c": Held(3, True)}
    assert earlier == Held(1, False)
    assert table.forget_stale() == 2
    assert table.all() == {"b": Held(2, False)}


def test_all_is_the_callers_own() -> None:
    table: HeldTable[str, int] = HeldTable()
    table.put("a", 1, is_stale=False)
    table.all().clear()
    assert table.get("a") == Held(1, False)
