"""Lines of a tap by hand, on a clock that the test moves."""

from __future__ import annotations

from typing import Any

from shadow.attach.pairs import SIDES
from shadow.attach.watch import Look, Watch

C = "gateio.spot.public"
MS = 1_000_000
S = 1_000 * MS
BEGIN = 1_000 * S


class Desk:
    """An application that holds one connection; `serve` delivers an event to both sides or to one."""

    def __init__(self, block_ns: int = S // 2) -> None:
        self.watch = Watch(block_ns, application=1)
        self.now = BEGIN
        self.sources: dict[str, Any] = {C: {side: self.runs() for side in SIDES}}
        self.beat()

    @staticmethod
    def runs(connected: bool = True, pid: int | None = 1, shed: bool = False) -> dict[str, Any]:
        return {"connected": connected, "pid": pid, "shed": shed}

    def beat(self, ns: int = 0) -> None:
        """Time passes, and the tap says so."""
        self.now += ns
        self.watch.take({"k": "beat", "t": self.now, "sources": self.sources})

    def close(self) -> None:
        """The manager ends, and with it all that waits."""
        self.sources = {}
        self.beat()

    def say(self, by: str, kind: str, /, late_ns: int = 0, took_ns: int = 100_000, **fields: Any) -> None:
        t = self.now + late_ns
        line = {"k": "event", "c": C, "t": t, "recv": t - took_ns, "by": by, "type": kind, "symbol": "BTC_USDT"}
        self.watch.take(line | fields)

    def trade(self, number: int, sides: tuple[str, ...] = SIDES, **more: Any) -> None:
        fields: dict[str, Any] = {"id": str(number), "price": 1.5, "quantity": 2.0, "side": "buy", "ts": number}
        for side in sides:
            self.say(side, "trade", **(fields | more))

    def book(self, first: int, last: int, sides: tuple[str, ...] = SIDES, bid: float = 2.0, **more: Any) -> None:
        fields: dict[str, Any] = {"first": first, "last": last, "snapshot": False, "ts": 1}
        for side in sides:
            self.say(side, "book", **(fields | {"bids": [[1.0, bid]], "asks": []} | more))

    def trades(self, first: int, count: int, gap_ns: int = 100 * MS, **more: Any) -> int:
        """So many trades on both sides, a beat behind each; the next number."""
        for number in range(first, first + count):
            self.trade(number, **more)
            self.beat(gap_ns)
        return first + count

    def look(self) -> Look:
        return self.watch.look()

    def codes(self) -> dict[str, dict[str, int]]:
        return self.watch.join.totals()
