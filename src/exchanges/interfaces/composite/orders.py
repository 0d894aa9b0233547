"""The orders of an account: what each went through, open or finished, and whether that is still certain."""

from __future__ import annotations

from dataclasses import replace

from exchanges.interfaces.composite.held import Held, HeldTable
from exchanges.structs.types import Order

__all__ = ["FINISHED", "Orders"]

FINISHED = frozenset({"filled", "cancelled", "rejected"})


class Orders:
    """By id. An open order is held until its end is told; of the finished ones the last `finished_kept`.

    Messages can come late or twice. What an order is only goes forward: a finished order stays so, and what is filled
    never shrinks; a message that says otherwise is counted in `late` and changes nothing. So is one that repeats the
    last state, but that makes it certain again.
    """

    # States kept of one order; a fill each is usual, more than this is an order that is amended without end.
    LIFE_LIMIT = 256

    def __init__(self, finished_kept: int) -> None:
        self.late = 0
        self._finished_kept = finished_kept
        self._open: HeldTable[str, Order] = HeldTable()
        self._finished: dict[str, Order] = {}
        self._lives: dict[str, list[Order]] = {}

    def take(self, order: Order, *, is_stale: bool) -> bool:
        """Take a state; False when it tells nothing new."""
        life = self._lives.setdefault(order.id, [])
        if order.id in self._finished or (life and order.filled < life[-1].filled):
            self.late += 1
            return False
        if life and order == life[-1]:
            self.late += 1
            self._open.put(order.id, order, is_stale=is_stale)
            return False
        life.append(order)
        del life[: -self.LIFE_LIMIT]
        if order.status in FINISHED:
            self._finish(order)
        else:
            self._open.put(order.id, order, is_stale=is_stale)
        return True

    def take_answer(self, order: Order, *, is_stale: bool) -> bool:
        """Take what REST said of an order; False when it tells nothing new. Its time may differ from the push's.

        An answer that contradicts a newer state is one that a push has overtaken, and late.
        """
        life = self._lives.get(order.id)
        if life and replace(order, timestamp=life[-1].timestamp, average_price=life[-1].average_price) == life[-1]:
            order = life[-1]
        elif life and _is_overtaken(order, life[-1]):
            self.late += 1
            return False
        return self.take(order, is_stale=is_stale)

    def stale(self) -> list[Order]:
        """The open orders that are not certain."""
        return [held.value for held in self._open.all().values() if held.is_stale]

    def get(self, order_id: str) -> Held[Order] | None:
        """The last state of an order, open or finished; a finished one is never stale."""
        finished = self._finished.get(order_id)
        return self._open.get(order_id) if finished is None else Held(finished, False)

    def open(self) -> dict[str, Held[Order]]:
        """The open orders by id."""
        return self._open.all()

    def life(self, order_id: str) -> list[Order]:
        """Every state that was told of an order, oldest first."""
        return list(self._lives.get(order_id, ()))

    def mark_stale(self) -> None:
        """The connection is lost: an open order may have changed or ended."""
        self._open.mark_stale()

    def forget_stale(self) -> int:
        """Hold only orders that are certain; gives how many were forgotten."""
        forgotten = [key for key, held in self._open.all().items() if held.is_stale]
        for key in forgotten:
            del self._lives[key]
        return self._open.forget_stale()

    def metrics(self) -> dict[str, int]:
        """Orders held, and messages that told nothing new."""
        return {"open": len(self._open.all()), "finished": len(self._finished), "late": self.late}

    def _finish(self, order: Order) -> None:
        self._open.pop(order.id)
        self._finished[order.id] = order
        if len(self._finished) > self._finished_kept:
            oldest = next(iter(self._finished))
            del self._finished[oldest], self._lives[oldest]


def _is_overtaken(answer: Order, newest: Order) -> bool:
    """Whether only its time tells that it is older: an end stands whenever it came, and so does what was filled."""
    is_as_far = answer.status not in FINISHED and answer.filled == newest.filled
    return is_as_far and answer.timestamp < newest.timestamp
