"""The index of sessions: every run is a row, whatever became of it; same bytes; hostile names stay text."""

from __future__ import annotations

import json
import os
import re
import shutil
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest

from reports.index import render_index

Edit = Callable[[Path, Callable[[Any], None]], None]
MakeRun = Callable[[str], Path]
MakeHistory = Callable[..., Path]
HOSTILE = "<img src=x onerror=alert(1)>\"'&$x^2$|`@all`\u202e\x1b[31m]]>"


class Index(HTMLParser):
    """Rows of the table of sessions as texts by column, links, badges, tags."""

    def __init__(self, page: Path) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self.badges: list[str] = []
        self.links: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self._in_cell = False
        self.feed(page.read_text("utf-8"))
        self.rows = [[cell.strip() for cell in row] for row in self.rows]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.tags.append((tag, found))
        if tag == "tr":
            self.rows.append([])
        if tag in ("th", "td"):
            self.rows[-1].append("")
            self._in_cell = True
        if (found.get("class") or "").startswith("badge"):
            self.badges.append((found["class"] or "").partition(" ")[2])
        if tag == "a":
            self.links.append(found["href"] or "")

    def handle_endtag(self, tag: str) -> None:
        self._in_cell = self._in_cell and tag not in ("th", "td")

    def handle_data(self, data: str) -> None:
        self.text += data
        if self._in_cell:
            self.rows[-1][-1] += data

    @property
    def reports(self) -> list[str]:
        return [link for link in self.links if not link.startswith("#")]


def index_of(folder: Path, *places: Path) -> Index:
    return Index(render_index(places, folder))


def place(run: Path, runs: Path, name: str) -> Path:
    runs.mkdir(exist_ok=True)
    return run.rename(runs / name)


