"""When a frame was read: what each kind of stack is asked."""

from __future__ import annotations

import asyncio
from time import perf_counter_ns
from types import SimpleNamespace

from infrastructure.networking.websocket.migration.stamps import StampClock, StampedQueue


def stamps(clock: StampClock) -> tuple[int | None, int]:
    return clock.received.recv_ns, clock.now()


async def test_legacys_queue_is_replaced_by_one_that_stamps() -> None:
    stack = SimpleNamespace(_queue=asyncio.Queue(2))
    clock = StampClock()
    assert stamps(clock)[0] is None
    clock.set(stack)
    assert stamps(clock)[0] is None
    queue = stack._queue
    assert isinstance(queue, StampedQueue)
    before = perf_counter_ns()
    queue.put_nowait("a")
    between = perf_counter_ns()
    queue.put_nowait("b")
    assert queue.full()
    assert await queue.get() == "a"
    recv_ns, t_ns = stamps(clock)
    assert recv_ns is not None
    assert before <= recv_ns <= between < t_ns <= perf_counter_ns()
    assert await queue.get() == "b"
    assert (stamps(clock)[0] or 0) >= between
    assert queue.empty()
    waiting = asyncio.create_task(queue.get())
    await asyncio.sleep(0)
    queue.put_nowait("c")
    assert await waiting == "c"


def test_a_stack_that_says_it_is_believed_and_one_that_does_not_has_none() -> None:
    class Says:
        recv_ns = 7

    class Elsewhere:
        recv_ns = 3
        t_ns = 4

    clock = StampClock()
    clock.set(Elsewhere())
    assert stamps(clock) == (3, 4)
    clock.set(Says())
    before = perf_counter_ns()
    recv_ns, t_ns = stamps(clock)
    assert recv_ns == 7
    assert t_ns >= before
    clock.set(SimpleNamespace())
    recv_ns, t_ns = stamps(clock)
    assert recv_ns is None
    assert before <= t_ns <= perf_counter_ns()
