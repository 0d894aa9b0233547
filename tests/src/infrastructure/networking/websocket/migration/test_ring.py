"""The ring between the consumer's process and the sidecar."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from collections import deque
from collections.abc import Iterator
from typing import Any

import pytest

from infrastructure.networking.websocket.migration.ring import Ring

FRAME = b"x" * 300


@pytest.fixture
def ring() -> Iterator[Ring]:
    """A small ring."""
    made = Ring.create(4096)
    yield made
    made.close()


def test_what_is_written_is_read_in_order_around_the_end_many_times(ring: Ring) -> None:
    rng = random.Random(3)
    reader = Ring(os.dup(ring.descriptor))
    waiting: deque[tuple[bytes, int, int]] = deque()
    written = skipped = 0
    for number in range(20_000):
        record = (rng.randbytes(rng.randrange(900)), number, number + 1)
        if ring.write(*record):
            waiting.append(record)
            written += 1
        else:
            skipped += 1
        if rng.random() < 0.3:
            for got in reader.read():
                assert got == waiting.popleft()
                if rng.random() < 0.2:
                    break
    assert list(reader.read()) == list(waiting)
    assert not reader.has_records()
    assert reader.skipped == skipped
    assert min(written, skipped) > 1000
    reader.close()


def test_a_full_ring_skips_and_counts_and_goes_on(ring: Ring) -> None:
    taken = 0
    while ring.write(FRAME, 1, 2):
        taken += 1
    assert taken == ring.capacity // 328
    assert [ring.write(FRAME, 1, 2) for _ in range(3)] == [False] * 3
    assert ring.skipped == 4
    assert len(list(ring.read())) == taken
    assert ring.write(FRAME, 1, 2)
    assert not ring.write(b"x" * ring.capacity, 1, 2)


def test_a_record_may_fill_the_ring_to_the_last_byte(ring: Ring) -> None:
    payload = b"y" * (ring.capacity - 24)
    for number in range(3):
        assert ring.write(payload, number, 0)
        assert not ring.write(b"", 0, 0)
        assert list(ring.read()) == [(payload, number, 0)]


WRITER = """
import sys
from infrastructure.networking.websocket.migration.ring import Ring
ring = Ring(int(sys.argv[1]))
for number in range(5000):
    while not ring.write(str(number).encode() * (number % 7), number, 2 * number):
        pass
ring.close()
"""


def test_another_process_writes_while_this_one_reads(ring: Ring) -> None:
    expected = 0
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    command = [sys.executable, "-c", WRITER, str(ring.descriptor)]
    with subprocess.Popen(command, env=environment, pass_fds=[ring.descriptor]) as process:
        while process.poll() is None or ring.has_records():
            for record in ring.read():
                assert record == (str(expected).encode() * (expected % 7), expected, 2 * expected)
                expected += 1
    assert (process.returncode, expected) == (0, 5000)


def test_a_write_costs_the_primary_path_half_a_microsecond_at_most(stopwatch: Any) -> None:
    """Attribute read and ring write, the loop taken off; the best of many rounds."""
    count = 1000
    ring = Ring.create(4 << 20)
    holder = type("Holder", (), {"tap": ring})()
    numbers = range(count)
    empty, full = stopwatch(), stopwatch()
    for _ in range(200):
        with empty.round():
            for _number in numbers:
                pass
        with full.round():
            for number in numbers:
                tap = holder.tap
                if tap is not None:
                    tap.write(FRAME, number, number)
        for _ in ring.read():
            pass
    skipped, cost_ns = ring.skipped, (full.best_ns - empty.best_ns) / count
    ring.close()
    print(f"ring write of {len(FRAME)} bytes: {cost_ns:.0f} ns")  # noqa: T201
    assert skipped == 0
    assert cost_ns <= 500