def test_a_session_is_a_row_with_its_facts_newest_first(make_run: MakeRun, edit: Edit, tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    old, new = place(make_run("roll_back"), runs, "old"), place(make_run("ship"), runs, "new")
    edit(old / "session.json", lambda session: session.update(started_utc="2026-11-21T23:59:59+02:00"))
    edit(new / "session.json", lambda session: session["commands"].update(legacy="(own legacy)", new="./mine --fast"))
    (new / "report.html").write_text("the report")
    index = index_of(tmp_path, runs)
    _, first, second = index.rows
    assert (first[0], second[0]) == ("2026-11-22 10:15:00 UTCnew", "2026-11-21 21:59:59 UTCold: no report")
    assert (first[1][:4], second[1][:9]) == ("SHIP", "ROLL BACK")
    assert index.badges[:2] == ["b-SHIP", "b-ROLL_BACK"]
    assert first[2].replace("\u202f", " ") == "sim, 600 messages/s65.0 s; grade quick"
    assert first[3] == "gateio.spot.public, mexc.spot.public"
    assert first[4] == "./mine --fastagainst own legacy; ws-shadow 0.1.0"
    assert (first[5], second[5]) == ("no trigger fired", "Functionality trigger (MISSING)")
    verdict = json.loads((old / "verdict.json").read_text())
    ratio = next(m["ratio"] for m in verdict["metrics"] if m["id"] == "service.gateio.spot.public")
    assert second[6] == "service.gateio.spot.public[{low:.3f}, {best:.3f}, {high:.3f}]".format(**ratio)
    assert second[7].replace("\u202f", "") == "39807 / 39812"
    assert [(tmp_path / link).read_text() for link in index.reports] == ["the report"]


def test_a_damaged_or_unfinished_run_is_a_row_that_says_so(make_run: MakeRun, edit: Edit, tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    cut = place(make_run("ship"), runs, "20261101T000001Z-cut")
    (cut / "verdict.json").write_bytes((cut / "verdict.json").read_bytes()[:400])
    (cut / "session.json").unlink()
    place(make_run("interrupted"), runs, "20261101T000002Z-stopped")
    (runs / "20261101T000003Z-begun" / "frames").mkdir(parents=True)
    junk = place(make_run("not_fit"), runs, "20261101T000004Z-junk")
    for name in ("session.json", "manifest.json"):
        (junk / name).write_text("[" * 100_000)
    (runs / "no run at all").mkdir()
    (runs / "notes.txt").write_text("nothing")
    rows = {row[0].partition("Z-")[2].partition(":")[0]: row for row in index_of(tmp_path, runs).rows[1:]}
    assert set(rows) == {"cut", "stopped", "begun", "junk"}
    assert rows["cut"][0].startswith("2026-11-01 00:00:01 UTC")
    for name, says in (
        ("cut", ("NO VERDICT", "session.json is missing", "verdict.json cannot be used")),
        ("stopped", ("HOLD", "the run was interrupted: SIGINT after 21.4 s")),
        ("begun", ("NO VERDICT", "still running, or was cut off")),
        ("junk", ("NOT FIT", "session.json cannot be used", "manifest.json cannot be used")),
    ):
        assert [part for part in says if part not in rows[name][1]] == []
    load, stacks = "no data, no data messages/sno data; grade no data", "no dataagainst no data; ws-shadow no data"
    assert rows["begun"][2:] == [load, "no data", stacks, "no data", "no data", "no data"]
    assert "Nothing" in index_of(tmp_path, runs).text


def test_folders_that_are_not_there_or_hold_nothing_give_an_empty_page(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    index = index_of(tmp_path, tmp_path / "empty", tmp_path / "nowhere", tmp_path / "index.md")
    assert "Sessions: none found" in index.text
    assert "Trends: no data" in index.text


def test_a_run_given_twice_is_one_row(make_run: MakeRun, tmp_path: Path) -> None:
    run = place(make_run("ship"), tmp_path / "runs", "one")
    (tmp_path / "runs" / "link").symlink_to(run)
    assert len(index_of(tmp_path, tmp_path / "runs", run, tmp_path / "runs" / ".." / "runs").rows) == 2


def test_same_input_gives_same_bytes_in_another_process_and_place(
    make_history: MakeHistory, edit: Edit, tmp_path: Path
) -> None:
    runs = make_history([0.6, 0.62, 0.9])
    edit(min(runs.iterdir()) / "session.json", lambda session: session.update(started_utc="2026-11-01T10:15:00"))
    tree = runs.parent
    render_index([runs], tree)
    twin = tmp_path / "elsewhere" / "other name"
    shutil.copytree(runs, twin / runs.name)
    script = "import sys; from pathlib import Path; from reports.index import render_index; p = Path(sys.argv[1]); "
    script += "render_index([p / sys.argv[2]], p)"
    root = str(Path(__file__).parents[2])
    words = [sys.executable, "-c", script, str(twin), runs.name]
    subprocess.run(words, check=True, cwd=root, env={"PYTHONHASHSEED": "99", "TZ": "Asia/Tokyo"})
    for name in ("index.html", "index.md"):
        assert (tree / name).read_bytes() == (twin / name).read_bytes(), name


def poison(value: Any) -> Any:
    if isinstance(value, str):
        return value if value in ("SHIP", "performance", "quick") else HOSTILE + value
    if isinstance(value, list):
        return [poison(item) for item in value]
    return {key: poison(item) for key, item in value.items()} if isinstance(value, dict) else value


def test_hostile_strings_stay_text_and_links_stay_links(make_history: MakeHistory) -> None:
    runs = make_history([0.6, 0.62])
    for number, run in enumerate(sorted(runs.iterdir())):
        for name in ("session.json", "verdict.json"):
            content = poison(json.loads((run / name).read_text()))
            (run / name).write_text(json.dumps(content))
        (run / "report.html").write_text("the report")
        (run / "manifest.json").write_text(json.dumps({"interrupted": HOSTILE}))
        run.rename(runs / ("javascript:alert(1)" if number else HOSTILE.replace("/", "")))
    (runs / os.fsdecode(b"caf\xe9 %41)")).mkdir()
    (runs / os.fsdecode(b"caf\xe9 %41)") / "session.json").write_text("{}")
    index = index_of(runs, runs)
    assert {tag for tag, _ in index.tags} & {"img", "script"} == set()
    assert not [name for _, attrs in index.tags for name in attrs if name.startswith("on")]
    assert len(index.reports) == 2
    for link in index.reports:
        assert ":" not in link
        assert (runs / unquote(link)).read_text() == "the report"
    for name in ("index.html", "index.md"):
        text = (runs / name).read_text("utf-8")
        assert "\u202e" not in text
        assert "\x1b" not in text
    markdown = re.sub(r"`[^`\n]*`", "", (runs / "index.md").read_text("utf-8"))
    assert "<img" not in markdown
    assert "@all" not in markdown


@pytest.mark.parametrize("leaf", [None, float("nan"), float("inf"), 0, -1.0, 1e300, "text", [], {}])
def test_any_figure_may_be_missing_or_absurd(make_history: MakeHistory, leaf: Any) -> None:
    def holes(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: holes(item) for key, item in value.items()}
        if isinstance(value, list):
            return [holes(item) for item in value]
        return value if isinstance(value, (str, bool)) or value is None else leaf

    runs = make_history([0.6, 0.62, 0.61])
    for run in runs.iterdir():
        for name in ("session.json", "verdict.json"):
            (run / name).write_text(json.dumps(holes(json.loads((run / name).read_text()))))
    index = index_of(runs, runs)
    assert len(index.rows) == 4
    assert not {"nan", "inf", "None"} & set(index.text.replace(",", " ").split())


def test_the_page_is_its_owners_alone_and_loads_nothing(make_history: MakeHistory) -> None:
    runs = make_history([0.6, 0.62])
    index = index_of(runs, runs)
    modes = [stat.S_IMODE((runs / name).stat().st_mode) for name in ("index.html", "index.md")]
    assert modes == [0o600, 0o600]
    ids = [str(attrs["id"]) for _, attrs in index.tags if "id" in attrs]
    assert len(ids) == len(set(ids))
    assert {link[1:] for link in index.links if link.startswith("#")} <= set(ids)
    assert not [attrs for _, attrs in index.tags if "src" in attrs]
    assert sorted(path.name for path in runs.iterdir() if path.is_file()) == ["index.html", "index.md"]


def test_markdown_has_a_line_for_each_session_and_what_the_rule_points_out(make_history: MakeHistory) -> None:
    runs = make_history([0.6, 0.58, 0.62, 0.61, 0.59, 0.66, 0.72, 0.69])
    (max(runs.iterdir()) / "report.html").write_text("the report")
    render_index([runs], runs.parent)
    text = (runs.parent / "index.md").read_text("utf-8")
    lines = [line for line in text.splitlines() if line.startswith("| 2026")]
    assert len(lines) == 8
    assert lines[0].startswith("| 2026-11-08 10:15:00 UTC [20261108T101500Z-1](runs/20261108T101500Z-1/report.html) |")
    assert "- gateio.spot.public: typical latency: each of the last 3 sessions" in text
    assert all(line.count("|") == 9 for line in lines)


def test_two_hundred_sessions_take_well_under_a_third_of_a_second(make_history: MakeHistory) -> None:
    runs = make_history([0.6 + number / 10_000 for number in range(200)])
    began = time.process_time()
    index = index_of(runs, runs)
    assert time.process_time() - began < 0.3
    assert len(index.rows) == 201
