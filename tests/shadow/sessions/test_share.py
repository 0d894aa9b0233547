"""`shadow report --share`: of a session with accounts nothing that belongs to an account leaves the house."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from shadow.capture.manifest import verify_derived, verify_raw
from tests.forked import shadow

pytestmark = pytest.mark.timeout(480)
SHARED = ("report-share.html", "report-share.md", "junit-share.xml")
PRIVATE = ("order", "fill", "balance", "position")
DISTINCT = 8
"""Shorter values may stand in a report by chance: counts, milliseconds, coordinates."""
Live = dict[str, tuple[Path, tuple[int, dict[str, Any], str]]]


def leaves(value: Any, name: str = "") -> Iterator[tuple[str, str]]:
    """Every number and text with the name of its field."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield from leaves(item, key)
    elif isinstance(value, list):
        for item in value:
            yield from leaves(item, name)
    elif isinstance(value, (int, float, str)) and not isinstance(value, bool):
        yield name, str(value)


def account_values(run: Path, told: Path) -> set[str]:
    """What the frames and events of the run say of its accounts, and the account's own names and keys."""
    found: set[str] = set()
    frames = pq.read_table(run / "frames.parquet", columns=["payload", "is_text", "kind"]).to_pylist()
    texts = [row["payload"] for row in frames if row["is_text"] and row["kind"] == "ws"]
    lines = [
        line
        for role in ("legacy", "new")
        for line in pq.read_table(run / "events" / f"{role}.parquet")["body"].to_pylist()
        if b'"k":"event"' in line or b'"k": "event"' in line
    ]
    own_times = {"t", "recv", "dequeued", "decoded", "routed"}
    for text in (*texts, *lines):
        found |= {value for name, value in leaves(json.loads(text)) if name not in own_times}
    found |= {secret for _, secret in map(json.loads, told.read_text().splitlines())}
    return {value for value in found if len(value) >= DISTINCT and re.search(r"\d", value)}


def spoil(lines: list[bytes]) -> list[bytes]:
    """Of each stream one event left out, one altered and one twice; errors that speak of the account, and coded too."""
    out: list[bytes] = []
    seen: dict[tuple[str, str], int] = {}
    for line in lines:
        event = json.loads(line) if line.startswith(b"{") else {}
        stream = event.get("c", ""), event.get("type", "")
        seen[stream] = number = seen.get(stream, 0) + 1
        if event.get("k") != "event" or number not in (20, 30, 40, 50):
            out.append(line)
        elif number == 30:
            field = next(name for name in ("price", "free", "entry_price") if name in event)
            out.append(json.dumps(event | {field: 12345.678912}).encode())
        elif number == 40:
            out += [line, line]
        elif number == 50:
            code = base64.b64encode(line).decode()
            words = f"cannot book {event.get('id')} of {event.get('ts')}: {line.hex()} {code}"
            told = {"k": "error", "c": event["c"], "t": event["t"], "kind": "internal", "message": words}
            out += [line, json.dumps(told).encode()]
    return out


def shown(run: Path, name: str, unfolded: Callable[[bytes], bytes], values: set[str]) -> set[str]:
    text = unfolded((run / name).read_bytes())
    beginnings = {text[at : at + DISTINCT] for at in range(len(text))}
    coded = {value.encode(): value for value in values}
    return {value for raw, value in coded.items() if raw[:DISTINCT] in beginnings and raw in text}


def test_no_value_of_an_account_is_in_the_shared_report_and_the_unshared_one_has_them(
    live: Live,
    damaged_copy: Callable[[Path, Any], Path],
    unfolded: Callable[[bytes], bytes],
) -> None:
    folder, _ = live["an account"]
    run = damaged_copy(folder, spoil)
    assert shadow("judge", str(run), cwd=run.parent, timeout_s=100).returncode == 10
    before = {path.name: path.read_bytes() for path in run.iterdir() if path.is_file()}
    answer = shadow("report", str(run), "--share", cwd=run.parent, timeout_s=100)
    assert (answer.returncode, answer.stderr) == (0, f"report {run / 'report-share.html'}\n")

    values = account_values(run, folder.parent / "secrets")
    assert len(values) > 2000
    open_ones = shown(run, "report.html", unfolded, values)
    assert len(open_ones) > 100
    for name in SHARED:
        assert shown(run, name, unfolded, values) == set(), name
    page = (run / SHARED[0]).read_text()
    assert len(set(re.findall("‹[a-z]{12}›", page))) > 50
    assert "MISSING" in page
    assert {name: (run / name).read_bytes() for name in before} == before
    verify_raw(run)
    verify_derived(run)
