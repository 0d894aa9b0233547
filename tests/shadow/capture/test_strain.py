import os

import orjson

from shadow.capture.outbox import Outbox
from shadow.capture.strain import EVERY_NS, SLOW_TURN_NS, Strain


def test_quiet_turns_leave_no_mark() -> None:
    strain = Strain()
    strain.pipe("ledger", 499, 1000)
    assert strain.marks(0, SLOW_TURN_NS, "main") == []


def test_strain_is_marked_at_most_once_a_second_with_counts() -> None:
    strain = Strain()
    strain.pipe("main/new", 600, 1000)
    (mark,) = strain.marks(0, SLOW_TURN_NS + 1, "main")
    assert mark[1:4] == ("main", "", "harness-bound")
    strain.pipe("main/new", 900, 1000)
    strain.pipe("ledger", 700, 1000)
    assert strain.marks(10, 20, "main") == []
    (later,) = strain.marks(EVERY_NS, EVERY_NS + 2 * SLOW_TURN_NS, "aa2")
    assert later[1] == "aa2"
    assert orjson.loads(str(later[4])) == {
        "full_pipes": 2,
        "fullest": 0.9,
        "fullest_of": "main/new",
        "slow_turns": 1,
        "slowest_ms": 100.0,
    }


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
