import base64
import json
import re
import string
from collections.abc import Callable
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from shadow.capture.redact import FIELDS, MASK, Redactor

SECRETS = st.text(st.characters(min_codepoint=33, max_codepoint=0x24F, exclude_characters="*"), min_size=6, max_size=40)
AROUND = st.text(st.characters(min_codepoint=32, max_codepoint=0x24F, exclude_characters="*"), max_size=30)
UNKNOWN = st.text(string.ascii_letters + string.digits + "+/=_-.", min_size=12, max_size=40)

ENCODINGS: dict[str, Callable[[str], str]] = {
    "raw": str,
    "json": lambda text: json.dumps(text)[1:-1],
    "json-utf8": lambda text: json.dumps(text, ensure_ascii=False)[1:-1],
    "json-in-json": lambda text: json.dumps(json.dumps(text)[1:-1])[1:-1],
    "json-slashes": lambda text: json.dumps(text)[1:-1].replace("/", "\\/"),
    "json-html": lambda text: re.sub("[<>&]", lambda found: f"\\u{ord(found[0]):04x}", json.dumps(text)[1:-1]),
    "repr": lambda text: repr(text)[1:-1],
    "hex": lambda text: text.encode().hex(),
    "hex-upper": lambda text: text.encode().hex().upper(),
    "url": lambda text: quote(text, safe=""),
    "url-path": quote,
    "url-form": quote_plus,
    "url-lower": lambda text: quote(text, safe="").lower(),
    "base64": lambda text: base64.b64encode(text.encode()).decode(),
    "base64-url": lambda text: base64.urlsafe_b64encode(text.encode()).decode().rstrip("="),
    "base64-quoted": lambda text: quote(base64.b64encode(text.encode()).decode(), safe=""),
}


@pytest.mark.parametrize("encoding", ENCODINGS)
@settings(deadline=None)
@given(secret=SECRETS, before=AROUND, after=AROUND)
def test_no_known_secret_survives_in_any_encoding(encoding: str, secret: str, before: str, after: str) -> None:
    written = ENCODINGS[encoding](secret)
    assume("***" not in written)
    kept = Redactor([secret]).redact((before + written + after).encode())
    assert written.encode() not in kept
    assert secret.encode() not in kept
    assert MASK in kept


