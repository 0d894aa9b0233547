"""Whose certificates are trusted upstream: the system's authorities, and one more where the upstream names it."""

from __future__ import annotations

import ssl

from shadow.errors import UsageError

__all__ = ["trust_of"]


def trust_of(ca: str | None) -> ssl.SSLContext:
    """The TLS settings; `ca` is a PEM file. UsageError when it cannot be read or holds no certificate."""
    context = ssl.create_default_context()
    if ca is not None:
        try:
            context.load_verify_locations(ca)
        except (OSError, ssl.SSLError) as error:
            raise UsageError(f"the upstream's ca {ca}: {error.strerror or error}; name a PEM file") from None
    return context
