import struct
from collections.abc import Iterable
from itertools import pairwise

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from shadow.capture.intake import RECORD_CAP, LedgerIntake, SubjectIntake
from shadow.capture.redact import Redactor

MARK = ["marks", 1, "main", "", "leg-begin", "{}"]
SEND = ["sends", 1, "main", "new", "mexc.spot.public", 1, 123, True, False, -1]


def record(fields: object) -> bytes:
    data = msgspec.msgpack.encode(fields)
    return struct.pack("<I", len(data)) + data


def cut(data: bytes, marks: Iterable[int]) -> list[bytes]:
    places = [0, *sorted(place for place in marks if place < len(data)), len(data)]
    return [data[begin:end] for begin, end in pairwise(places)]


@settings(deadline=None)
@given(st.lists(st.integers(0, 400), max_size=20))
def test_records_come_out_whole_however_they_are_cut(places: list[int]) -> None:
    intake = LedgerIntake(Redactor())
    found: dict[str, list[object]] = {"marks": [], "sends": []}
    for chunk in cut(record(MARK) + record(SEND) + record([MARK[0], MARK[1:]]), places):
        for table, rows in intake.feed(chunk).items():
            found[table] += rows
    assert found == {"marks": [MARK[1:], MARK[1:]], "sends": [SEND[1:]]}
    assert intake.end() == 0


def test_what_is_no_record_is_counted() -> None:
    intake = LedgerIntake(Redactor())
    bad: list[object] = [["events", 1], ["resources", 1, "main", "new", 1, 2, 3, 4], [], 5, "marks", [["marks"], 1], {}]
    junk = struct.pack("<I", 3) + b"\xc1\xc1\xc1"
    assert intake.feed(b"".join(map(record, bad)) + junk + record(MARK)) == {"marks": [MARK[1:]]}
    assert intake.drops == len(bad) + 1
    intake.feed(record(MARK)[:-1])
    assert intake.end() == len(bad) + 2


def test_a_length_beyond_reason_ends_the_reading() -> None:
    intake = LedgerIntake(Redactor())
    assert intake.feed(record(MARK) + struct.pack("<I", RECORD_CAP + 1) + b"x") == {"marks": [MARK[1:]]}
    assert intake.broken
    assert intake.feed(record(MARK)) == {}
    assert intake.end() == 1


def test_lines_of_both_streams_share_the_numbering() -> None:
    forwarded: list[bytes] = []
    intake = SubjectIntake("main", "new", Redactor(), forwarded.append)
    rows = intake.feed(b'{"k":"hello"}\nhel', 10)
    rows += intake.feed(b"oops\n", 11, "stderr")
    rows += intake.feed(b'lo\n{"k":"event","c":"x","t":5}\n', 12)
    rows += intake.feed(b"torn", 13) + intake.end(14)
    assert [(row[1], row[2], row[3], row[6], row[7], row[8]) for row in rows] == [
        (1, "hello", "", None, 10, b'{"k":"hello"}'),
        (2, "log", "stderr", None, 11, b"oops"),
        (3, "log", "", None, 12, b"hello"),
        (4, "event", "x", 5, 12, b'{"k":"event","c":"x","t":5}'),
        (5, "log", "", None, 14, b"torn"),
    ]
    assert forwarded == [b'{"k":"hello"}']
    assert intake.counts == {"x": 1}


def test_data_frames_stay_decodable_and_lose_known_secrets_only() -> None:
    intake = LedgerIntake(Redactor(["s3cr3t-value"]))
    frame = [1, "main", "c", "ws", "trade", "S", None, None, b'{"key":"kept","x":"s3cr3t-value"}', True, ""]
    rest = [*frame[:3], "rest", *frame[4:]]
    rows = intake.feed(record(["frames", *frame]) + record(["frames", *rest]))["frames"]
    assert [row[8] for row in rows] == [b'{"key":"kept","x":"***"}', b'{"key":"***","x":"***"}']
