"""What the pages say of the venue: it serves, is recorded from, looked at, and watched by the examples."""

from __future__ import annotations

import contextlib
import json
import re
import shlex
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from .conftest import accept_session, shadow
from .documented import BOOKS, CLIENT, LIVE_DOCTOR, LIVE_VENUE, RECORDINGS, ROOT, TAPES, VENUES, WATCHERS, blocks

NUMBER = r"-?\d+(\.\d+)?(e-\d+)?"
MARKET_LINES = rf"((buy|sell) {NUMBER} at {NUMBER}, book {NUMBER} / {NUMBER} \({{}}\)\n){{{{5}}}}"
ACCOUNT_LINES = (
    rf"((order \w+ \w+: (buy|sell) {NUMBER} of {NUMBER}|fill of order \w+: (buy|sell) {NUMBER} at {NUMBER}"
    rf"|balance [A-Z]+: {NUMBER} free|position [A-Z]+: {NUMBER})\n){{12}}"
    r"held: \d+ open orders, [1-3] balances, 0 of them stale\n"
)
"""What the examples print."""


@contextlib.contextmanager
def serving(words: list[str], cwd: Path) -> Iterator[dict[str, Any]]:
    """A venue as documented, on free ports: its ready line. Ctrl-C has to end it with code 0 and no complaint."""
    free = list(words)
    for option in {"--ws-port", "--rest-port"} & set(words):
        free[words.index(option) + 1] = "0"
    program = [sys.executable, "-m", "shadow.cli", *free]
    with subprocess.Popen(program, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=cwd) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        try:
            yield json.loads(process.stdout.readline())
        finally:
            process.send_signal(signal.SIGINT)
            complaint = process.stderr.read()
        assert (process.wait(timeout=30), complaint) == (0, "")


@pytest.fixture(scope="module")
def venue(desk: Path) -> Iterator[dict[str, Any]]:
    with serving(shlex.split(VENUES[1])[1:], desk) as ready:
        yield ready


def here(command: str, ready: dict[str, Any]) -> list[str]:
    """A command with the documented ports replaced by those of the running venue."""
    ws, rest = (
        ready[kind]["mexc" + suffix].split(":")[2].partition("/")[0] for kind, suffix in (("ws", ".spot"), ("rest", ""))
    )
    return shlex.split(command.replace("8090", ws).replace("8091", rest))


@pytest.mark.parametrize("command", VENUES)
def test_a_documented_venue_serves_until_stopped(command: str, desk: Path) -> None:
    (sample,) = (json.loads(block) for block in blocks(ROOT / "docs" / "venue.md", "json"))
    with serving(shlex.split(command.partition(" > ")[0])[1:], desk) as ready:
        assert shape(ready) == shape(sample)


def shape(value: Any) -> Any:
    """Keys without values, addresses without ports."""
    if isinstance(value, dict):
        return {key: shape(inner) for key, inner in value.items()}
    return re.sub(r":\d+", "", value) if "://" in str(value) else type(value)


def test_the_client_example_prints_trades_of_the_documented_venue(venue: dict[str, Any], desk: Path) -> None:
    words = [sys.executable, *here(CLIENT, venue)[1:]]
    answer = subprocess.run(words, capture_output=True, text=True, cwd=desk, timeout=20, check=True)
    assert re.fullmatch(r"(\d+(\.\d+)? (buy|sell)\n){5}", answer.stdout)


