"""Credentials made for one run alone; no exchange knows them."""

from __future__ import annotations

import secrets

__all__ = ["make_credentials"]


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