@settings(deadline=None)
@given(secret=SECRETS, before=st.binary(max_size=20), after=st.binary(max_size=20))
def test_no_known_secret_survives_inside_longer_base64(secret: str, before: bytes, after: bytes) -> None:
    kept = Redactor([secret]).redact(base64.b64encode(before + secret.encode() + after))
    pieces = kept.split(MASK)
    for piece in pieces:
        for shift in range(4):
            body = piece[shift : shift + (len(piece) - shift) // 4 * 4]
            assert secret.encode() not in base64.b64decode(body)


@settings(deadline=None)
@given(first=SECRETS, second=SECRETS, around=AROUND)
def test_overlapping_secrets(first: str, second: str, around: str) -> None:
    kept = Redactor([first, second]).redact((first + second + around + second + first).encode())
    assert first.encode() not in kept
    assert second.encode() not in kept


def test_of_secrets_that_begin_alike_the_longest_is_hidden_whole_each_time_it_stands_there() -> None:
    redact = Redactor(["abcd-1234", "abcd-1234-wxyz", "4-wxyz-98"]).redact_values
    assert redact(b"<abcd-1234-wxyz-98> ABCD-1234 <abcd-1234-wxyzabcd-1234-wxyz>") == b"<***-98> *** <******>"
    assert redact(b"abcd-123 4-wxyz-98") == b"abcd-123 ***"


def nested(name: str, value: str, depth: int) -> str:
    text = json.dumps({"a": 1, name: value, "b": "kept"})
    for _ in range(depth):
        text = json.dumps({"payload": text, "c": "kept"})
    return text


@pytest.mark.parametrize("depth", [0, 1, 2, 3])
@settings(deadline=None)
@given(name=st.sampled_from(FIELDS), upper=st.booleans(), value=st.text(min_size=12, max_size=30))
def test_a_secret_field_is_hidden_at_any_depth_and_json_stays_json(
    depth: int, name: str, upper: bool, value: str
) -> None:
    name = name.upper() if upper else name
    kept = Redactor().redact(nested(name, value, depth).encode())
    assert kept == nested(name, "***", depth).encode()


@settings(deadline=None)
@given(name=st.sampled_from(FIELDS), value=UNKNOWN)
def test_a_secret_field_is_hidden_in_every_other_notation(name: str, value: str) -> None:
    assume(value.lower() not in name.lower())  # the name stays
    redact = Redactor().redact
    for text in (
        f"GET /api?{name}={value}&timestamp=1",
        f"GET /api?timestamp=1&{name.upper()}={value}",
        f"url={quote(f'wss://x/ws?{name}=' + value, safe='')}",
        f"{name}: {value}",
        f"{name.upper()}: Bearer {value}",
        f"{ {name: value, 'b': 1}!r}",
        f"{ {name.encode(): value.encode()}!r}",
        f"{[(name, value)]!r}",
        json.dumps([[name, value], ["b", "kept"]]),
        json.dumps({name: [value, value]}),
        f'{{"{name}": "{value}',
        f"{name}='{value}'",
    ):
        kept = redact(text.encode())
        assert value.encode() not in kept, text
        assert redact(kept) == kept


def test_what_is_no_secret_stays() -> None:
    untouched = (
        b'{"k":"event","c":"gateio.spot.public","type":"trade","symbol":"KEY_USDT","id":"1","side":"buy"}',
        b'{"method":"api_key","monkey":"a","design":"b"}',
        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        b'{"k":"error","kind":"auth","message":"no signature"}',
    )
    for line in untouched:
        assert Redactor(["abc"]).redact(line) == line


def test_gate_and_mexc_frames_lose_their_credentials() -> None:
    redact = Redactor().redact
    frame = b'{"time":1,"channel":"spot.orders","auth":{"method":"api_key","KEY":"k1","SIGN":"s1"}}'
    assert redact(frame) == frame.replace(b'"k1"', b'"***"').replace(b'"s1"', b'"***"')
    assert redact(b"GET /ws?listenKey=pqia91ma19a5s61cv6a81va65sdf HTTP/1.1") == b"GET /ws?listenKey=*** HTTP/1.1"
    assert redact(b'{"KEY":12345678,"n":1}') == b'{"KEY":"***","n":1}'


def test_touches_is_certain_when_it_clears_a_block() -> None:
    redactor = Redactor(["s3cr3t-value"])
    assert not redactor.touches(b'{"k":"event","symbol":"BTC_USDT"}\n' * 10)
    assert redactor.touches(b"xs3cr3t-valuey")
    assert redactor.touches(b'{"KEY":1}')


def test_multi_line_secrets_are_found_line_by_line() -> None:
    kept = Redactor(["-----BEGIN-----\nMIIEvQIBADAN\n-----END-----"]).redact(b"log: MIIEvQIBADAN")
    assert kept == b"log: ***"


def test_hostile_lines_take_linear_time() -> None:
    redact = Redactor(["s3cr3t-value"]).redact
    for pattern in (b"\\", b'"', b'"key":"', b"key=", b"key: ", b'\\"key\\":\\"', b'["key",', b"%3D"):
        redact(pattern * (400_000 // len(pattern)))


def test_text_and_values_only() -> None:
    redactor = Redactor(["s3cr3t-value"])
    assert redactor.redact_text("KEY=abc s3cr3t-value") == "KEY=*** ***"
    assert redactor.redact_text("plain ü") == "plain ü"
    assert redactor.redact_values(b'{"key":"s3cr3t-value","sign":"a"}') == b'{"key":"***","sign":"a"}'
