"""When a frame was read: what each kind of stack is asked."""

from __future__ import annotations

import asyncio
from time import perf_counter_ns
from types import SimpleNamespace

from infrastructure.networking.websocket.migration.stamps import StampedQueue, stamps_of


async def test_legacys_queue_is_replaced_by_one_that_stamps() -> None:
    stack = SimpleNamespace(_queue=asyncio.Queue(2))
    stamps = stamps_of(stack)
    assert stamps()[0] is None
    queue = stack._queue
    assert isinstance(queue, StampedQueue)
    before = perf_counter_ns()
    queue.put_nowait("a")
    between = perf_counter_ns()
    queue.put_nowait("b")
    assert queue.full()
    assert await queue.get() == "a"
    recv_ns, t_ns = stamps()
    assert recv_ns is not None
    assert before <= recv_ns <= between < t_ns <= perf_counter_ns()
    assert await queue.get() == "b"
    assert (stamps()[0] or 0) >= between
    assert queue.empty()
    waiting = asyncio.create_task(queue.get())
    await asyncio.sleep(0)
    queue.put_nowait("c")
    assert await waiting == "c"


def test_a_stack_that_says_it_is_believed_and_one_that_does_not_has_none() -> None:
    class Says:
        recv_ns = 7

    class Elsewhere:
        def stamps(self) -> tuple[int, int]:
            return 3, 4

    assert stamps_of(Says())()[0] == 7
    assert stamps_of(Elsewhere())() == (3, 4)
    recv_ns, t_ns = stamps_of(SimpleNamespace())()
    assert recv_ns is None
    assert t_ns <= perf_counter_ns()
