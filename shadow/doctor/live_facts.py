"""What a session on the real exchanges needs to know of them: looked up once, in a few seconds; nothing is judged."""

from __future__ import annotations

import json
import socket
import ssl
import time
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import Final
from urllib.parse import urlsplit

import msgspec

from shadow.upstream import Upstream
from shadow.venue.relay.pool import tls_of

__all__ = ["Endpoint", "LiveFacts", "gather_live"]

ANSWER_S: Final = 5.0
CLOCKS: Final = {"gateio": ("/api/v4/spot/time", "server_time"), "mexc": ("/api/v3/time", "serverTime")}
PORTS: Final = {"wss": 443, "https": 443, "ws": 80, "http": 80}
SECURE: Final = frozenset({"wss", "https"})
UPGRADE: Final = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "d3Mtc2hhZG93LWRvY3Rvcg==",
}
GIVEN: Final = 200


class Endpoint(msgspec.Struct, frozen=True):
    """One address: each text is "" where all is well, `status` 0 where nothing answered. `offset_s` is the exchange's
    clock minus ours, `doubt_s` half the time that the answer took; None for sockets."""

    name: str
    host: str
    is_secure: bool
    dns_error: str = ""
    tls_error: str = ""
    connect_error: str = ""
    status: int = 0
    body: str = ""
    offset_s: float | None = None
    doubt_s: float = 0.0


class LiveFacts(msgspec.Struct, frozen=True):
    """The exchanges as they answer here."""

    endpoints: tuple[Endpoint, ...]


def gather_live(upstream: Upstream) -> LiveFacts:
    """Ask every address of the upstream once. UsageError when its `ca` cannot be read."""
    trust = tls_of(upstream) or ssl.create_default_context()
    sockets = [_look(f"ws {place}", url, "", trust) for place, url in sorted(upstream.ws.items())]
    rests = [
        _look(f"rest {name}", base.rstrip("/").removesuffix("/api/v4") + CLOCKS[name][0], name, trust)
        for name, base in sorted(upstream.rest.items())
        if name in CLOCKS
    ]
    return LiveFacts((*sockets, *rests))


def _look(name: str, url: str, clock: str, trust: ssl.SSLContext) -> Endpoint:
    parts = urlsplit(url)
    host, is_secure = parts.hostname or "", parts.scheme in SECURE
    found = Endpoint(name, host, is_secure)
    port = parts.port or PORTS.get(parts.scheme, 443)
    try:
        socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError as error:
        return msgspec.structs.replace(found, dns_error=error.strerror or str(error))
    make = HTTPSConnection(host, port, timeout=ANSWER_S, context=trust) if is_secure else None
    connection = make or HTTPConnection(host, port, timeout=ANSWER_S)
    try:
        before = time.time()
        connection.request("GET", parts.path or "/", headers={} if clock else UPGRADE)
        answer = connection.getresponse()
        body = answer.read(4096) if clock or answer.status >= GIVEN else b""
        after = time.time()
    except ssl.SSLError as error:
        return msgspec.structs.replace(
            found, tls_error=getattr(error, "verify_message", "") or error.reason or str(error)
        )
    except (OSError, HTTPException) as error:
        return msgspec.structs.replace(found, connect_error=getattr(error, "strerror", "") or type(error).__name__)
    finally:
        connection.close()
    told = _clock(body, CLOCKS[clock][1]) if clock and answer.status == GIVEN else None
    middle = (before + after) / 2
    return msgspec.structs.replace(
        found,
        status=answer.status,
        body=body[:200].decode(errors="replace"),
        offset_s=None if told is None else told - middle,
        doubt_s=(after - before) / 2,
    )


def _clock(body: bytes, field: str) -> float | None:
    """The exchange's time in seconds."""
    try:
        return int(json.loads(body)[field]) / 1000
    except (ValueError, LookupError, TypeError):
        return None
