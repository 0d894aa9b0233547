"""What the exchanges' answers mean for a session on them: one finding for each check, with the way out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from shadow.doctor.checks import Finding, Level, Outcome, fine
from shadow.doctor.live_facts import Endpoint, LiveFacts
from shadow.network.budget import CAPS, Caps
from shadow.upstream import UPSTREAM_VARIABLE

__all__ = ["LIVE_CHECKS", "LiveNeed", "examine_live"]

BLOCKED: Final = frozenset({401, 403, 418, 429, 451})
SWITCHED: Final = 101
GIVEN: Final = 200
SEE_ABOVE: Final = "see the lines above"
SKEW_S: Final = 1.0
MOST_SKEW_S: Final = 5.0
LEGS: Final = 3
"""Stacks that a direct session runs at once."""

LiveNeed = Mapping[str, int]
"""The connections of the session that is meant, each with the topics that a stack subscribes on it."""
LiveCheck = Callable[[Sequence[Endpoint], LiveNeed, Mapping[str, Caps]], Outcome]


def names(endpoints: Sequence[Endpoint], error: Callable[[Endpoint], str]) -> str:
    return ", ".join(dict.fromkeys(f"{one.host}: {error(one)}" for one in endpoints))


def unknown(endpoints: Sequence[Endpoint]) -> Outcome | None:
    """What a check says where no address answered; None where one did."""
    return None if any(one.status for one in endpoints) else (Level.NOTE, "unknown: nothing answered", SEE_ABOVE)


def dns(endpoints: Sequence[Endpoint], need: LiveNeed, caps: Mapping[str, Caps]) -> Outcome:
    wrong = [one for one in endpoints if one.dns_error]
    if wrong:
        way = f"see /etc/resolv.conf and the firewall, or name another upstream in ${UPSTREAM_VARIABLE}"
        return Level.CANNOT, names(wrong, lambda one: one.dns_error), way
    return fine(f"{len({one.host for one in endpoints})} names found")


def tls(endpoints: Sequence[Endpoint], need: LiveNeed, caps: Mapping[str, Caps]) -> Outcome:
    wrong = [one for one in endpoints if one.tls_error]
    if wrong:
        way = "install ca-certificates, set the clock, or name the authority as `ca` in the upstream file"
        return Level.CANNOT, names(wrong, lambda one: one.tls_error), way
    if (nothing := unknown(endpoints)) is not None:
        return nothing
    plain = sorted({one.host for one in endpoints if not one.is_secure})
    if plain:
        return Level.NOTE, f"none towards {', '.join(plain)}", "use wss and https where it is not a network of your own"
    return fine(
        f"trusted at {sum(one.is_secure and one.status > 0 for one in endpoints)} of {len(endpoints)} addresses"
    )


def reach(endpoints: Sequence[Endpoint], need: LiveNeed, caps: Mapping[str, Caps]) -> Outcome:
    wrong = [one for one in endpoints if one.connect_error]
    if wrong:
        return Level.CANNOT, names(wrong, lambda one: one.connect_error), "open the firewall's way out to these hosts"
    if (nothing := unknown(endpoints)) is not None:
        return nothing
    return fine(f"{sum(one.status > 0 for one in endpoints)} of {len(endpoints)} addresses answer")


def region(endpoints: Sequence[Endpoint], need: LiveNeed, caps: Mapping[str, Caps]) -> Outcome:
    blocked = [one for one in endpoints if one.status in BLOCKED]
    if blocked:
        way = "run where the exchange serves you, or wait where it limits your address"
        return Level.CANNOT, names(blocked, lambda one: f"HTTP {one.status} to {one.name}"), way
    odd = [one for one in endpoints if one.status not in (0, GIVEN, SWITCHED)]
    if odd:
        way = f"see the exchange's status page and the addresses in ${UPSTREAM_VARIABLE}"
        return Level.POOR, names(odd, lambda one: f"HTTP {one.status} to {one.name}"), way
    return unknown(endpoints) or fine("no exchange that answers refuses this address")


def clock(endpoints: Sequence[Endpoint], need: LiveNeed, caps: Mapping[str, Caps]) -> Outcome:
    told = [one for one in endpoints if one.offset_s is not None]
    if not told:
        return Level.NOTE, "no exchange told its time", SEE_ABOVE
    says = ", ".join(f"{one.name.split()[-1]} {one.offset_s or 0:+.3f} s (±{one.doubt_s:.3f})" for one in told)
    surely_s = max(abs(one.offset_s or 0) - one.doubt_s for one in told)
    if surely_s > MOST_SKEW_S:
        return (
            Level.CANNOT,
            f"{says}: signed calls would be refused",
            "start a time service (chrony, systemd-timesyncd)",
        )
    if surely_s > SKEW_S:
        return Level.POOR, says, "start a time service (chrony, systemd-timesyncd)"
    return fine(says)


def limits(endpoints: Sequence[Endpoint], need: LiveNeed, caps: Mapping[str, Caps]) -> Outcome:
    """What a direct session, the largest, opens at each exchange."""
    opened = Counter(connection.partition(".")[0] for connection in need)
    keys = Counter(one.partition(".")[0] for one in need if one.startswith("mexc") and one.endswith(".private"))
    over: list[str] = []
    for exchange, n in sorted(opened.items()):
        cap = caps[exchange]
        if LEGS * n > cap.connections:
            over.append(f"{exchange}: {LEGS * n} connections of {cap.connections}")
        if LEGS * keys[exchange] > cap.listen_keys:
            over.append(f"{exchange}: {LEGS * keys[exchange]} listen keys of {cap.listen_keys}")
    for connection, topics in sorted(need.items()):
        most = caps[connection.partition(".")[0]].subscriptions
        if most is not None and topics > most:
            over.append(f"{connection}: {topics} subscriptions of {most}")
    if over:
        return Level.CANNOT, ", ".join(over), "give fewer --symbols, --channels or --connections"
    return fine(", ".join(f"{name}: {LEGS * n} connections of {caps[name].connections}" for name, n in opened.items()))


LIVE_CHECKS: Final[dict[str, LiveCheck]] = {
    "dns": dns,
    "tls": tls,
    "reach": reach,
    "region": region,
    "exchange clock": clock,
    "limits": limits,
}


def examine_live(facts: LiveFacts, need: LiveNeed, caps: Mapping[str, Caps] = CAPS) -> list[Finding]:
    """Every live check's finding, in order."""
    return [Finding(name, *check(facts.endpoints, need, caps)) for name, check in LIVE_CHECKS.items()]
