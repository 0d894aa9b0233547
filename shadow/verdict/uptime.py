"""Uptime and reconnecting, as the venue saw them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest
from typing import Any

import numpy as np
import numpy.typing as npt

from shadow.stats.burn_rate import BurnWarning
from shadow.stats.counts import incidents_p_value
from shadow.stats.intervals import estimate_mean
from shadow.verdict.checklist import Uptime
from shadow.verdict.evidence import Census, Measured, Range, six_digits
from shadow.verdict.timeline import Close

__all__ = ["Downtime", "Recovery", "by_venue", "connect_metrics", "downtime", "recoveries", "uptime_metric"]

Row = Mapping[str, Any]
OWN_CAUSES = ("client", "idle")
VENUE_CAUSES = ("venue", "planned", "connect-leg", "upstream")
"""Causes of a close that are not the client's, besides `fault:<kind>`; `idle` is the client's: it sent no ping."""


@dataclass(frozen=True)
class Downtime:
    """Of one side's connection in a window (ns): all of it without a confirmed subscription, and what it caused.

    `closes` counts all closes; `own_closes` are the times of those that the side caused itself (by the client, or idle)
    and that left something unsubscribed: who has a second socket with everything on it may close the first.
    `stretches` (ns) are the downtime that it caused, `warning` the first early warning about them.
    """

    window: int
    down: int
    own: int
    closes: int
    own_closes: tuple[int, ...] = ()
    stretches: tuple[tuple[int, int], ...] = ()
    warning: BurnWarning | None = None

    @property
    def incidents(self) -> int:
        """How often the side dropped its connection itself."""
        return len(self.own_closes)

    @property
    def share_up(self) -> float:
        """Share of the window that is not own-caused downtime."""
        return 1 - self.own / self.window if self.window > 0 else 0.0


def downtime(rows: Iterable[Row], begin: int, end: int, free_ns: int) -> Downtime:
    """Downtime of one side's connection between two times, from its rows of `connections` in any order.

    Up while the open sockets together hold every (channel, symbol) that was confirmed before and not refused since. No
    session asks a subject to unsubscribe: what it gives up stays wanted. The first free_ns after each close or refusal
    by the venue are nobody's, and so is the time in which the exchange behind the venue was away.
    """
    held: dict[int, set[tuple[str, str]]] = defaultdict(set)
    wanted: set[tuple[str, str]] = set()
    free: list[tuple[int, int]] = []
    lost: list[int] = []
    changes: list[tuple[int, bool]] = []
    closes, ever = 0, False
    own_closes: list[int] = []
    for row in sorted(rows, key=lambda row: row["t"]):
        if row["t"] > end:
            break
        key, event = (row["channel"], row["symbol"]), row["event"]
        if event == "subscribed":
            held[row["conn_no"]].add(key)
            wanted.add(key)
            ever = True
        elif event == "unsubscribed":
            held[row["conn_no"]].discard(key)
        elif event == "refused":
            held[row["conn_no"]].discard(key)
            wanted.discard(key)
        elif event == "close":
            held.pop(row["conn_no"], None)
            closes += begin <= row["t"]
        elif event == "upstream-lost":
            lost.append(row["t"])
        elif event == "upstream-back" and lost:
            free.append((lost.pop(0), row["t"] + free_ns))
        is_up = ever and wanted <= set().union(*held.values())
        if event == "close" and row["cause"] in OWN_CAUSES and begin <= row["t"] and not is_up and not lost:
            own_closes.append(row["t"])
        if event == "refused" or (event == "close" and by_venue(row["cause"])):
            free.append((row["t"], row["t"] + free_ns))
        changes.append((row["t"], is_up))
    free += [(since, end) for since in lost]
    down = _down(changes, begin, end)
    own = tuple(_minus(down, free))
    return Downtime(
        end - begin, sum(b - a for a, b in down), sum(b - a for a, b in own), closes, tuple(own_closes), own
    )


def by_venue(cause: str) -> bool:
    """Whether the venue, not the client, is behind a close."""
    return cause in VENUE_CAUSES or cause.startswith("fault:")


def _down(changes: Sequence[tuple[int, bool]], begin: int, end: int) -> list[tuple[int, int]]:
    """The stretches of [begin, end) in which the last change said down."""
    out: list[tuple[int, int]] = []
    up, since = False, begin
    for t, now_up in [*changes, (end, True)]:
        if not up and max(since, begin) < t:
            out.append((max(since, begin), t))
        up, since = now_up, t
    return out


def _minus(stretches: Sequence[tuple[int, int]], free: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Stretches without what lies in a free one."""
    out = list(stretches)
    for a, b in free:
        out = [part for low, high in out for part in ((low, min(high, a)), (max(low, b), high)) if part[0] < part[1]]
    return out


