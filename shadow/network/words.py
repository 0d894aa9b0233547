"""What a session in direct mode may be asked for: each mistake one line with the way out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shadow.errors import UsageError
from shadow.network.direct import DIRECT_FAULTS
from shadow.upstream import UPSTREAM_VARIABLE, read_upstream
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
    private = [one for one in config.connections if one.endswith(".private")]
    if not private:
        return
    known = read_upstream().credentials
    missing = [one for one in private if one.partition(".")[0] not in known]
    public = ",".join(one for one in config.connections if one not in private) or "gateio.spot.public"
    if missing:
        raise UsageError(
            f"{missing[0]} needs credentials, in the file that ${UPSTREAM_VARIABLE} names;"
            f" or give --connections {public}"
        )
    if config.legacy or config.new:
        raise UsageError(f"--direct gives no credentials to a foreign command; give --connections {public}")
