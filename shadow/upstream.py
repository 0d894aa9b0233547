"""Where the live feed comes from: the exchanges' own gateways, or what `$WS_SHADOW_UPSTREAM` names instead.

That file is JSON in the form of the line that `shadow venue` prints when it is ready; `ca` may name a PEM file whose
authority is trusted besides the system's. A test network, a team's own relay and a second venue are all reached so.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import msgspec

from shadow.errors import UsageError

__all__ = ["UPSTREAM_VARIABLE", "Upstream", "read_upstream"]

UPSTREAM_VARIABLE = "WS_SHADOW_UPSTREAM"


class Upstream(msgspec.Struct, frozen=True):
    """Endpoints by `<exchange>.<market>` (ws) and by exchange (rest, credentials)."""

    ws: dict[str, str]
    rest: dict[str, str]
    credentials: dict[str, dict[str, str]] = {}
    ca: str | None = None


EXCHANGES = Upstream(
    ws={
        "gateio.spot": "wss://api.gateio.ws/ws/v4/",
        "gateio.futures": "wss://fx-ws.gateio.ws/v4/ws/usdt",
        "mexc.spot": "wss://wbs-api.mexc.com/ws",
    },
    rest={"gateio": "https://api.gateio.ws", "mexc": "https://api.mexc.com"},
)


def read_upstream(environment: Mapping[str, str] = os.environ) -> Upstream:
    """The upstream of this machine; UsageError when the named file cannot be read or is none."""
    name = environment.get(UPSTREAM_VARIABLE)
    if not name:
        return EXCHANGES
    try:
        return msgspec.json.decode(Path(name).read_bytes(), type=Upstream)
    except OSError as error:
        raise UsageError(f"${UPSTREAM_VARIABLE} names {name}: {error.strerror}; unset it for the exchanges") from None
    except msgspec.MsgspecError as error:
        raise UsageError(
            f"${UPSTREAM_VARIABLE} names {name}, no line of a ready venue ({error}); unset it for the exchanges"
        ) from None
