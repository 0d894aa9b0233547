"""The pages keep their word: commands run, samples parse, links lead somewhere, examples work."""

from __future__ import annotations

import contextlib
import json
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tomllib
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from unittest.mock import ANY

import pytest

from shadow import cli
from shadow.commands import run as run_command
from shadow.commands.outcome import EXIT_CODES
from shadow.subjects.protocol import read_start
from tests import forked

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md"))]
SUBJECT = 'shadow run --new "python docs/examples/minimal_subject.py" --connections gateio.spot.public'
CLIENT = "python docs/examples/venue_client.py ws://127.0.0.1:8090/ws/v4/"
BOOKS = {
    'curl -s "http://127.0.0.1:8091/api/v4/spot/order_book?currency_pair=BTC_USDT&limit=5&with_id=true"': "id",
    'curl -s "http://127.0.0.1:8091/api/v3/depth?symbol=BTCUSDT&limit=5"': "lastUpdateId",
}
"""Each REST call with the key under which its answer holds the version."""
SHORTENED = {
    "shadow --help": (["--help"], 0),
    "shadow run --feed capture:recorded.session --rate max --json": (
        ["run", "--feed", "capture:{captures}/gateio-spot-2021.session", "--rate", "max", "--json"],
        11,
    ),
    "shadow judge /tmp/my-run": (["judge", "{run}"], None),
    "shadow report /tmp/my-run": (["report", "{run}"], 0),
    "shadow reproduce /tmp/my-run": (["reproduce", "{run}"], 0),
    "shadow soak --rate 10000 --duration 5m --subjects new,legacy": (
        ["soak", "--rate", "500", "--duration", "2.5s", "--subjects", "new"],
        0,
    ),
}
"""Documented command to the words it is run with here, and its exit code; None: that of the run it is about."""
ACCEPTED = (
    "shadow run --duration 65s --out /tmp/my-run",
    SUBJECT,
    SUBJECT.replace("--new", "--legacy"),
    "shadow run --fault close@gateio.spot.public/new:at=5s,code=1006",
    "shadow run --feed live --direct --connections gateio.spot.public,mexc.spot.public",
    'shadow run --legacy "python my_old_stack.py" --new "python my_new_stack.py"',
    'shadow run --new "python -m shadow.subjects.saboteur drop@gateio.spot.public:at=5s twice@mexc.spot.public:at=8s"',
    "shadow run --feed live --connections gateio.spot.public --duration 30s",
    "shadow run --feed live --duration 10m",
)
"""Sessions whose settings are checked, but which are not run."""
TRIED = SUBJECT + " --duration 2s --no-calibration"
WATCHERS = tuple(
    f"python docs/examples/watch_{what}.py {market} venue.json"
    for what in ("market", "account")
    for market in ("gateio.spot", "gateio.futures", "mexc.spot")
)
FAULTS = "shadow faults --out docs/faults.md"
DRILLS = {
    "shadow drill": 9 * 6 + 6 + 6 + 1 + 3 * 6 + 3 + 12,
    "shadow drill --connections gateio.spot.public,mexc.spot.private --seed 7 --json": 9 * 2 + 5 + 3 * 2 + 1 + 4,
}
"""Each drill with the lines of its table."""
VENUES = (
    "shadow venue",
    "shadow venue --ws-port 8090 --rest-port 8091",
    "shadow venue --fault close@gateio.spot.public:at=10s,code=1006",
    "shadow venue --fault drop@mexc.spot.public:at=5s,count=3,type=trade"
    " --fault stall@gateio.spot.public:at=20s,for=3s",
    "shadow venue > venue.json",
)
LIVE_VENUE = "shadow venue --feed live"
TAPES = "shadow record tapes --symbols BTC_USDT,ETH_USDT --duration 40m --max-disk 5GB"
RECORDER, VENUE_REST = "python docs/examples/record_capture.py", "http://127.0.0.1:8091"
RECORDINGS = {
    f"{RECORDER} gateio.spot.public 200 ws://127.0.0.1:8090/ws/v4/"
    f' "{VENUE_REST}/api/v4/spot/order_book?currency_pair=BTC_USDT&limit=100&with_id=true"'
    ' \'{"channel":"spot.order_book_update","event":"subscribe","payload":["BTC_USDT","100ms"]}\''
    ' \'{"channel":"spot.trades","event":"subscribe","payload":["BTC_USDT"]}\' > gateio.jsonl': (
        "shadow import gateio.jsonl gateio.capture",
        "shadow run --feed capture:gateio.capture",
    ),
    f'{RECORDER} mexc.spot.public 200 ws://127.0.0.1:8090/ws "{VENUE_REST}/api/v3/depth?symbol=BTCUSDT&limit=1000"'
    ' \'{"method":"SUBSCRIPTION","params":["spot@public.aggre.depth.v3.api.pb@100ms@BTCUSDT",'
    '"spot@public.aggre.deals.v3.api.pb@100ms@BTCUSDT"]}\' > mexc.jsonl': (
        "shadow import mexc.jsonl mexc.capture --connection mexc.spot.public",
        "shadow run --feed capture:mexc.capture --rate max",
    ),
}
"""Recording to its import and its replay."""
LIVE_DOCTOR = "shadow doctor --live"
DOCTORS = ("shadow doctor", "shadow doctor --duration 5m --rate 2000 --json")
SHELL = ("touch websocket.kill", "rm websocket.kill")
REPRODUCER = "python -m pytest --import-mode=importlib test_reproducer.py"
ACTIVATE = ". .venv/bin/activate"
LOG = "python docs/examples/subject_log.py runs/20261122T100000Z-1 new"
NUMBER = r"-?\d+(\.\d+)?(e-\d+)?"
MARKET_LINES = rf"((buy|sell) {NUMBER} at {NUMBER}, book {NUMBER} / {NUMBER} \({{}}\)\n){{{{5}}}}"
ACCOUNT_LINES = (
    rf"((order \w+ \w+: (buy|sell) {NUMBER} of {NUMBER}|fill of order \w+: (buy|sell) {NUMBER} at {NUMBER}"
    rf"|balance [A-Z]+: {NUMBER} free|position [A-Z]+: {NUMBER})\n){{12}}"
    r"held: \d+ open orders, [1-3] balances, 0 of them stale\n"
)
"""What the examples print."""
IMPORTED = {command for after in RECORDINGS.values() for command in after}
TABLE = {
    *(*SHORTENED, *ACCEPTED, TRIED, FAULTS, *VENUES, *WATCHERS, *BOOKS, CLIENT, *SHELL, REPRODUCER, ACTIVATE, LOG),
    *(*RECORDINGS, *IMPORTED, *DOCTORS, *DRILLS, LIVE_DOCTOR, LIVE_VENUE, TAPES),
}


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", page.read_text(), re.DOTALL | re.MULTILINE)


