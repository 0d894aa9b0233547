"""Which sessions make a drill."""

from __future__ import annotations

import shlex
from collections import Counter

import pytest

from shadow.connections import CONNECTIONS
from shadow.drill.plan import EVENT_FAULTS, DrillSession, config_of, plan_sessions
from shadow.subjects.saboteur import read_words

SESSIONS = plan_sessions(CONNECTIONS, 1)


def test_each_fault_of_events_meets_each_connection_once_and_shares_no_session_with_itself() -> None:
    squares = [session for session in SESSIONS if session.kind.startswith("square")]
    met = Counter((drill.what, drill.connection) for session in squares for drill in session.drills)
    assert met == Counter((name, place) for name in EVENT_FAULTS for place in CONNECTIONS)
    for session in squares:
        assert len({drill.what for drill in session.drills}) == len(CONNECTIONS)


def test_the_seed_turns_the_square() -> None:
    assert plan_sessions(CONNECTIONS, 1) == SESSIONS
    assert plan_sessions(CONNECTIONS, 2) != SESSIONS


def test_every_trigger_is_drilled_on_every_connection_but_memory_which_is_the_process() -> None:
    fired = {(drill.trigger, drill.connection) for session in SESSIONS for drill in session.drills if drill.trigger}
    wanted = {(trigger, one) for trigger in ("functionality", "stability", "performance") for one in CONNECTIONS}
    assert fired == wanted | {("memory", "")}


def test_what_may_not_fire_is_drilled() -> None:
    harmless = {session.kind for session in SESSIONS if not any(drill.trigger for drill in session.drills)}
    assert harmless == {"conflate", "outage", "quiet", "burst", "slow-5"}


def test_what_measures_times_runs_alone_and_last() -> None:
    assert [session.kind for session in SESSIONS if session.alone] == [session.kind for session in SESSIONS[-2:]]
    assert len({session.kind for session in SESSIONS}) == len(SESSIONS)


@pytest.mark.parametrize("session", SESSIONS, ids=lambda session: session.kind)
def test_each_session_is_one_that_the_session_and_the_saboteur_take(session: DrillSession) -> None:
    config = config_of(session, 7)
    config.validate()
    assert config.connections == session.connections
    assert config.seed == 7
    assert (config.burn is not None) == config.calibration == session.alone
    words = shlex.split(config.new)
    if session.damages:
        damages, seed = read_words(words[words.index("shadow.subjects.saboteur") + 1 :])
        assert (len(damages), seed) == (len(session.damages), 7)
    else:
        assert "saboteur" not in config.new


def test_a_drill_of_accounts_alone_has_nothing_to_conflate() -> None:
    kinds = {session.kind for session in plan_sessions(["mexc.spot.private"], 1)}
    assert "conflate" not in kinds
    assert {"mute", "die", "leak", "slow-30"} <= kinds
