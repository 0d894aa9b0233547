"""What a session in direct mode may be asked for: each mistake one line with the way out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shadow.errors import UsageError
from shadow.network.credentials import read_credentials
from shadow.network.direct import DIRECT_FAULTS
from shadow.upstream import read_upstream
from shadow.venue.faults import parse_fault

if TYPE_CHECKING:
    from shadow.config import SessionConfig

__all__ = ["check_direct"]


def check_direct(config: SessionConfig) -> None:
    """Raise UsageError where the settings do not go with connections of each stack's own."""
    if config.feed != "live":
        raise UsageError("--direct gives each stack connections of its own to the real exchange; add --feed live")
    if config.unpaced or config.time_scale != 1.0 or config.burn is not None:
        raise UsageError("--direct takes the exchange's own pace; leave --rate max and --time-scale out")
    for spec in config.faults:
        if parse_fault(spec).kind not in DIRECT_FAULTS:
            kinds = " and ".join(sorted(DIRECT_FAULTS))
            raise UsageError(f"--fault {spec}: with --direct a relay can only do {kinds}, the rest is the exchange's")
    _check_accounts(config)


def _check_accounts(config: SessionConfig) -> None:
    read_credentials(read_upstream(), config.connections)
    if any(one.endswith(".private") for one in config.connections) and (config.legacy or config.new):
        raise UsageError("--direct gives no credentials to a foreign command; leave the private connections out")