def documented() -> list[str]:
    """All but those of three pages, which tests/shadow/rollout/test_runbook.py, monitoring and attach run."""
    pages = [page for page in PAGES if page.name not in ("runbook.md", "monitoring.md", "tap.md")]
    lines = (line for page in pages for block in blocks(page, "console") for line in block.splitlines())
    return list(dict.fromkeys(line.removeprefix("$ ") for line in lines if line.startswith("$ ")))


def shadow(words: list[str], cwd: Path) -> subprocess.CompletedProcess[str]:
    return forked.shadow(*words, cwd=cwd, timeout_s=50)


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A working directory with the examples at the place that the pages name."""
    folder = tmp_path_factory.mktemp("desk")
    shutil.copytree(ROOT / "docs" / "examples", folder / "docs" / "examples")
    return folder


@pytest.fixture(scope="module")
def tried(desk: Path) -> Path:
    """The run directory of the session that subjects.md offers for a first try."""
    answer = shadow([*shlex.split(TRIED)[1:], "--out", "tried"], desk)
    assert answer.returncode == tried_code(desk / "tried"), answer.stderr
    return desk / "tried"


def tried_code(run: Path) -> int:
    """HOLD or, as the page says of an example that is slower than legacy, ROLL BACK by its speed alone."""
    verdict = json.loads((run / "verdict.json").read_text())
    assert (verdict["verdict"], verdict["decided_by"]) in (("ROLL_BACK", "performance"), ("HOLD", ANY)), verdict
    return 10 if verdict["verdict"] == "ROLL_BACK" else 11


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


def test_every_documented_command_is_known_and_none_is_stale() -> None:
    commands = {command for command in documented() if not command.startswith("make ")}
    assert commands == TABLE


@pytest.mark.parametrize("command", [command for command in documented() if command.startswith("make ")])
def test_a_documented_make_target_exists(command: str) -> None:
    assert re.search(rf"^{command.split()[1]}:", (ROOT / "Makefile").read_text(), re.MULTILINE)
    answer = subprocess.run([*shlex.split(command), "-n", "-C", str(ROOT)], capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stderr


@pytest.mark.parametrize("command", SHORTENED)
def test_a_documented_command_runs_in_short(command: str, desk: Path, request: pytest.FixtureRequest) -> None:
    words, code = SHORTENED[command]
    for name, fixture in (("run", "tried"), ("captures", "captures")):
        if any(f"{{{name}}}" in word for word in words):
            place = str(request.getfixturevalue(fixture))
            words = [word.replace(f"{{{name}}}", place) for word in words]
    answer = shadow(words, desk)
    code = tried_code(desk / "tried") if code is None else code
    assert answer.returncode == code, answer.stderr
    assert "Traceback" not in answer.stderr
    if "--json" in words:
        assert json.loads(answer.stdout)["schema"] == 1


@pytest.mark.parametrize("command", ACCEPTED)
def test_a_documented_session_is_accepted(command: str, desk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    accept_session(command, desk, monkeypatch)


def accept_session(command: str, desk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []

    def accept(config: Any, *, as_json: bool) -> int:
        asked.append(config)
        return 0

    monkeypatch.setattr(run_command, "_measure_and_judge", accept)
    monkeypatch.chdir(desk)
    assert cli.main(shlex.split(command)[1:]) == 0
    assert len(asked) == 1


def test_the_documented_table_of_faults_is_made_whole_and_written(desk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from shadow.fault_table import run
    from shadow.fault_table.cells import Cell, Observed

    def answer(sessions: Any, *_: Any) -> list[Cell]:
        told = dict.fromkeys(("auth", "connect", "decode", "subscribe"), 1)
        sides = {role: Observed(hits=1, streams=1, errors=told) for role in ("legacy", "new")}
        return [Cell(kind=one.kind, connection=place, sides=sides) for one in sessions for place in one.connections]

    monkeypatch.setattr(run, "run_sessions", answer)
    monkeypatch.chdir(desk)
    assert cli.main(shlex.split(FAULTS)[1:]) == 0
    written, ours = ((place / "docs" / "faults.md").read_text() for place in (desk, ROOT))
    names = [re.findall(r"^\| (\S+) +\| new ", text, re.MULTILINE) for text in (written, ours)]
    assert names[0] == names[1]
    assert len(names[0]) == 21


@pytest.mark.parametrize("command", DRILLS)
def test_a_documented_drill_is_made_whole_and_kept(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from shadow.drill import run
    from shadow.drill.cells import Cell

    def answer(sessions: Any, *_: Any) -> list[Cell]:
        drills = [drill for session in sessions for drill in session.drills]
        return [Cell(drill=one, happened=0, verdict="HOLD", reason="", decided_by="") for one in drills]

    monkeypatch.setattr(run, "run_many", answer)
    monkeypatch.chdir(tmp_path)
    assert cli.main(shlex.split(command)[1:]) == 10
    (kept,) = (tmp_path / "runs" / "drills").glob("*/drill.json")
    record = json.loads(kept.read_text())
    assert [line["result"] for line in record["lines"]] == ["never happened"] * DRILLS[command]
    printed = capsys.readouterr()
    assert printed.err.endswith(f"verdict=FAILED code=10 report={kept.with_name('drill.md').relative_to(tmp_path)}\n")
    assert (json.loads(printed.out) == record) if "--json" in command else ("| never happened |" in printed.out)


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


def test_the_samples_of_a_log_are_lines_of_one(tmp_path: Path) -> None:
    from shadow.importing.log_lines import Kind, read_log

    for sample in blocks(ROOT / "docs" / "capture-format.md", "json"):
        (tmp_path / "log.jsonl").write_text(sample)
        assert [line.kind for line in read_log(tmp_path / "log.jsonl")] == [Kind.FRAME]


def test_the_recorder_is_as_short_as_said() -> None:
    text = (ROOT / "docs" / "examples" / "record_capture.py").read_text()
    code = [line for line in text.splitlines() if line.strip() and not line.startswith(("import", "from", '"""'))]
    assert len(code) <= 20


