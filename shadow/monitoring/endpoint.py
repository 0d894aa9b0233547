"""The HTTP side: `GET /metrics` and nothing else, for callers that named this machine."""

from __future__ import annotations

import ipaddress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Final

from shadow.errors import UsageError

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

__all__ = ["PATH", "make_endpoint"]

PATH: Final = "/metrics"
OWN_NAMES: Final = frozenset({"127.0.0.1", "localhost"})


def make_endpoint(registry: CollectorRegistry, host: str, port: int) -> ThreadingHTTPServer:
    """A server that is bound and not running yet; port 0 takes a free one. UsageError where it cannot be bound.

    On loopback a request has to name this machine: a page in a browser may not read the metrics by a name of its own.
    """
    names = OWN_NAMES | {host} if _is_loopback(host) else None

    class Handler(_Handler):
        metrics, own_names = registry, names

    try:
        server = ThreadingHTTPServer((host, port), Handler)
    except (OSError, OverflowError) as error:
        why = error.strerror if isinstance(error, OSError) else "no such port"
        raise UsageError(f"metrics cannot be served on {host}:{port}: {why}; choose another --port or --host") from None
    server.daemon_threads = True
    return server


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class _Handler(BaseHTTPRequestHandler):
    metrics: CollectorRegistry
    own_names: frozenset[str] | None
    server_version = "ws-shadow"
    sys_version = ""
    timeout = 10.0

    def do_GET(self) -> None:
        from prometheus_client.exposition import choose_encoder

        if self.own_names is not None and self.headers.get("Host", "").rpartition(":")[0] not in self.own_names:
            self.send_error(403, "name this machine as 127.0.0.1 or localhost")
        elif self.path.partition("?")[0] != PATH:
            self.send_error(404, f"there is {PATH} alone")
        else:
            encode, kind = choose_encoder(self.headers.get("Accept", ""))
            self._answer(encode(self.metrics), kind)

    def _answer(self, body: bytes, kind: str) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Scrapes are not logged."""
