"""Keeps secrets out of every file: by their known values in any encoding, and by the field that holds them."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable, Iterator
from heapq import heapify, heappop, heapreplace
from typing import Final
from urllib.parse import quote, quote_plus

__all__ = ["FIELDS", "MASK", "Redactor"]

MASK: Final = b"***"
MIN_SECRET: Final = 4
MIN_BASE64: Final = 6

FIELDS: Final = (
    "key",
    "sign",
    "signature",
    "secret",
    "listenkey",
    "apikey",
    "api_key",
    "api-key",
    "secretkey",
    "secret_key",
    "api_secret",
    "apisecret",
    "access_key",
    "accesskey",
    "x-mexc-apikey",
    "authorization",
    "passphrase",
    "password",
    "token",
)
"""Field, parameter and header names, in lower case, whose values are never kept."""

_NEEDLES: Final = (b"key", b"sign", b"secret", b"auth", b"pass", b"token")
_NAME: Final = b"(?:" + b"|".join(re.escape(name).encode() for name in sorted(FIELDS, key=len, reverse=True)) + b")"
# A text in quotes, at any depth of JSON in JSON or in Python's repr: with n backslashes before its delimiter, 2n + 1
# backslashes escape what follows. Without an end (a torn line) everything is taken.
_TEXT: Final = rb"b?(?P<delimiter>(?P<deep>\\{0,15})[\"'])(?P<text>(?:(?P=deep)(?P=deep)\\.|(?!(?P=delimiter)).)*)"
_QUOTED: Final = rb"(?P<quote>\\{0,15}[\"'])" + _NAME + rb"(?P=quote)\s{0,8}"
_MEMBER: Final = re.compile(
    _QUOTED + rb":\s{0,8}(?:" + _TEXT + rb"|(?P<list>\[[^\]]*)|(?P<bare>[^\s\"'\\,{}\[\]]+))",
    re.IGNORECASE | re.DOTALL,
)
_PAIR: Final = re.compile(rb"[\[(]\s{0,8}b?" + _QUOTED + rb",\s{0,8}" + _TEXT, re.IGNORECASE | re.DOTALL)
_PARAMETER: Final = re.compile(
    rb"(?:(?<![A-Za-z0-9_])|(?<=%[0-9A-F][0-9A-F]))" + _NAME + rb"(?:"
    rb"=\\{0,15}[\"'](?P<quoted>[^\"']+)"
    rb"|=(?P<plain>(?:\\(?![\"'])|[^&\s\"'<>\\])+)|%3D(?P<coded>(?:(?!%26)[^&\s\"'<>\\])+))",
    re.IGNORECASE,
)
_HEADER: Final = re.compile(
    rb"(?<![A-Za-z0-9_\"'\\-])" + _NAME + rb"\s{0,8}:\s{0,8}"
    rb"(?:(?:Bearer|Basic)\s{1,8})?(?P<plain>[^\s\"',<>{}\[\]\\]+)",
    re.IGNORECASE,
)


class Redactor:
    """Replaces secrets in bytes by `***`.

    `secrets` are the values known beforehand; those shorter than four characters are ignored, and base64 is looked
    for from six bytes on.
    A name in FIELDS hides its value whether known or not. The usual line, which touches neither, costs a few
    substring searches, and a whole block of lines can be cleared with one `touches`.
    """

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._values = {spelling.lower() for secret in secrets for spelling in _spellings(secret)}
        self._needles = (*_NEEDLES, *_least(self._values))

    def touches(self, data: bytes) -> bool:
        """Whether the data may hold something to hide; False is certain."""
        lowered = data.lower()
        return any(needle in lowered for needle in self._needles)

    def redact(self, data: bytes) -> bytes:
        """The data with every known secret and every secret field's value replaced."""
        if not self.touches(data):
            return data
        return _hide_fields(self.redact_values(data))

    def redact_values(self, data: bytes) -> bytes:
        """The data with known secrets replaced, and nothing else touched: for frames that must stay decodable."""
        lowered = data.lower()
        found = [(at, -len(value), value) for value in self._values if (at := lowered.find(value)) >= 0]
        return _masked(data, lowered, found) if found else data

    def redact_text(self, text: str) -> str:
        """As `redact`, for text."""
        data = text.encode("utf-8", "surrogatepass")
        return self.redact(data).decode("utf-8", "replace") if self.touches(data) else text


