"""The account's credentials come from a file that only its owner may read, and no message tells anything of them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from shadow.children import subject_environment
from shadow.errors import UsageError
from shadow.network.credentials import CREDENTIALS_VARIABLE, read_credentials
from shadow.upstream import Upstream

KEYS = {"gateio": {"key": "the-key", "secret": "the-secret", "uid": "7"}, "mexc": {"key": "k2", "secret": "s2"}}
PRIVATE = ("gateio.spot.public", "gateio.spot.private", "mexc.spot.private")
NOWHERE = Upstream(ws={}, rest={})


def in_file(folder: Path, text: str, mode: int = 0o600) -> dict[str, str]:
    path = folder / "keys.json"
    path.write_text(text)
    path.chmod(mode)
    return {CREDENTIALS_VARIABLE: str(path)}


def test_the_file_goes_before_the_upstreams_own(tmp_path: Path) -> None:
    other = Upstream(ws={}, rest={}, credentials={"mexc": {"key": "x", "secret": "y"}})
    assert read_credentials(other, PRIVATE, in_file(tmp_path, json.dumps(KEYS))) == KEYS
    assert read_credentials(other, ("mexc.spot.private",), {}) == other.credentials
    assert read_credentials(other, ("mexc.spot.private",), in_file(tmp_path, json.dumps(KEYS))) == {
        "mexc": KEYS["mexc"]
    }


def test_public_connections_need_none_and_read_none(tmp_path: Path) -> None:
    assert read_credentials(NOWHERE, ("mexc.spot.public",), {CREDENTIALS_VARIABLE: str(tmp_path / "missing")}) == {}


@pytest.mark.parametrize(
    ("text", "mode", "says"),
    [
        (json.dumps(KEYS), 0o640, "can be read by others; chmod 600"),
        (json.dumps(KEYS), 0o604, "can be read by others; chmod 600"),
        ('{"gateio":"the-secret"}', 0o600, "is not of the form"),
        ("the-secret", 0o600, "is not of the form"),
        (
            json.dumps(KEYS | {"gateio": {"key": "the-key", "secret": "the-secret"}}),
            0o600,
            "gateio take its key, secret, uid",
        ),
    ],
)
def test_a_file_that_cannot_be_used_is_one_line_without_a_secret(
    text: str, mode: int, says: str, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match=says) as caught:
        read_credentials(NOWHERE, PRIVATE, in_file(tmp_path, text, mode))
    assert "\n" not in str(caught.value)
    assert "the-" not in str(caught.value)


def test_no_file_is_one_line_with_the_way_out(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"No such file or directory; name a file of mode 0600"):
        read_credentials(NOWHERE, PRIVATE, {CREDENTIALS_VARIABLE: str(tmp_path / "missing")})
    with pytest.raises(UsageError, match=r"leave the private connections out"):
        read_credentials(NOWHERE, PRIVATE, {})


def test_a_subject_is_not_told_where_they_lie(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(CREDENTIALS_VARIABLE, "keys.json")
    monkeypatch.setenv("WS_SHADOW_UPSTREAM", "upstream.json")
    monkeypatch.setenv("SOMETHING_ELSE", "1")
    environment = subject_environment()
    assert not any(name in environment for name in (CREDENTIALS_VARIABLE, "WS_SHADOW_UPSTREAM"))
    assert environment["SOMETHING_ELSE"] == "1"