@pytest.mark.parametrize("command", RECORDINGS)
def test_a_documented_recording_is_imported_and_accepted_as_a_feed(
    command: str, venue: dict[str, Any], desk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program, _, log = command.partition(" > ")
    words = here(program.replace(" 200 ", " 40 "), venue)
    with (desk / log).open("wb") as file:
        subprocess.run([sys.executable, *words[1:]], stdout=file, cwd=desk, timeout=30, check=True)
    bring, replay = RECORDINGS[command]
    answer = shadow(shlex.split(bring)[1:], desk)
    assert answer.returncode == 0, answer.stderr
    assert "order books: BTC_USDT at " in answer.stderr
    accept_session(replay, desk, monkeypatch)


@pytest.fixture
def upstream(venue: dict[str, Any], desk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The documented venue plays the exchange, as docs/live.md says."""
    (desk / "venue.json").write_text(json.dumps(venue) + "\n")
    monkeypatch.setenv("WS_SHADOW_UPSTREAM", "venue.json")


@pytest.mark.usefixtures("upstream")
def test_the_documented_recording_of_the_live_feed_can_be_played(desk: Path) -> None:
    from shadow.venue.sources.capture import load_capture

    answer = shadow(shlex.split(TAPES.replace("40m", "1s"))[1:], desk)
    assert answer.returncode == 0, answer.stderr
    played = [load_capture(path) for path in (desk / "tapes").iterdir()]
    assert sorted(one.connections[0] for one in played) == [
        "gateio.futures.public",
        "gateio.spot.public",
        "mexc.spot.public",
    ]
    assert {one.symbols for one in played} <= {("BTC_USDT", "ETH_USDT"), ("ETH_USDT", "BTC_USDT")}


@pytest.mark.usefixtures("upstream")
def test_the_documented_live_venue_serves_what_it_is_sent(venue: dict[str, Any], desk: Path) -> None:
    with serving(shlex.split(LIVE_VENUE)[1:], desk) as ready:
        assert set(ready["ws"]) == {"gateio.spot", "gateio.futures", "mexc.spot"}
        words = [sys.executable, *here(CLIENT, ready)[1:]]
        answer = subprocess.run(words, capture_output=True, text=True, cwd=desk, timeout=20, check=True)
        assert re.fullmatch(r"(\d+(\.\d+)? (buy|sell)\n){5}", answer.stdout)


def test_the_documented_look_at_the_exchanges_is_taken_at_a_second_venue(
    desk: Path, venue: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    (desk / "upstream.json").write_text(json.dumps(venue))
    monkeypatch.setenv("WS_SHADOW_UPSTREAM", str(desk / "upstream.json"))
    answer = shadow([*shlex.split(LIVE_DOCTOR)[1:], "--json"], desk)
    found = {one["check"]: one["level"] for one in json.loads(answer.stdout)["checks"]}
    page = (ROOT / "docs" / "doctor.md").read_text()
    rows = re.findall(
        r"^\| ([a-z, ]+) \| [^|]+ \|$", page.partition("| live check |")[2].partition("\n\n")[0], re.MULTILINE
    )
    live = [name for row in rows for name in row.split(", ")]
    assert list(found)[-len(live) :] == live
    assert {name: found[name] for name in live} == {**dict.fromkeys(live, "ok"), "tls": "note"}


@pytest.mark.checklist("4.2.4", "4.2.10")
@pytest.mark.parametrize(("variant", "worth"), [("off", "unproven"), ("complete", "synced")])
def test_the_examples_watch_every_market_and_account_on_either_stack(
    variant: str, worth: str, venue: dict[str, Any], desk: Path, flags: Path
) -> None:
    """Each in a process of its own; what a book is worth tells which stack served."""
    (desk / "venue.json").write_text(json.dumps(venue) + "\n")
    flag = {"state": "ENABLED", "variants": {variant: variant}, "defaultVariant": variant}
    flags.write_text(json.dumps({"flags": {"websocket-stack": flag}}))

    def watch(command: str) -> tuple[str, str, int]:
        words = [sys.executable, *shlex.split(command)[1:]]
        answer = subprocess.run(words, capture_output=True, text=True, cwd=desk, timeout=45, check=False)
        return answer.stdout, answer.stderr, answer.returncode

    with ThreadPoolExecutor(2) as pool:
        answers = dict(zip(WATCHERS, pool.map(watch, WATCHERS), strict=True))
    for command, (said, states, code) in answers.items():
        assert (code, states) == (0, "connecting\nconnected\nclosing\nclosed\n"), command
        assert re.fullmatch(MARKET_LINES.format(worth) if "watch_market" in command else ACCOUNT_LINES, said), said


@pytest.mark.parametrize("command", BOOKS)
def test_a_documented_rest_call_is_answered_with_a_book(command: str, venue: dict[str, Any]) -> None:
    with urllib.request.urlopen(here(command, venue)[-1], timeout=10) as answer:
        book = json.load(answer)
    assert book[BOOKS[command]] > 0
    assert len(book["bids"]) == len(book["asks"]) == 5
