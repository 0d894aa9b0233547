import os

import orjson

from shadow.capture.outbox import Outbox
from shadow.capture.strain import EVERY_NS, SLOW_TURN_NS, Strain

SLOW = SLOW_TURN_NS + 1
LOG = ("main", 1, "log", "stderr", "", "", None, 5, b"x" * 99)
EVENT = ("main", 1, "event", "c", "trade", "BTCUSDT", 5, 5, b"x" * 99)


def test_quiet_turns_leave_no_mark() -> None:
    strain = Strain()
    strain.ledger(499, 1000)
    strain.said("main", "new", 30_000, [LOG] * 300)
    assert strain.marks(0, SLOW_TURN_NS, "main") == []


def test_strain_is_marked_at_most_once_a_second_with_counts() -> None:
    strain = Strain()
    strain.ledger(600, 1000)
    (mark,) = strain.marks(0, SLOW, "main")
    assert mark[1:4] == ("main", "", "harness-bound")
    strain.ledger(900, 1000)
    strain.ledger(700, 1000)
    assert strain.marks(10, 20, "main") == []
    (later,) = strain.marks(EVERY_NS, EVERY_NS + 2 * SLOW_TURN_NS, "aa2")
    assert later[1] == "aa2"
    assert orjson.loads(str(later[4])) == {"full_pipes": 2, "fullest": 0.9, "slow_turns": 1, "slowest_ms": 100.0}


def test_a_turn_that_is_slow_over_a_flood_of_log_is_the_subjects() -> None:
    strain = Strain()
    strain.said("main", "new", 100_000, [LOG] * 1000)
    (mark,) = strain.marks(0, SLOW, "main")
    assert mark[1:4] == ("main", "new", "subject-loud")
    assert orjson.loads(str(mark[4])) == {"log_bytes": 163_000}
    (own,) = strain.marks(SLOW, 3 * SLOW, "main")
    assert own[3] == "harness-bound"


def test_short_lines_are_a_flood_too_and_events_are_none() -> None:
    strain = Strain()
    strain.said("main", "legacy", 500_000, [EVENT] * 5000)
    strain.said("main", "new", 2000, [(*LOG[:-1], b"")] * 2000)
    (mark,) = strain.marks(0, 1, "main")
    assert mark[1:4] == ("main", "new", "subject-loud")


def test_the_outbox_keeps_order_and_never_blocks() -> None:
    reader, writer = os.pipe()
    outbox = Outbox(writer)
    lines = [b"%06d" % n * 20 for n in range(2000)]
    for line in lines:
        outbox.put(line)
    found = b""
    while len(found) < sum(map(len, lines)) + len(lines):
        found += os.read(reader, 65_536)
        assert outbox.flush()
    assert found.splitlines() == lines
    os.close(reader)
    outbox.put(b"gone")
    assert not outbox.flush()
    os.close(writer)