def _least(spellings: set[bytes]) -> list[bytes]:
    """The spellings that contain no other one: where none of these is, none of all is."""
    found: list[bytes] = []
    for spelling in sorted(spellings, key=len):
        if not any(shorter in spelling for shorter in found):
            found.append(spelling)
    return found


def _masked(data: bytes, lowered: bytes, found: list[tuple[int, int, bytes]]) -> bytes:
    """The data with the mask for each value: the first one, of those that begin at one place the longest, and so on.

    `found` is of each value where it first stands, minus its length, and itself. A regular expression of all values
    would do, but takes a millisecond to compile.
    """
    kept, done = [], 0
    heapify(found)
    while found:
        at, _, value = found[0]
        if at >= done:
            kept.append(data[done:at])
            done = at + len(value)
        again = lowered.find(value, done)
        if again < 0:
            heappop(found)
        else:
            heapreplace(found, (again, -len(value), value))
    return MASK.join([*kept, data[done:]])


def _hide_fields(data: bytes) -> bytes:
    data = _MEMBER.sub(_hide_member, data)
    data = _PAIR.sub(_hide_member, data)
    data = _PARAMETER.sub(_hide_plain, data)
    return _HEADER.sub(_hide_plain, data)


def _hide_member(match: re.Match[bytes]) -> bytes:
    """Keep the name and the quotes, so that JSON stays JSON."""
    whole, start = match.group(), match.start()
    if match.group("text") is not None:
        return whole[: match.start("text") - start] + MASK
    if match.group("list") is not None:
        return whole[: match.start("list") - start] + b"["  # the closing bracket is still to come
    mark = match.group("quote")
    return whole[: match.start("bare") - start] + mark + MASK + mark


def _hide_plain(match: re.Match[bytes]) -> bytes:
    group = match.lastgroup or "plain"
    return match.group()[: match.start(group) - match.start()] + MASK


def _spellings(secret: str) -> Iterator[bytes]:
    """How a secret may be written: as it is, in hex, base64 at each alignment, URL-quoted, escaped in JSON or repr."""
    for part in {secret, *secret.splitlines()}:
        if len(part) < MIN_SECRET:
            continue
        raw = part.encode("utf-8", "surrogatepass")
        texts = {part, quote_plus(raw), quote(raw, safe=""), quote(raw), *_escapes(part)}
        texts |= {again for text in tuple(texts) for again in (*_escapes(text), quote(text, safe=""))}
        yield from (text.encode("utf-8", "surrogatepass") for text in texts)
        yield raw.hex().encode()
        yield from _base64(raw)


def _escapes(text: str) -> set[str]:
    escaped = {json.dumps(text)[1:-1], json.dumps(text, ensure_ascii=False)[1:-1], repr(text)[1:-1]}
    escaped |= {form.replace("/", "\\/") for form in escaped}
    return escaped | {re.sub("[<>&]", lambda found: f"\\u{ord(found[0]):04x}", form) for form in escaped}


def _base64(raw: bytes) -> Iterator[bytes]:
    """The characters that the secret alone decides, wherever it begins in the encoded text.

    Secrets under six bytes decide so few that ordinary data would match; they are left out.
    """
    for before in range(3 if len(raw) >= MIN_BASE64 else 0):
        coded = base64.b64encode(b"\0" * before + raw)
        first = (0, 2, 3)[before]
        last = (before + len(raw)) * 8 // 6
        for alphabet in (coded, coded.replace(b"+", b"-").replace(b"/", b"_")):
            sure = alphabet[first:last]
            yield from (sure, quote(sure, safe="").encode(), sure.replace(b"/", b"\\/"))
