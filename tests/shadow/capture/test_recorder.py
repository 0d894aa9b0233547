import json
import os
import resource
import signal
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from time import monotonic, perf_counter_ns
from typing import Any

import msgspec
import orjson
import pytest

from shadow.capture.lines import LINE_CAP
from shadow.capture.reader import RunData
from shadow.capture.resources import Probe
from shadow.capture.tables import SESSION_TABLES

SUBJECTS = (("aa1", "legacy"), ("main", "legacy"), ("main", "new"))
FRAME = (1, "main", "mexc.spot.public", "ws", "trade", "BTCUSDT", None, 7, b"\x0a\xff", False, "")
SEND = (1, "main", "new", "mexc.spot.public", 1, 123, True, False, -1)
SECRET = "s3cr3t+value/0001"


class Session:
    """The session's side of a recorder: the pipes' write ends, commands and answers."""

    def __init__(self, run: Path) -> None:
        pipes = {name: os.pipe() for name in ("ledger", *(f"{s}{i}" for s in SUBJECTS for i in "oe"))}
        self.write = {name: os.fdopen(ends[1], "wb", buffering=0) for name, ends in pipes.items()}
        reads = {name: ends[0] for name, ends in pipes.items()}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "shadow.capture.recorder"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            pass_fds=list(reads.values()),
        )
        for fd in reads.values():
            os.close(fd)
        self.send(
            dir=str(run),
            ledger_fd=reads["ledger"],
            secrets=[SECRET],
            subjects=[
                {"leg": s[0], "role": s[1], "stdout_fd": reads[f"{s}o"], "stderr_fd": reads[f"{s}e"]} for s in SUBJECTS
            ],
        )
        assert self.answer() == {"k": "ready"}

    def send(self, **fields: object) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(orjson.dumps(fields) + b"\n")
        self.process.stdin.flush()

    def answer(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, "the recorder ended"
        found: dict[str, Any] = orjson.loads(line)
        return found

    def ask(self, **fields: object) -> dict[str, Any]:
        self.send(**fields)
        return self.answer()

    def ledger(self, table: str, row: tuple[object, ...]) -> None:
        record = msgspec.msgpack.encode([table, *row])
        self.write["ledger"].write(struct.pack("<I", len(record)) + record)

    def out(self, leg: str, role: str, data: bytes, stream: str = "o") -> None:
        file = self.write[f"{(leg, role)}{stream}"]
        while data:
            data = data[file.write(data) :]

    def counted(self, leg: str, role: str, connection: str, events: int) -> dict[str, Any]:
        """Ask for the counts until so many events were read."""
        limit = monotonic() + 20
        while monotonic() < limit:
            answer = self.ask(cmd="counts", leg=leg)
            if answer["events"][role].get(connection, 0) >= events:
                return answer
        raise AssertionError(f"{events} events never came")

    def finish(self) -> dict[str, Any]:
        for file in self.write.values():
            file.close()
        self.send(cmd="finish")
        while (found := self.answer())["k"] != "finished":
            assert found["k"] == "eof"
        assert self.process.wait(20) == 0
        return found

    def end(self) -> None:
        for file in self.write.values():
            file.close()
        self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            assert pipe is not None
            pipe.close()


@pytest.fixture
def session(tmp_path: Path) -> Iterator[Session]:
    """A recorder that is ready."""
    opened = Session(tmp_path)
    yield opened
    opened.end()


def event(n: int, connection: str = "mexc.spot.public") -> bytes:
    fields = {"k": "event", "c": connection, "t": perf_counter_ns(), "type": "trade", "symbol": "BTCUSDT", "id": str(n)}
    return orjson.dumps(fields) + b"\n"


def column(run: Path, table: str, name: str) -> list[Any]:
    found: list[Any] = RunData(run).table(table).column(name).to_pylist()
    return found


def test_a_session_from_ready_to_finished(session: Session, tmp_path: Path) -> None:
    session.ledger("frames", FRAME)
    session.ledger("sends", SEND)
    session.send(cmd="mark", row=[5, "main", "", "leg-begin", "{}"])
    before = perf_counter_ns()
    session.out("main", "new", b'{"k":"hello","protocol":1,"pid":1,"t":1}\n')
    line = {"k": "hello", "protocol": 1, "pid": 1, "t": 1}
    assert session.answer() == {"k": "line", "leg": "main", "role": "new", "line": line}
    session.out("main", "new", b"".join(event(n) for n in range(5)) + b'{"k":"event","c":"mexc.spot.pu')
    session.out("main", "new", b'blic","t":9}\nno newline at the end')
    counts = session.counted("main", "new", "mexc.spot.public", 6)
    assert counts["events"] == {"legacy": {}, "new": {"mexc.spot.public": 6}}
    assert before < counts["last_read"] < perf_counter_ns()
    assert session.ask(cmd="counts", leg="aa1")["events"] == {"legacy": {}}
    finished = session.finish()
    assert finished["drops"] == 0
    assert finished["rows"]["events/new"] == 8
    assert {table: finished["rows"][table] for table in ("frames", "sends", "marks")} == {
        "frames": 1,
        "sends": 1,
        "marks": 1,
    }
    assert set(finished["rows"]) == {*SESSION_TABLES, "events/legacy", "events/new"}
    run = RunData(tmp_path)
    assert tuple(run.table("frames").to_pylist()[0].values()) == FRAME
    assert tuple(run.table("sends").to_pylist()[0].values()) == SEND
    rows = run.table("events/new").to_pylist()
    assert [row["n"] for row in rows] == list(range(1, 9))
    assert [row["k"] for row in rows] == ["hello", *["event"] * 6, "log"]
    assert [row["t"] for row in rows if row["k"] == "event"][-1] == 9
    assert all(before < row["t_read"] < perf_counter_ns() for row in rows)
    assert rows[-1]["body"] == b"no newline at the end"
    assert not list(tmp_path.rglob("*.arrows"))


def test_garbage_overlong_lines_and_stderr_are_kept_as_log(session: Session, tmp_path: Path) -> None:
    garbage = [
        b"",
        b"plain",
        b'["k"]',
        b'{"K":"event"}',
        b'{"k":7}',
        b'{"k":"event","x":"\xff"}',
        b'{"k":"event"} trailing',
        b'{"k":"event","x":' + b"[" * 50_000 + b"]" * 50_000 + b"}",
        b'{"k":"event","c":"\\ud800"}',
    ]
    odd = [b'{"k":"event","c":5,"t":"x","type":null,"symbol":[]}', b'{"k":"event","c":"c","t":99999999999999999999}']
    session.out("main", "new", b"\n".join(garbage) + b"\n" + b"\n".join(odd) + b"\n")
    session.out("main", "new", b"x" * (LINE_CAP + 5) + b"\n" + event(1))
    session.out("main", "new", b"warning: slow\n" * 2, "e")
    session.counted("main", "new", "mexc.spot.public", 1)
    finished = session.finish()
    assert (finished["drops"], finished["overlong"]) == (0, 1)
    rows = RunData(tmp_path).table("events/new").to_pylist()
    out = [row for row in rows if row["c"] != "stderr"]
    assert [row["body"] for row in out[: len(garbage)]] == garbage
    assert {row["k"] for row in out[: len(garbage)]} == {"log"}
    assert [(row["k"], row["t"]) for row in out[len(garbage) : -2]] == [("event", None)] * 2
    assert (out[-2]["k"], out[-2]["type"], set(out[-2]["body"])) == ("log", "truncated", {ord("x")})
    assert 0 < len(out[-2]["body"]) < LINE_CAP
    assert [row["body"] for row in rows if row["c"] == "stderr"] == [b"warning: slow"] * 2


def test_no_secret_reaches_a_file(session: Session, tmp_path: Path) -> None:
    auth = b'{"auth":{"KEY":"unknown-key","SIGN":"unknown-sign"},"x":"' + SECRET.encode() + b'"}'
    session.ledger("requests", (1, "main", "new", "gateio.spot.private", 1, "ws", auth))
    session.ledger("connections", (1, "main", "new", "c", 1, "open", "", "", None, "client", f"/ws?listenKey={SECRET}"))
    session.ledger("frames", (*FRAME[:3], "rest", *FRAME[4:8], b'{"listenKey":"unknown-key"}', True, ""))
    session.out("main", "new", b'{"k":"error","message":"bad KEY=unknown-key ' + SECRET.encode() + b'"}\n')
    assert SECRET not in json.dumps(session.answer())
    session.out("main", "new", (SECRET.encode().hex() + "\n").encode(), "e")
    session.out("main", "new", b'{"k":"state","signature":"unknown-sign"}\nhalf a line ' + SECRET.encode())
    assert session.answer()["line"]["signature"] == "***"
    assert session.finish()["rows"]["requests"] == 1
    run = RunData(tmp_path)
    text = b"".join(
        repr(run.table(table).to_pylist()).encode() for table in (*SESSION_TABLES, "events/new", "events/legacy")
    )
    for secret in (SECRET, SECRET.encode().hex(), "unknown-key", "unknown-sign"):
        assert secret.encode() not in text
    assert column(tmp_path, "requests", "payload") == [b'{"auth":{"KEY":"***","SIGN":"***"},"x":"***"}']


def test_kill_9_leaves_what_was_flushed(session: Session, tmp_path: Path) -> None:
    session.ledger("frames", FRAME)
    session.out("main", "legacy", b"".join(event(n) for n in range(1000)))
    session.counted("main", "legacy", "mexc.spot.public", 1000)
    limit = monotonic() + 20
    while monotonic() < limit and not (
        RunData(tmp_path).table("events/legacy").num_rows and RunData(tmp_path).table("frames").num_rows
    ):
        session.ask(cmd="counts")
    os.kill(session.process.pid, signal.SIGKILL)
    session.process.wait(20)
    run = RunData(tmp_path)
    assert run.table("events/legacy").num_rows == 1000
    assert tuple(run.table("frames").to_pylist()[0].values()) == FRAME
    assert not run.complete


def test_a_vanished_session_takes_its_subjects_along_and_says_so(session: Session, tmp_path: Path) -> None:
    subject = subprocess.Popen(["sleep", "600"], start_new_session=True)
    try:
        session.send(cmd="watch", leg="main", role="new", pid=subject.pid)
        session.out("main", "new", b"".join(event(n) for n in range(10)))
        session.counted("main", "new", "mexc.spot.public", 10)
        assert session.process.stdin is not None
        session.process.stdin.close()
        assert subject.wait(20) == -signal.SIGKILL
        assert session.process.wait(20) == 1
    finally:
        subject.kill()
        subject.wait()
    run = RunData(tmp_path)
    run.verify()
    assert not run.complete
    assert run.manifest.interrupted == "session ended without finish"
    assert run.table("events/new").num_rows == 10
    assert "interrupted" in column(tmp_path, "marks", "name")
    assert run.torn == 0


def test_resources_follow_the_watched_process(session: Session, tmp_path: Path) -> None:
    program = "x = bytearray(40 << 20)\nprint(flush=True)\nwhile True: pass"
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as subject:
        assert subject.stdout is not None
        subject.stdout.readline()
        session.send(cmd="watch", leg="main", role="new", pid=subject.pid)
        session.out("main", "new", b'{"k":"hello","pid":1}\n')
        assert session.answer()["k"] == "line"
        limit = monotonic() + 20
        while monotonic() < limit and RunData(tmp_path).table("resources").num_rows < 2:
            session.ask(cmd="counts")
        session.send(cmd="unwatch", leg="main", role="new")
        session.ask(cmd="counts")
        subject.kill()
    session.finish()
    rows = RunData(tmp_path).table("resources").to_pylist()
    assert {(row["leg"], row["role"], row["pid"]) for row in rows} == {("main", "new", subject.pid)}
    assert rows[0]["cpu_ns"] < rows[-1]["cpu_ns"]
    assert 40 << 20 < rows[-1]["uss"] <= rows[-1]["rss"] < 400 << 20
    assert [row["t"] for row in rows] == sorted(row["t"] for row in rows)


def test_bad_records_and_commands_are_counted_not_fatal(session: Session, tmp_path: Path) -> None:
    session.ledger("frames", FRAME[:-1])
    session.ledger("nonsense", FRAME)
    session.ledger("sends", ("x", *SEND[1:]))
    session.ledger("sends", SEND)
    session.send(cmd="mark", row=[1])
    assert session.ask(cmd="dance")["k"] == "failed"
    assert session.ask(cmd="watch")["k"] == "failed"
    finished = session.finish()
    assert finished["rows"]["sends"] == 1
    assert finished["drops"] == 4
    drops = [row for row in RunData(tmp_path).table("marks").to_pylist() if row["name"] == "harness-drops"]
    assert [orjson.loads(row["detail"]) for row in drops] == [{"count": 4}]


def test_a_subject_that_closes_its_output_is_reported_at_once(session: Session) -> None:
    session.out("main", "new", event(1) + b'{"k":"bye","t":1}')
    session.write[f"{('main', 'new')}o"].close()
    assert session.answer() == {"k": "line", "leg": "main", "role": "new", "line": {"k": "bye", "t": 1}}
    assert session.answer() == {"k": "eof", "leg": "main", "role": "new"}


def test_a_session_that_does_not_listen_stalls_nothing(session: Session, tmp_path: Path) -> None:
    state = b'{"k":"state","state":"connected","filler":"' + b"x" * 1000 + b'"}\n'
    session.out("main", "new", state * 3000)
    session.out("main", "new", event(1))
    session.send(cmd="counts", leg="main")
    lines = 0
    while (found := session.answer())["k"] == "line" or found["events"]["new"].get("mexc.spot.public") != 1:
        lines += found["k"] == "line"
        if found["k"] == "counts":
            session.send(cmd="counts", leg="main")
    assert lines == 3000
    assert session.finish()["rows"]["events/new"] == 3001


def test_a_flood_of_log_is_the_subjects_and_binds_no_block(session: Session, tmp_path: Path) -> None:
    session.out("main", "new", b"a line that says nothing, again and again\n" * 17_000, "e")
    session.finish()
    marks = RunData(tmp_path).table("marks").to_pylist()
    assert {(row["leg"], row["role"], row["name"]) for row in marks} == {("main", "new", "subject-loud")}


def test_a_full_disk_is_said_in_one_line(session: Session, tmp_path: Path) -> None:
    session.out("main", "new", event(1))
    session.counted("main", "new", "mexc.spot.public", 1)
    resource.prlimit(session.process.pid, resource.RLIMIT_FSIZE, (20_000, 20_000))
    session.out("main", "new", b"".join(event(n) for n in range(1000)))
    session.send(cmd="finish")
    answer = session.answer()
    assert answer["k"] == "failed"
    assert "cannot be written" in answer["text"]
    assert session.process.wait(20) == 1
    assert RunData(tmp_path).table("marks").num_rows == 0


def test_a_terminated_recorder_seals_what_it_has(session: Session, tmp_path: Path) -> None:
    session.out("main", "new", event(1))
    session.counted("main", "new", "mexc.spot.public", 1)
    session.process.send_signal(signal.SIGINT)
    session.ask(cmd="counts")
    session.process.terminate()
    assert session.process.wait(20) == 1
    run = RunData(tmp_path)
    run.verify()
    assert run.manifest.interrupted == "recorder terminated"
    assert run.table("events/new").num_rows == 1


def test_five_seconds_of_full_load_cost_less_than_half_a_core(session: Session, tmp_path: Path) -> None:
    probe = Probe(session.process.pid)
    before = probe.sample()
    lines = b"".join(event(n) for n in range(200))
    frames = [msgspec.msgpack.encode(["frames", *FRAME])] * 200 + [msgspec.msgpack.encode(["sends", *SEND])] * 400
    records = b"".join(struct.pack("<I", len(record)) + record for record in frames)
    for _ in range(50):
        session.out("main", "new", lines)
        session.out("main", "legacy", lines)
        assert session.write["ledger"].write(records) == len(records)
    session.counted("main", "new", "mexc.spot.public", 10_000)
    session.counted("main", "legacy", "mexc.spot.public", 10_000)
    after = probe.sample()
    assert before is not None
    assert after is not None
    assert after.cpu_ns - before.cpu_ns < 2_500_000_000
    finished = session.finish()
    assert finished["drops"] == 0
    assert {finished["rows"][table] for table in ("frames", "events/new", "events/legacy")} == {10_000}
    assert finished["rows"]["sends"] == 20_000
