"""Which sessions fill the table."""

from __future__ import annotations

import pytest

from shadow.errors import UsageError
from shadow.fault_table.plan import Common, config_of, plan_sessions
from shadow.venue.faults import CONNECTIONS, KINDS, parse_fault


def test_every_kind_is_planned_once_on_every_connection_that_it_fits() -> None:
    sessions = plan_sessions(CONNECTIONS, tuple(KINDS))
    planned = [(session.kind, connection) for session in sessions for connection in session.connections]
    assert sorted(planned) == sorted((kind, one) for kind in KINDS for one in CONNECTIONS if KINDS[kind].fits(one))
    assert len(planned) == 101
    lengths = [session.seconds for session in sessions]
    assert lengths == sorted(lengths, reverse=True)
    assert sum(lengths) < 260


@pytest.mark.parametrize("kind", KINDS)
def test_each_side_is_hit_in_its_turn_with_time_to_recover(kind: str) -> None:
    (session,) = plan_sessions(CONNECTIONS, [kind])
    for connection in session.connections:
        mine = [fault for fault in map(parse_fault, session.faults) if fault.connection == connection]
        struck = {fault.role: fault.at_s for fault in mine if fault.kind == kind}
        assert set(struck) == ({None} if kind == "fill-first" else {"legacy", "new"})
        assert struck.get("new", 0.0) < struck.get("legacy", 1.0)
        for fault in mine:
            assert session.seconds - fault.at_s >= 2.8
            if fault.kind != kind:
                assert struck[fault.role] < fault.at_s < struck[fault.role] + 0.3


@pytest.mark.parametrize(
    ("kind", "reason"),
    [("refuse-auth", "close"), ("late-auth", "close"), ("refuse-subscribe", "close"), ("stale-rest", "drop")],
)
def test_what_waits_for_a_question_has_something_that_makes_the_client_ask(kind: str, reason: str) -> None:
    (session,) = plan_sessions(CONNECTIONS, [kind])
    struck = [(fault.kind, fault.connection, fault.role) for fault in map(parse_fault, session.faults)]
    asked = {(place, role) for name, place, role in struck if name == reason}
    assert asked == {(place, role) for name, place, role in struck if name == kind}


@pytest.mark.parametrize("kind", KINDS)
def test_each_session_is_one_that_the_session_takes(kind: str) -> None:
    (session,) = plan_sessions(CONNECTIONS, [kind])
    config = config_of(session, Common(seed=7, door="direct"))
    config.validate()
    (leg,) = config.plan().legs
    assert [phase.phase for phase in leg.phases] == ["paired"]
    assert config.options == {"new": {"door": "direct"}}
    assert (leg.roles, leg.measured_s, config.seed) == (("legacy", "new"), session.seconds, 7)


def test_what_cannot_be_planned_is_said() -> None:
    with pytest.raises(UsageError, match="'melt'; kinds are delay"):
        plan_sessions(CONNECTIONS, ["melt"])
    with pytest.raises(UsageError, match="none of these faults fits"):
        plan_sessions(["gateio.spot.public"], ["twin-fill", "expire-key"])
