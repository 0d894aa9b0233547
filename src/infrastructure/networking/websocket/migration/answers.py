"""What a sidecar was asked for, and what waits for it: an answer settles the call that it belongs to, and no other."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from itertools import count

from exchanges.structs.errors import ExchangeRestError

__all__ = ["Answers"]


class Answers:
    """Open calls by their numbers; no number is ever given twice, because an answer may come after its call is over."""

    def __init__(self) -> None:
        self._numbers = count(1)
        self._open: dict[int, tuple[str, asyncio.Future[None]]] = {}

    async def ask(self, name: str, write: Callable[[int], None], timeout_s: float) -> None:
        """Let a call be written with its number, and wait for its answer.

        Raises the ExchangeRestError that is the answer, or one with code 503 after `timeout_s` or at the end: what was
        asked for may have been sent, or may yet be.
        """
        number = next(self._numbers)
        answer: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._open[number] = name, answer
        try:
            write(number)
            await asyncio.wait_for(answer, timeout_s)
        except TimeoutError:
            raise _unknown(name, "the sidecar does not answer") from None
        finally:
            del self._open[number]

    def settle(self, number: int, failure: tuple[int, str] | None) -> None:
        """The answer to a call, with code and text where it failed; one that nobody waits for any more is dropped."""
        _, answer = self._open.get(number, ("", None))
        if answer is None or answer.done():
            return
        if failure is None:
            answer.set_result(None)
        else:
            answer.set_exception(ExchangeRestError(*failure))

    def end(self, why: str) -> None:
        """No answer comes any more: every open call raises an ExchangeRestError with code 503 that says why."""
        for name, answer in self._open.values():
            if not answer.done():
                answer.set_exception(_unknown(name, why))


def _unknown(name: str, why: str) -> ExchangeRestError:
    return ExchangeRestError(503, f"{name}: {why}; unknown whether it was sent")
