"""The commands that the pages offer, and what each is run with here."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
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
IMPORTED = {command for after in RECORDINGS.values() for command in after}
TABLE = {
    *(*SHORTENED, *ACCEPTED, TRIED, FAULTS, *VENUES, *WATCHERS, *BOOKS, CLIENT, *SHELL, REPRODUCER, ACTIVATE, LOG),
    *(*RECORDINGS, *IMPORTED, *DOCTORS, *DRILLS, LIVE_DOCTOR, LIVE_VENUE, TAPES),
}


def blocks(page: Path, language: str) -> list[str]:
    """The blocks of code in this language on a page."""
    return re.findall(rf"^```{language}\n(.*?)^```$", page.read_text(), re.DOTALL | re.MULTILINE)


def documented() -> list[str]:
    """All but those of three pages, which tests/shadow/rollout/test_runbook.py, monitoring and attach run."""
    pages = [page for page in PAGES if page.name not in ("runbook.md", "monitoring.md", "tap.md")]
    lines = (line for page in pages for block in blocks(page, "console") for line in block.splitlines())
    return list(dict.fromkeys(line.removeprefix("$ ") for line in lines if line.startswith("$ ")))
