"""What new has less of than legacy, though no difference shows it: sentences that keep a session at HOLD."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from shadow.verdict.facts import asked_less
from shadow.verdict.uptime import Recovery

if TYPE_CHECKING:
    from shadow.verdict.collect import Collected

__all__ = ["lacks_of", "never_had_again", "slow_recovery"]

Row = Mapping[str, Any]


def lacks_of(collected: Collected) -> list[str]:
    """Fewer events asked for, a later return after closes, streams that were never asked for again."""
    # in direct mode each side's exchange decides what it is owed
    fewer = [] if collected.plan.direct else asked_less(collected.main)
    return [*fewer, *_slow_recoveries(collected), *_refused_for_good(collected)]


def slow_recovery(
    connection: str, legacy: Sequence[Recovery | None], new: Sequence[Recovery | None], over_ms: float
) -> str:
    """A sentence where new's median reconnect gap is more than `over_ms` above legacy's; empty where it is not.

    The first second after a close is nobody's downtime, and a slow stack has few closes in a short leg, too few for an
    interval. A single slow recovery among several says nothing.
    """
    gaps = [[one.gap / 1e6 for one in side if one is not None] for side in (legacy, new)]
    if not all(gaps):
        return ""
    ours, theirs = (float(np.median(side)) for side in gaps)
    if theirs - ours <= over_ms:
        return ""
    return f"the new stack takes {theirs:.4g} ms to come back on {connection}, legacy {ours:.4g} ms"


def _slow_recoveries(collected: Collected) -> list[str]:
    over_ms = collected.limits.uptime.over_legacy_ms
    found = [
        slow_recovery(connection, sides.get("legacy", ()), sides.get("new", ()), over_ms)
        for connection, sides in collected.recovered.items()
    ]
    return [sentence for sentence in found if sentence]


def never_had_again(legacy: Iterable[Row], new: Iterable[Row]) -> list[str]:
    """Streams that a fault refused new and that it had never again, though legacy has them; as `channel symbol`.

    Both sides' rows of `connections`. The fault table allows a stack to wait for its caller after a refusal, so this
    is nobody's fault; but what new did not have was not compared either.
    """
    before, after = (_last_answers(rows) for rows in (legacy, new))
    return sorted(
        " ".join(part for part in key if part)
        for key, answer in after.items()
        if _is_fault(answer) and before.get(key, answer)["event"] == "subscribed"
    )


def _last_answers(rows: Iterable[Row]) -> dict[tuple[str, str], Row]:
    """The venue's last answer to a subscription, by (channel, symbol)."""
    told = [row for row in sorted(rows, key=lambda row: row["t"]) if row["event"] in ("subscribed", "refused")]
    return {(row["channel"], row["symbol"]): row for row in told}


def _is_fault(answer: Row) -> bool:
    return answer["event"] == "refused" and (answer["cause"] or "").startswith("fault:")


def _refused_for_good(collected: Collected) -> list[str]:
    """One sentence for each connection and leg of the comparison."""
    sides: dict[tuple[str, str, str], list[Row]] = {}
    for row in collected.connections:
        sides.setdefault((row["leg"], row["connection"], row["subject"]), []).append(row)
    out = []
    for leg in collected.main_legs:
        for connection in collected.plan.connections:
            legacy, new = (sides.get((leg, connection, role), []) for role in collected.diffs[leg].roles)
            if gone := never_had_again(legacy, new):
                streams = f"{gone[0]}{f' and {len(gone) - 1} more' if gone[1:] else ''} of {connection}"
                out.append(f"the new stack was refused {streams} and never had it again (leg {leg})")
    return out