@pytest.mark.parametrize("command", DOCTORS)
def test_a_documented_doctor_answers_for_this_machine(command: str, desk: Path) -> None:
    answer = shadow(shlex.split(command)[1:], desk)
    page = (ROOT / "docs" / "doctor.md").read_text()
    codes = {word: int(code) for word, code in re.findall(r"^\| (\w+) \| .* \| (\d+) \|$", page, re.MULTILINE)}
    if "--json" in command:
        told = json.loads(answer.stdout)
        levels, names = ([one[key] for one in told["checks"]] for key in ("level", "check"))
        assert told["code"] == answer.returncode
    else:
        found = re.findall(rf"^({'|'.join(codes)}) +(.{{16}}) ", answer.stdout, re.MULTILINE)
        levels, names = [level for level, _ in found], [name.strip() for _, name in found]
    assert answer.returncode == max(codes[level] for level in levels)
    rows = re.findall(r"^\| ([a-z, ]+) \| [^|]+ \|$", page.partition("| check |")[2], re.MULTILINE)
    assert names == [name for row in rows for name in row.split(", ")]


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


def test_the_page_of_a_reproducer_says_how_to_run_it_as_the_docs_do() -> None:
    from shadow.reproducer.case import PAGE

    assert f"$ {REPRODUCER}\n" in PAGE


