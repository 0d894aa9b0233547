"""What a venue process is told: its first stdin line, checked before anything is opened."""

from __future__ import annotations

from typing import Final

import msgspec

from shadow.errors import UsageError
from shadow.venue.faults import Fault, check_faults, parse_fault

__all__ = ["PROFILES", "VenueOptions", "read_options"]

PROFILES: Final = ("default", "storm")


class VenueOptions(msgspec.Struct):
    """A venue's configuration. Symbols in the Gate.io spelling; rate in messages/s per subject; ports 0 = any free.
    `time_scale` shortens the life of connections and listen keys.

    `credentials` by exchange: key, secret and, for Gate.io, uid of the one account that private connections know.
    """

    roles: list[str]
    connections: list[str]
    symbols: list[str] = []
    channels: list[str] | None = None
    feed: str = "sim"
    rate: float | str = 600.0
    unpaced: bool = False
    seed: int = 1
    profile: str = "default"
    faults: list[str] = []
    gap_us: float = 300.0
    deflate: bool = False
    ws_port: int = 0
    rest_port: int = 0
    ledger_fd: int | None = None
    ledger_dir: str | None = None
    host: str = "127.0.0.1"
    credentials: dict[str, dict[str, str]] = {}
    time_scale: float = 1.0

    def planned(self) -> list[Fault]:
        """The faults, parsed and checked against this session; raises UsageError."""
        faults = [parse_fault(text) for text in self.faults]
        check_faults(faults, self.connections, self.roles)
        return faults


def read_options(line: bytes) -> VenueOptions:
    """Decode the first line; raises UsageError naming the field that is wrong."""
    try:
        options = msgspec.json.decode(line, type=VenueOptions)
    except msgspec.DecodeError as error:
        raise UsageError(f"the venue's first line is not usable: {error}") from None
    if options.time_scale < 1.0:
        raise UsageError(f"time_scale must be 1 or more, not {options.time_scale:g}")
    if options.profile not in PROFILES:
        raise UsageError(f"profile is {' or '.join(PROFILES)}, not {options.profile!r}")
    if isinstance(options.rate, str) and options.rate != "max":
        raise UsageError(f"rate is messages per second or 'max', not {options.rate!r}")
    if not isinstance(options.rate, str) and options.rate <= 0:
        raise UsageError("rate must be more than zero")
    return options
