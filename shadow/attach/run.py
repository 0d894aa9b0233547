"""`shadow judge --attach`: read a tap, judge once a second, tell the controller, end with a code."""

from __future__ import annotations

import select
import signal
import socket
import sys
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import orjson

from shadow.attach.telling import CODES, WORDS, as_json, in_a_line, last_word
from shadow.attach.watch import Look, Watch
from shadow.commands.words import say
from shadow.errors import RunError, ShadowError, UsageError
from shadow.rollout.consumers import JudgeStatus, write_status

__all__ = ["Attached", "attach"]

LOOK_S: Final = 1.0
GREETING_S: Final = 5.0
BEATLESS_S: Final = 3.0
CHUNK: Final = 1 << 18
LINE_BYTES: Final = 8 << 20
SHORT_S: Final = 300.0
SHORT_BLOCK_NS: Final = 500_000_000
LONG_BLOCK_NS: Final = 2_000_000_000


class Attached:
    """The reader's end of a tap: lines as they come, until it ends."""

    def __init__(self, path: Path) -> None:
        self.has_ended = False
        self.is_orderly = False
        self._path = path
        self._rest = bytearray()
        self._whole: deque[bytes] = deque()
        self._socket = _connect(path)

    def close(self) -> None:
        """Let go of it."""
        self._socket.close()

    def greeting(self) -> dict[str, Any]:
        """The first line; RunError where this is no tap of a version that is understood."""
        deadline = time.monotonic() + GREETING_S
        while not self.has_ended and time.monotonic() < deadline:
            for line in self.lines(deadline - time.monotonic()):
                if (line.get("k"), line.get("tap")) == ("tap", 1):
                    return line
                raise RunError(f"{self._path} is no tap of version 1; look at what listens there")
        raise RunError(f"{self._path} says nothing; it is no tap, or its process stands still, or has readers enough")

    def lines(self, timeout_s: float) -> Iterator[dict[str, Any]]:
        """What has come, waiting at most so long for the first of it; RunError for what is no line of a tap."""
        if not self._whole:
            self._receive(timeout_s)
        while self._whole:
            text = self._whole.popleft()
            line = _read(text)
            if line is None:
                raise RunError(f"{self._path}: a line that is none of a tap: {text[:80]!r}")
            self.is_orderly = self.is_orderly or line["k"] == "bye"
            yield line

    def _receive(self, timeout_s: float) -> None:
        if not select.select([self._socket], [], [], max(0.0, timeout_s))[0]:
            return
        try:
            chunk = self._socket.recv(CHUNK)
        except ConnectionError:
            chunk = b""
        self.has_ended = not chunk
        self._rest += chunk
        *whole, rest = self._rest.split(b"\n")
        self._whole += map(bytes, whole)
        self._rest = bytearray(rest)
        if len(self._rest) > LINE_BYTES:
            raise RunError(f"{self._path}: a line of more than {LINE_BYTES >> 20} MiB; this is no tap")


def _read(text: bytes) -> dict[str, Any] | None:
    try:
        line = orjson.loads(text)
    except orjson.JSONDecodeError:
        return None
    is_one = isinstance(line, dict) and isinstance(line.get("k"), str) and isinstance(line.get("t"), int)
    return line if is_one else None


def _connect(path: Path) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        connection.connect(str(path))
    except OSError as error:
        connection.close()
        reason = error.strerror or str(error)
        raise UsageError(
            f"{path} is no open tap ({reason}); give the socket that the application opened, and let it run"
        ) from error
    return connection


def attach(path: Path, folder: Path, duration_s: float | None, *, json: bool) -> int:
    """Watch the tap until it ends, the time is over or a signal comes; gives the exit code."""
    is_short = duration_s is not None and duration_s < SHORT_S
    tap = Attached(path)
    try:
        application = tap.greeting().get("pid")
        watch = Watch(SHORT_BLOCK_NS if is_short else LONG_BLOCK_NS, application)
        session = _Session(path.stem or "attached", folder, watch, json)
        with _stoppable() as stopped:
            session.run(tap, duration_s, stopped)
    finally:
        tap.close()
    return session.end(tap)


@contextmanager
def _stoppable() -> Iterator[list[int]]:
    """Signals that ask for the end, as they come."""
    got: list[int] = []
    before = {number: signal.signal(number, lambda n, _: got.append(n)) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield got
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class _Session:
    """One watch: its looks, told to the controller and to whoever reads."""

    def __init__(self, name: str, folder: Path, watch: Watch, json: bool) -> None:
        self._name = name
        self._folder = folder
        self._watch = watch
        self._json = json
        self._began = time.monotonic()
        self._beat = (0, self._began)
        self._trouble = ""
        self._stood_s = 0.0
        self._last_whole: Look | None = None

    def run(self, tap: Attached, duration_s: float | None, stopped: list[int]) -> None:
        """Until something ends it."""
        due = self._began + LOOK_S
        while not (stopped or tap.has_ended or tap.is_orderly):
            for line in tap.lines(due - time.monotonic()):
                self._watch.take(line)
            now = time.monotonic()
            if now >= due:
                self._look(now)
                due = max(due + LOOK_S, now)
            if duration_s is not None and now - self._began >= duration_s:
                break
        self._look(time.monotonic())

    def _look(self, now: float) -> None:
        look, beatless_s = self._watch.look(), self._beatless_s(now)
        if beatless_s > BEATLESS_S:
            self._stood_s = max(self._stood_s, beatless_s)
            self._trouble = f"the tap has not beaten for {beatless_s:.0f} s"
            look = _held(look, self._trouble)
        else:
            self._trouble = ""
        status = JudgeStatus(self._name, time.time(), look.verdict, look.onset, look.alarms)
        try:
            write_status(self._folder, status)
        except (OSError, ShadowError) as error:
            look = _held(look, f"the controller cannot be told: {error}")
        if self._watch.join.links:
            self._last_whole = look
        seconds = now - self._began
        if self._json:
            _print(as_json(look, seconds))
        else:
            say(in_a_line(look, seconds))

    def _beatless_s(self, now: float) -> float:
        beat = self._watch.join.now
        if beat != self._beat[0]:
            self._beat = beat, now
        return now - self._beat[1]

    def end(self, tap: Attached) -> int:
        """The last word."""
        died = tap.has_ended and not tap.is_orderly
        trouble = "the tap ended without a last word: its process is gone" if died else self._trouble
        stood = [f"the tap once stood still for {self._stood_s:.0f} s"] if self._stood_s and not trouble else []
        verdict, reason = last_word(self._last_whole, self._watch.fired, trouble, [*stood, *self._watch.doubts()])
        code = CODES[verdict]
        if self._json:
            _print({"verdict": verdict, "code": code, "reason": reason, "fired": self._watch.fired})
        say(f"{WORDS[verdict]}: {reason}")
        return code


def _held(look: Look, reason: str) -> Look:
    """The same look with one more reason why it is no PASS, before the others."""
    return replace(look, verdict="HOLD" if look.verdict == "PASS" else look.verdict, held=[reason, *look.held])


def _print(told: dict[str, Any]) -> None:
    sys.stdout.write(orjson.dumps(told).decode() + "\n")
    sys.stdout.flush()