def uptime_metric(connection: str, legacy: Downtime | None, new: Downtime | None, limits: Uptime) -> Measured:
    """stability.uptime: a census. REGRESSION, a fact, when new's own downtime exceeds its share of the window or
    legacy's by more than the allowed time, or when it drops its connection more often than 1.10 times legacy's rate
    explains; HOLD where nothing was observed."""
    name = f"stability.uptime.{connection}"
    if legacy is None or new is None or new.window <= 0 or legacy.window <= 0:
        return Measured(name, "share", None, None, declared=True, weight="pooled")
    over_ms = (new.own - legacy.own) / 1e6
    broken = (six_digits(1 - new.share_up) or 0) > limits.own_downtime_share or over_ms > limits.over_legacy_ms
    p = incidents_p_value(new.incidents, legacy.incidents, 1.10, new.window / legacy.window)
    broken = broken or p < limits.incident_alpha
    ratio = new.share_up / legacy.share_up if legacy.share_up > 0 else None
    note = f"own-caused downtime {new.own / 1e6:.6g} ms, legacy {legacy.own / 1e6:.6g} ms; {new.closes} closes"
    if new.incidents or legacy.incidents:
        note += f", {new.incidents} of its own, legacy {legacy.incidents}"
    if new.warning is not None:
        note += f"; {_words(new.warning, limits)}"
    census = Census(Range(ratio, ratio, ratio), "REGRESSION" if broken else "PASS", note, fact=True)
    return Measured(
        name, "share", legacy.share_up, new.share_up, None, new.closes, 1, 1, True, "pooled", True, census
    )  # fmt: skip


def _words(warning: BurnWarning, limits: Uptime) -> str:
    rule = warning.rule
    return (
        f"early warning: {warning.rate:.3g} times the allowed {limits.own_downtime_share:.0%} over {rule.long_s:g} s "
        f"and at least {rule.factor:g} times over {rule.short_s:g} s"
    )


@dataclass(frozen=True)
class Recovery:
    """After one forced close, ns: until the next socket was open, from there until all was confirmed again, both; and
    from the open socket to its first confirmation, which on a private connection says that the proof was accepted."""

    connect: int
    subscribe: int
    gap: int
    first: int


def recoveries(closes: Sequence[Close], rows: Iterable[Row], wanted: int) -> list[Recovery | None]:
    """What followed each forced close of one side's connection; None where it never came back.

    `wanted` (channel, symbol) confirmations complete a connection.
    """
    ordered = sorted(rows, key=lambda row: row["t"])
    ends = [close.t for close in closes[1:]]
    return [_recovery(close.t, until, ordered, wanted) for close, until in zip_longest(closes, ends)]


def _recovery(closed: int, until: int | None, rows: Sequence[Row], wanted: int) -> Recovery | None:
    after = [row for row in rows if row["t"] >= closed and (until is None or row["t"] < until)]
    opened = next((row["t"] for row in after if row["event"] == "open"), None)
    confirmed: set[tuple[str, str]] = set()
    first = None
    for row in after:
        if row["event"] != "subscribed":
            continue
        confirmed.add((row["channel"], row["symbol"]))
        first = row["t"] if first is None else first
        if len(confirmed) >= wanted:
            if opened is None or row["t"] < opened:
                return None
            return Recovery(opened - closed, row["t"] - opened, row["t"] - closed, max(first - opened, 0))
    return None


_PARTS = {
    "connect.time": "connect", "subscribe.time": "subscribe", "auth.time": "first", "stability.reconnect_gap": "gap",
}  # fmt: skip
Sides = tuple[Sequence[Recovery | None], Sequence[Recovery | None]]


def connect_metrics(
    connection: str, legs: Sequence[Sides], *, release: bool = False, by_leg: bool = False
) -> list[Measured]:
    """Reconnect gap, connect and subscribe time after the forced closes of some legs; at grade release auth time.

    Each leg brings (legacy, new), paired in order; n is the number of pairs. connect.time: forced close to the next
    open socket. subscribe.time: open socket to all confirmed. auth.time: open socket to the first confirmation.
    stability.reconnect_gap: close to all confirmed. `release`: the times are declared; `by_leg`: a leg is one value,
    else a close is.
    """
    came = [one for _, new in legs for one in new]
    closes, lost = len(came), sum(one is None for one in came)
    note = f"{lost} of {closes} closes without a recovery" if lost else ""
    names = [name for name in _PARTS if name != "auth.time" or (release and connection.endswith(".private"))]
    metrics = [_connect_metric(f"{name}.{connection}", _PARTS[name], legs, closes, note, by_leg) for name in names]
    return [replace(metric, declared=True, weight="pooled") for metric in metrics] if release else metrics


def _connect_metric(name: str, part: str, legs: Sequence[Sides], closes: int, note: str, by_leg: bool) -> Measured:
    sides = [_sides(leg, part) for leg in legs]
    every = np.concatenate([*sides, np.empty((0, 2))])
    legacy, new = np.median(every, axis=0) if len(every) else (None, None)
    ratios = [np.log(leg[:, 1] / leg[:, 0]) for leg in sides if len(leg)]
    y = np.array([leg.mean() for leg in ratios]) if by_leg else np.concatenate([*ratios, np.empty(0)])
    units = len(legs) if by_leg else closes
    return Measured(name, "ns", legacy, new, estimate_mean(y), len(every), len(y), units, note=note, by_leg=by_leg)


def _sides(leg: Sides, part: str) -> npt.NDArray[np.float64]:
    """[close, side] of the closes after which both sides came back."""
    pairs = [(a, b) for a, b in zip(*leg, strict=False) if a is not None and b is not None]
    times = np.array([[getattr(a, part), getattr(b, part)] for a, b in pairs], np.float64).reshape(-1, 2)
    return np.asarray(times[(times > 0).all(axis=1)])
