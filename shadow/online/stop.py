"""Whether what is known of a running session is enough to end it: never on what may still change."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from shadow.online.follow import Look

__all__ = ["CONFIRM_NS", "StopRule"]

CONFIRM_NS: Final = 2_000_000_000
"""For how long a fact has to stand while data go on: the silence after which the diff itself calls an event missing."""


class StopRule:
    """Takes look after look; says why the session may end, once.

    A critical fact of new counts when it stands in each look for `CONFIRM_NS` of the session; a sequential test when
    the whole judge over the data so far says ROLL BACK by it.
    """

    def __init__(self) -> None:
        self._since: dict[str, int] = {}

    def take(self, look: Look) -> str | None:
        """The reason, or None as long as nothing is certain."""
        seen = {fact.worst: fact for fact in look.facts}
        self._since = {name: self._since.get(name, look.end) for name in seen}
        lasting = [seen[name] for name, begin in self._since.items() if look.end - begin >= CONFIRM_NS]
        return lasting[0].text if lasting else look.confirmed
