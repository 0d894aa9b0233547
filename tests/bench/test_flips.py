"""Flips of the real stacks at a venue, as the application sees them."""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path

import pytest

from bench.flip_audit import audit, once_each, p99
from bench.flip_drive import Sent
from bench.flips import Outcome, Session, flip_session


@pytest.fixture(autouse=True)
def no_kill_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WS_SHADOW_KILL", str(tmp_path / "websocket.kill"))


def checked(session: Session, least: int) -> Outcome:
    """The outcome, printed; with nothing wrong in it."""
    outcome = session.conclude()
    print(json.dumps(outcome.figures()))  # noqa: T201
    assert outcome.is_clean, outcome.figures()
    assert outcome.audited.exact.matched >= least
    assert outcome.audited.owed == outcome.audited.got
    assert outcome.sent["once"] > 0
    return outcome


@pytest.mark.checklist("R.5", "S.19")
async def test_four_flips_on_all_connections_are_not_noticed(tmp_path: Path) -> None:
    session = await flip_session(tmp_path, flips=2, rate=1200, dwell_s=0.3)
    outcome = checked(session, least=500)
    # Twelve connections' turns each way; the fastest round, so that a neighbour's turn is not taken for ours.
    rounds = [outcome.times.first[at::4] for at in range(4)]
    assert len(outcome.times.first) == 24
    assert min(p99(one) for one in rounds) <= 50
    damaged_lines_are_found(session)
    sent = session.application.sent
    twice = [Sent(sent[0].connection, sent[0].number, False), *sent]
    assert once_each(session.ledger, twice) == {"once": len(sent), "refused": 1}
    assert once_each(session.ledger, [Sent(sent[0].connection, 42_000_000, True)]) == {"never": 1}


def damaged_lines_are_found(session: Session) -> None:
    """What the audit says when four trades of one stream are each lost, doubled, late or changed."""
    lines = list(session.application.kept.lines)
    bodies = [json.loads(line) for _, line in lines]
    streams: dict[tuple[str, str], list[int]] = defaultdict(list)
    for at, body in enumerate(bodies):
        if body.get("type") == "trade" and session.began_ns + 10**8 < body["t"] < session.stopped_ns - 10**8:
            streams[body["c"], body["symbol"]].append(at)
    altered, late, next_one, doubled, lost = max(streams.values(), key=len)[:5]
    lines[altered] = (lines[altered][0], json.dumps(bodies[altered] | {"price": 1.0}).encode())
    lines[late], lines[next_one] = lines[next_one], lines[late]
    lines[doubled:doubled] = [lines[doubled]]
    del lines[lost + 1]
    found = audit(session.ledger, lines, session.began_ns, session.stopped_ns)[0].exact
    assert (found.altered, found.doubled, found.lost, found.invented) == (1, 1, 1, 0)
    assert found.reordered > 0


@pytest.mark.long
@pytest.mark.checklist("R.5", "S.19")
async def test_fifty_flips_each_way_at_two_thousand_messages_a_second(tmp_path: Path) -> None:
    outcome = checked(await flip_session(tmp_path, flips=50, rate=2000, dwell_s=0.5), least=80_000)
    assert outcome.rate > 1900
    assert len(outcome.times.first) == 600
    assert p99(outcome.times.first) <= 50
    assert p99(outcome.times.switch) <= 50
    assert max(outcome.times.above) <= 10
