"""The one error tree of both stacks.

ExchangeError                       reconnect_helps = False
├── ExchangeRestError               what subscribe and send_message raise: code 503 (offline) or 400 (send failed)
├── ConfigurationError              a caller's mistake; the text says what is missing and how to give it
│   └── FlagProviderError           the flag's provider cannot be loaded, or gives no stage; legacy serves meanwhile
├── TransportError                  reconnect_helps = True: connect, handshake, reset, abnormal close
│   └── HalfOpenError               the peer stopped answering pings
├── AuthenticationError             refused by the server
│   └── AuthenticationTimeout       reconnect_helps = True: no answer within the limit
├── SubscriptionError               the exchange refused a subscription
├── DecodeError                     one malformed frame; counted, never ends a connection loop
│   └── InexactFrame                a figure does not fit its type; the stack reads the frame a second time
└── BookError                       reconnect_helps = False: a local book could not be built
    └── SequenceGap                 a hole in the versions; the book is rebuilt from a snapshot
"""

from __future__ import annotations

from typing import ClassVar

import msgspec

__all__ = [
    "UNREADABLE",
    "AuthenticationError",
    "AuthenticationTimeout",
    "BookError",
    "ConfigurationError",
    "DecodeError",
    "ExchangeError",
    "ExchangeRestError",
    "FlagProviderError",
    "HalfOpenError",
    "InexactFrame",
    "SequenceGap",
    "SubscriptionError",
    "TransportError",
]


# What decoding raises for bytes that are no such frame: not JSON, not UTF-8, or nested without end.
UNREADABLE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)


class ExchangeError(Exception):
    """Root of the tree; `reconnect_helps` says whether a new connection can mend it."""

    reconnect_helps: ClassVar[bool] = False


class ExchangeRestError(ExchangeError):
    """A call failed; `code` is 503 when offline, 400 when the exchange or the socket refused it."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(f"[{code}] {message}")
        self.code = code
        self.message = message


class ConfigurationError(ExchangeError, ValueError):
    """A caller's mistake. Also a ValueError, which is what legacy callers catch."""


class FlagProviderError(ConfigurationError):
    """The OpenFeature provider that the environment names cannot be loaded, or gives no stage."""


class TransportError(ExchangeError):
    """The connection could not be made or broke."""

    reconnect_helps = True


class HalfOpenError(TransportError):
    """The peer answers no ping any more."""


class AuthenticationError(ExchangeError):
    """The server refused the credentials; `label` and `status` are its own words for why, empty where it gave none."""

    def __init__(self, message: str, *, label: str = "", status: str = "") -> None:
        words = " ".join(word for word in (status, label) if word)
        super().__init__(f"{words}: {message}" if words else message)
        self.label = label
        self.status = status
        self.message = message


class AuthenticationTimeout(AuthenticationError):
    """The server did not answer the authentication within the limit."""

    reconnect_helps = True


class SubscriptionError(ExchangeError):
    """The exchange refused a subscription; never retried behind the caller's back."""


class DecodeError(ExchangeError):
    """One frame could not be decoded; it is counted and kept as evidence."""


class InexactFrame(DecodeError):
    """A typed frame that may have lost a digit; its bytes tell."""


class BookError(ExchangeError):
    """A local book could not be built."""


class SequenceGap(BookError):
    """A hole in a book's versions: `expected` is the first missing version, `found` what came."""

    def __init__(self, symbol: str, expected: int, found: int) -> None:
        super().__init__(f"{symbol}: expected version {expected}, found {found}")
        self.symbol = symbol
        self.expected = expected
        self.found = found
