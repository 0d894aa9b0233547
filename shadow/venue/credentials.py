"""Credentials made for one run alone; no exchange knows them."""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Mapping

__all__ = ["listen_key_stem", "make_credentials", "secrets_of"]


def make_credentials() -> dict[str, dict[str, str]]:
    """Key, secret and user id by exchange, made for one run; no exchange knows them."""
    return {
        "gateio": {
            "key": secrets.token_hex(16),
            "secret": secrets.token_hex(32),
            "uid": str(10_000_000 + secrets.randbelow(90_000_000)),
        },
        "mexc": {"key": f"mx0{secrets.token_hex(9)}", "secret": secrets.token_hex(16)},
    }


def listen_key_stem(secret: str) -> str:
    """The first half of every listen key of an account: known beforehand, so that it can be hidden like any secret."""
    return hmac.digest(secret.encode(), b"listen keys", "sha256").hex()[:32]


def secrets_of(credentials: Mapping[str, Mapping[str, str]]) -> list[str]:
    """What no file may hold, of credentials by exchange; a listen key without its stem opens nothing."""
    known = [one[name] for one in credentials.values() for name in ("key", "secret")]
    return [*known, *(listen_key_stem(one["secret"]) for one in credentials.values())]
