"""The oracle of the simulated flips, which knows nothing of the arbiter.

Its law: every version that a stack delivered, above the first that the consumer got, reaches the consumer once and in
order. A book's range may be delivered beside one that it overlaps, which the arbiter has to count.
"""

from __future__ import annotations

from collections import Counter

from infrastructure.networking.websocket.migration.event import Event


class LawBroken(AssertionError):
    """An event was lost, doubled or reordered."""


def judge(got: list[Event], offered: set[int], straddles: int) -> None:
    """The oracle."""
    if not got:
        return
    seen: Counter[int] = Counter()
    overlaps = 0
    last = got[0].first - 1
    for event in got:
        if event.item[-1] <= last or sorted(event.item) != list(event.item):
            raise LawBroken(f"version {event.item[-1]} behind {last}")
        if event.item[0] <= last:
            if event.parts:
                raise LawBroken(f"trade {event.item[0]} behind {last}")
            overlaps += 1
        else:
            seen.update(event.item)
            last = event.item[-1]
            continue
        seen.update(version for version in event.item if version > last)
        last = event.item[-1]
    if overlaps != straddles:
        raise LawBroken(f"{overlaps} overlapping ranges, {straddles} counted")
    lost = sorted(version for version in offered if got[0].first <= version <= last and not seen[version])
    if lost:
        raise LawBroken(f"lost: {lost[:10]} of {len(lost)}")
    if any(count > 1 for count in seen.values()):
        raise LawBroken("delivered twice")