def test_documented_shell_lines_work(desk: Path) -> None:
    for command in SHELL:
        subprocess.run(shlex.split(command), cwd=desk, check=True)
    assert re.search(r"^VENV := \.venv$", (ROOT / "Makefile").read_text(), re.MULTILINE)


def test_the_log_example_prints_what_was_no_protocol_line(desk: Path) -> None:
    import pyarrow
    from pyarrow import parquet

    from shadow.capture.tables import schema

    words = shlex.split(LOG)
    blank = {"leg": "main", "n": 1, "c": "", "type": "", "symbol": "", "t_read": 1}
    rows = [blank | {"k": "hello", "body": b'{"k":"hello"}'}, blank | {"k": "log", "body": b"no such module"}]
    (desk / words[2] / "events").mkdir(parents=True)
    parquet.write_table(
        pyarrow.Table.from_pylist(rows, schema=schema("events/new")), desk / words[2] / "events" / "new.parquet"
    )
    answer = subprocess.run([sys.executable, *words[1:]], capture_output=True, text=True, cwd=desk, check=True)
    assert answer.stdout == "main: no such module\n"


def test_the_minimal_subject_delivers_every_event(tried: Path) -> None:
    verdict = json.loads((tried / "verdict.json").read_text())
    cells = json.loads((tried / "analysis.json").read_text())["coverage_cells"]
    assert {t["id"]: t["verdict"] for t in verdict["triggers"]}["functionality"] == "PASS"
    assert [d for d in verdict["differences"] if d["side"] != "legacy" and d["severity"] != "info"] == []
    assert verdict["conservation"]["ok"]
    assert {cell["channel"] for cell in cells if cell["matched"]} == {"book", "trade", "book_ticker", "ticker"}
    assert all(cell["matched"] == cell["expected"] for cell in cells)


def test_the_minimal_subject_is_as_short_as_said() -> None:
    text = (ROOT / "docs" / "examples" / "minimal_subject.py").read_text()
    assert len([line for line in text.splitlines() if line.strip()]) <= 50
    assert "shadow" not in re.sub(r'""".*?"""', "", text, flags=re.DOTALL)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_to_files_and_samples_parse(page: Path) -> None:
    for link in re.findall(r"\]\(([^)#\s]+)", page.read_text()):
        assert link.startswith("http") or (page.parent / link).exists(), link
    for sample in blocks(page, "json"):
        json.loads(sample)
    for sample in blocks(page, "python"):
        compile(sample, str(page), "exec")


