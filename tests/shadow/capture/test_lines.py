import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shadow.capture.lines import Head, LineSplitter, read_head

CAP = 10
CHUNKS = st.lists(st.text("ab\n", max_size=CAP).map(str.encode), max_size=30)


@settings(deadline=None)
@given(CHUNKS)
def test_any_cutting_into_chunks_gives_the_same_lines(chunks: list[bytes]) -> None:
    splitter = LineSplitter(CAP)
    found = []
    for chunk in chunks:
        head, lines = splitter.feed(chunk)
        found += ([] if head is None else [head]) + lines
    *whole, rest = b"".join(chunks).split(b"\n")
    expected = [line[:CAP] for line in whole]
    if len(rest) > CAP:
        expected.append(rest[:CAP])
        rest = b""
    assert found == expected
    assert splitter.end() == rest
    assert splitter.end() == b""


def test_only_a_line_over_the_cap_is_called_overlong() -> None:
    splitter = LineSplitter(CAP)
    assert splitter.feed(b"x" * CAP) == (None, [])
    assert splitter.feed(b"\n") == (None, [b"x" * CAP])
    assert splitter.feed(b"y" * CAP) == (None, [])
    assert splitter.feed(b"yy\nz\n") == (b"y" * CAP, [b"z"])


@pytest.mark.parametrize(
    ("line", "head"),
    [
        (b'{"k":"event","c":"x","type":"book","symbol":"A","t":5,"bids":[[1,2]]}', Head("event", "x", "book", "A", 5)),
        (b' {"t":-1, "k":"bye"} \r', Head("bye", t=-1)),
        (b'{"k":"event","symbol":null,"t":null}', Head("event")),
        (b'{"k":"event","c":1,"type":"book","symbol":{},"t":1.5}', Head("event", type="book")),
        (b'{"k":"event","t":true}', Head("event")),
        (b'{"k":"event","t":9223372036854775807}', Head("event", t=2**63 - 1)),
        (b'{"k":"event","t":9223372036854775808}', Head("event")),
        (b'{"k":"event","symbol":"\xc3\xa9"}', Head("event", symbol="é")),
        (b'{"k":null}', None),
        (b'"k"', None),
        (b"{}", None),
        (b'{"k":"event"', None),
        (b'{"k":"event","t":NaN}', None),
        (b'{"k":"event","symbol":"\xc3"}', None),
        (b'{"k":"event","t":1e999}', None),
    ],
)
def test_the_head_of_a_line(line: bytes, head: Head | None) -> None:
    assert read_head(line) == head


@settings(deadline=None)
@given(st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(), st.lists, max_leaves=5))
def test_no_value_of_a_field_breaks_the_reading(value: object) -> None:
    for name in ("k", "c", "type", "symbol", "t"):
        try:
            line = orjson.dumps({"k": "event", name: value})
        except TypeError:
            continue
        head = read_head(line)
        assert (head is None) == (name == "k" and not isinstance(value, str))
