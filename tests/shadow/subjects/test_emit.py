from __future__ import annotations

import os
from resource import RUSAGE_THREAD, getrusage
from time import perf_counter_ns, process_time_ns

import orjson

from shadow.subjects.emit import Emitter, make_burn


async def test_a_full_pipe_never_blocks_and_loses_nothing() -> None:
    reader, writer = os.pipe()
    emitter = Emitter(writer)
    emitter.start()
    for number in range(4000):
        emitter.put({"k": "event", "n": number, "pad": "x" * 60})
    began = perf_counter_ns()
    emitter.flush()
    assert perf_counter_ns() - began < 50_000_000
    os.set_blocking(reader, False)
    got = bytearray()
    while emitter._buffer:
        try:
            got += os.read(reader, 1 << 16)
        except BlockingIOError:
            pass
        emitter.flush()
    while len(got.splitlines()) < 4000 or not got.endswith(b"\n"):
        got += os.read(reader, 1 << 16)
    assert [orjson.loads(line)["n"] for line in got.splitlines()] == list(range(4000))
    os.close(reader)
    os.close(writer)


async def test_a_reader_that_went_away_is_no_error() -> None:
    reader, writer = os.pipe()
    emitter = Emitter(writer)
    emitter.start()
    os.close(reader)
    emitter.put({"k": "bye"})
    emitter.flush()
    await emitter.finish(timeout_s=1.0)
    os.close(writer)


def test_burning_is_real_cpu_time() -> None:
    burn = make_burn(2_000_000)
    assert burn is not None
    spent_ns = []
    yielded = getrusage(RUSAGE_THREAD).ru_nvcsw
    for _ in range(50):
        wall, cpu = perf_counter_ns(), process_time_ns()
        burn()
        spent_ns.append(process_time_ns() - cpu)
        assert perf_counter_ns() - wall >= 2_000_000
    # It takes what the machine gives, and gives nothing away: a neighbour may have the core in some rounds.
    assert getrusage(RUSAGE_THREAD).ru_nvcsw == yielded
    assert max(spent_ns) >= 1_000_000


def test_nothing_to_burn_costs_nothing() -> None:
    assert make_burn(0) is None