def test_the_start_line_sample_is_one() -> None:
    (sample,) = blocks(ROOT / "docs" / "subjects.md", "json")
    start = read_start(sample.replace("\n", " ").encode())
    assert [spec.id for spec in start.connections] == ["gateio.spot.public"]
    assert start.protocol == 1


@pytest.fixture
def flags(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The place of the flag file, empty so far; no kill file."""
    monkeypatch.setenv("WS_SHADOW_FLAGS", str(tmp_path / "flags.json"))
    monkeypatch.setenv("WS_SHADOW_KILL", str(tmp_path / "websocket.kill"))
    return tmp_path / "flags.json"


def stack_of(name: str) -> str:
    """The top package of the stack that a caller gets."""
    from exchanges.structs import ExchangeConfig, ParsedMessage
    from infrastructure.networking.websocket.utils import create_websocket_manager

    async def handler(message: ParsedMessage) -> None:
        """Nothing is connected."""

    url, rest = "ws://127.0.0.1:1/", "http://127.0.0.1:1/api/v4"
    config = ExchangeConfig(name, base_url=rest, websocket_url=url)
    module = type(create_websocket_manager(config, message_handler=handler)).__module__
    return "both" if module.endswith(".dual_run") else module.partition(".")[0]


def test_the_flag_sample_flips_mexc_and_nothing_else(flags: Path) -> None:
    from infrastructure.networking.websocket.migration.stage import Stage, stage_of

    sample, _ = blocks(ROOT / "docs" / "flag.md", "json")
    assert (stack_of("MEXC_SPOT"), stack_of("GATEIO_SPOT")) == ("legacy", "legacy")
    flags.write_text(sample)
    assert stage_of("mexc", "spot")[0] is Stage.COMPLETE
    assert stage_of("gateio", "spot")[0] is Stage.OFF
    assert (stack_of("MEXC_SPOT"), stack_of("GATEIO_SPOT")) == ("infrastructure", "legacy")
    flags.with_name("websocket.kill").touch()
    assert stack_of("MEXC_SPOT") == "legacy"


def test_the_flag_table_tells_which_stacks_are_behind_the_manager(flags: Path) -> None:
    sample, _ = blocks(ROOT / "docs" / "flag.md", "json")
    rows = re.findall(r"^\| `(\w+)` \| [^|]+ \| ([a-z ]+) \|$", (ROOT / "docs" / "flag.md").read_text(), re.MULTILINE)
    assert [variant for variant, _ in rows] == list(json.loads(sample)["flags"]["websocket-stack"]["variants"])
    for variant, connected in rows:
        content = json.loads(sample)
        content["flags"]["websocket-stack"] |= {"defaultVariant": variant, "targeting": {}}
        flags.write_text(json.dumps(content))
        stacks = {"legacy": "legacy", "new": "infrastructure", "legacy and new": "both"}
        assert stack_of("GATEIO_SPOT") == stacks[connected], variant


def test_the_flag_sample_of_a_share_takes_a_tenth_of_the_units(flags: Path) -> None:
    from infrastructure.networking.websocket.migration.stage import Stage, stage_of

    _, sample = blocks(ROOT / "docs" / "flag.md", "json")
    flags.write_text(sample)
    assert stack_of("GATEIO_SPOT") == "both"
    stages = [stage_of("gateio", "spot", channel="book", symbol=f"S{number}_USDT")[0] for number in range(200)]
    assert set(stages) == {Stage.SHADOW, Stage.CANARY}
    assert 8 <= stages.count(Stage.CANARY) <= 35


def test_the_readme_names_the_real_codes() -> None:
    rows = re.findall(r"^\| ([A-Z ]+) \| (\d+) \|", (ROOT / "README.md").read_text(), re.MULTILINE)
    assert {word.replace(" ", "_"): int(code) for word, code in rows} == EXIT_CODES


def test_the_changelog_begins_with_this_version() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    dated = re.findall(r"^## (\S+), (\d{4}-\d{2}-\d{2})$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert dated[0][0] == version


def test_the_picture_is_small() -> None:
    assert 10_000 < (ROOT / "docs" / "report.png").stat().st_size < 250_000
