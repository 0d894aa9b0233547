"""The small judge opens a trigger by what new did, and by nothing else."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from time import perf_counter_ns
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from shadow.capture import resources
from shadow.rehearsal import memory
from shadow.rehearsal.judge import CONFIRMED_NS, SILENCE_NS, Judge
from shadow.rehearsal.memory import Memory
from shadow.rehearsal.parts import Parts
from shadow.rollout.consumers import Alarm, ConsumerStatus, UnitStatus, write_status

HOLDER = """
import sys
kept = []
for line in sys.stdin:
    kept.append(b"1" * (int(line) << 20))
    print("ok", flush=True)
"""
C = "gateio.spot.public"
UNIT = "gateio.spot.book_ticker.BTC_USDT"
OTHER = "gateio.spot.book_ticker.ETH_USDT"


def sent(seq: int, symbol: str = "BTC_USDT") -> bytes:
    result = {"t": 1000 + seq, "u": seq, "s": symbol, "b": "10.5", "B": "1", "a": "11", "A": "2"}
    frame = {"time": 1, "time_ms": 1000, "channel": "spot.book_ticker", "event": "update", "result": result}
    return json.dumps(frame).encode()


def got(seq: int, bid: float = 10.5) -> bytes:
    values = {"bid": bid, "bid_quantity": 1, "ask": 11, "ask_quantity": 2, "seq": seq, "ts": 1000 + seq}
    return json.dumps({"k": "event", "t": 1, "c": C, "type": "book_ticker", "symbol": "BTC_USDT", **values}).encode()


class Bench:
    """Both ends by hand; `age_ns` is how long ago a frame left."""

    def __init__(self, folder: Path) -> None:
        self.parts = Parts(folder, folder / "runs", [C], ["BTC_USDT", "ETH_USDT"])
        self.parts.units = {(C, "book_ticker", "BTC_USDT"): UNIT, (C, "book_ticker", "ETH_USDT"): OTHER}
        self.judge = Judge(self.parts)
        self._frames = 0

    def serve(self, unit: str, side: str) -> None:
        self.parts.ear.line(json.dumps({"k": "serving", "t": 1, "unit": unit, "side": side}).encode())

    def send(self, payload: bytes, age_ns: int = 0) -> None:
        self._frames += 1
        no = self._frames
        self.parts.ear.row("frames", (no, "leg", C, "ws", "book_ticker", "", None, None, payload, True, ""))
        self.parts.ear.row("sends", (no, "leg", "client", C, 1, perf_counter_ns() - age_ns, True, False, -1))

    def status(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.parts.places.folder / "judges" / "rehearsal.json").read_bytes())
        return found

    def beat(self, later_ns: int = 0) -> None:
        self.parts.ear.line(json.dumps({"k": "beat", "t": perf_counter_ns() + later_ns}).encode())

    def look(self) -> dict[str, Any]:
        self.judge.look()
        return self.status()

    def look_twice(self) -> dict[str, Any]:
        """Behind two beats of a consumer that are apart."""
        self.beat()
        self.judge.look()
        self.beat(CONFIRMED_NS)
        return self.look()


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def test_nothing_seen_is_no_pass(bench: Bench) -> None:
    assert bench.look()["verdict"] == "HOLD"


def test_good_events_are_a_pass(bench: Bench) -> None:
    bench.serve(UNIT, "new")
    bench.send(sent(1))
    bench.parts.ear.line(got(1))
    status = bench.look()
    assert (status["verdict"], status["onset"], status["alarms"]) == ("PASS", "quiet", [])
    assert bench.judge.first_alarm_ns is None


def test_an_altered_price_opens_functionality_on_everything(bench: Bench) -> None:
    bench.serve(UNIT, "new")
    bench.send(sent(1))
    bench.parts.ear.line(got(1, bid=11.5))
    status = bench.look()
    assert (status["verdict"], status["onset"]) == ("REGRESSION", "alarm")
    (alarm,) = status["alarms"]
    assert (alarm["trigger"], alarm["unit"], alarm["legacy_too"]) == ("functionality", "*", False)
    assert "bid:value" in alarm["says"]


def test_what_legacy_did_is_no_reason_to_leave_new(bench: Bench) -> None:
    bench.serve(UNIT, "legacy")
    bench.send(sent(1))
    bench.parts.ear.line(got(1, bid=11.5))
    assert bench.look()["alarms"] == []


def test_an_alarm_closes_when_its_evidence_is_old(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.serve(UNIT, "new")
    bench.send(sent(1))
    bench.parts.ear.line(got(1, bid=11.5))
    assert bench.look()["alarms"]
    later = time.monotonic() + 1.5
    monkeypatch.setattr("shadow.rehearsal.judge.time.monotonic", lambda: later)
    assert bench.look()["alarms"] == []


def test_what_was_found_before_a_new_matter_began_is_no_longer_open(bench: Bench) -> None:
    bench.serve(UNIT, "new")
    bench.send(sent(1))
    bench.parts.ear.line(got(1, bid=11.5))
    assert bench.look()["alarms"]
    bench.judge.begin()
    assert bench.look()["alarms"] == []
    assert (bench.judge.alarms, bench.judge.first_alarm_ns) == ([], None)


def test_work_that_became_dearer_opens_performance_while_it_is_watched(bench: Bench) -> None:
    cost: Any = SimpleNamespace(dearer=lambda: "CPU of new is 1.50 x what it was")
    bench.judge.begin(cost)
    (alarm,) = bench.look()["alarms"]
    assert (alarm["trigger"], alarm["unit"], alarm["says"]) == ("performance", "*", cost.dearer())
    bench.judge.begin()
    assert bench.look()["alarms"] == []


def test_silence_opens_behind_its_time_and_not_before(bench: Bench) -> None:
    bench.serve(UNIT, "new")
    bench.serve(OTHER, "new")
    bench.send(sent(1), SILENCE_NS // 2)
    assert bench.look_twice()["alarms"] == []
    bench.send(sent(2, "ETH_USDT"), 2 * SILENCE_NS)
    (alarm,) = bench.look_twice()["alarms"]
    assert "ETH_USDT: nothing for 4." in alarm["says"]
    assert alarm["legacy_too"] is False


def test_a_pipe_that_is_late_is_no_silence(bench: Bench) -> None:
    """Nothing was heard of the time in which the event should have come."""
    bench.serve(UNIT, "new")
    bench.beat(-3 * SILENCE_NS)
    bench.send(sent(1), 2 * SILENCE_NS)
    assert [bench.look()["alarms"], bench.look()["alarms"]] == [[], []]


def test_a_consumer_that_paused_and_then_reads_on_was_not_left_alone_by_new(bench: Bench) -> None:
    bench.serve(UNIT, "new")
    bench.send(sent(1), 2 * SILENCE_NS)
    bench.beat()
    assert bench.look()["alarms"] == []
    bench.parts.ear.line(got(1))
    bench.beat(CONFIRMED_NS)
    assert bench.look()["alarms"] == []


def test_silence_of_both_stacks_is_told_as_a_shared_cause(bench: Bench) -> None:
    bench.serve(UNIT, "new")
    bench.serve(OTHER, "legacy")
    for symbol in ("BTC_USDT", "ETH_USDT"):
        bench.send(sent(1, symbol), 2 * SILENCE_NS)
    (alarm,) = bench.look_twice()["alarms"]
    assert alarm["legacy_too"] is True


def test_what_the_consumer_tells_of_a_dead_stack_counts_as_the_first_trigger(bench: Bench) -> None:
    dead = Alarm("stability", "gateio.spot.*.*", "the new stack is gone")
    status = ConsumerStatus("desk", 1, time.time(), 1, {UNIT: UnitStatus("legacy")}, alarms=[dead])
    write_status(bench.parts.places.folder, status)
    assert bench.look()["alarms"] == []
    assert bench.judge.first_alarm_ns is not None
    assert bench.judge.alarms == [dead]
    write_status(bench.parts.places.folder, msgspec.structs.replace(status, at=time.time() - 60.0))
    assert bench.judge._of_consumer() == []


@pytest.fixture
def holder() -> Iterator[subprocess.Popen[str]]:
    """A process that takes so many MiB as a line says, and answers."""
    program = [sys.executable, "-c", HOLDER]
    with subprocess.Popen(program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        yield process
        process.kill()


@pytest.mark.parametrize(("mib", "is_told"), [(32, True), (2, False)])
def test_a_process_that_grew_by_a_fifth_and_eight_mib_is_told(
    mib: int, is_told: bool, holder: subprocess.Popen[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert holder.stdin is not None
    assert holder.stdout is not None
    # On a busy machine a reading would else stand for half a second of real time.
    monkeypatch.setattr(resources, "COSTLY_NS", sys.maxsize)
    clock = iter(range(100))
    monkeypatch.setattr(memory.time, "monotonic", lambda: float(next(clock)))
    for size in (0, mib):
        holder.stdin.write(f"{size}\n")
        holder.stdin.flush()
        assert holder.stdout.readline() == "ok\n"
        if not size:
            watch = Memory()
            assert [watch.grown([holder.pid]) for _ in range(4)] == [""] * 4
    said = [watch.grown([holder.pid]) for _ in range(2 * memory.SAMPLES)]
    assert ("MiB" in said[-1]) is is_told
