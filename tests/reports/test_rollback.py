"""The page after a rollback: what it shows of the files, what it leaves to a person, whatever names the files bring."""

from __future__ import annotations

import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import msgspec
import pytest

from reports.aftermath import Aftermath, JournalLine, OpenTrigger, UnitSplit
from reports.rollback import render
from reports.suspects import is_of

from .conftest import AT_S, BOOK, rollback_sample

MakeRun = Callable[[str], Path]
CHECKLIST = (
    "Root cause analysis of issues",
    "Performance profiling to identify bottlenecks",
    "Architectural review if fundamental issues found",
    "Timeline for retry with fixes",
)


@pytest.fixture
def pages(tmp_path: Path) -> Callable[[Aftermath], tuple[str, str]]:
    """HTML and Markdown of what is given."""

    def both(found: Aftermath) -> tuple[str, str]:
        (tmp_path / "rollback.json").write_bytes(msgspec.json.encode(found))
        html = render(tmp_path)
        return html.read_text("utf-8"), (tmp_path / "rollback.md").read_text("utf-8")

    return both


Pages = Callable[[Aftermath], tuple[str, str]]


@pytest.mark.checklist("R.10", "R.11", "R.12", "R.13")
def test_it_shows_cause_split_evidence_and_the_checklists_four_lines(pages: Pages, make_run: MakeRun) -> None:
    run = make_run("roll_back")
    html, text = pages(rollback_sample(str(run)))
    for page in (html, text):
        assert "Taken back: Functionality trigger" in page
        assert "functionality: 3 events are missing" in page
        assert "2027-01-15 08:00:00 UTC" in page
        assert all(line in page for line in CHECKLIST)
        assert "wait 540 s more" in page
        assert f"{run}/reproducer/" in page or f"shadow reproduce {run}" in page
    assert re.findall(r"^- \[ \] \*\*(.+)\*\*$", text, re.MULTILINE) == list(CHECKLIST)
    assert text.count("- Finding: ") == html.count("<div>Finding</div>") == 4


def test_the_split_names_stage_and_side_before_and_now(pages: Pages, make_run: MakeRun) -> None:
    _, text = pages(rollback_sample(str(make_run("roll_back"))))
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines() if BOOK[:11] in line]
    wanted = [cell.replace("_", "&#95;") for cell in (BOOK, "desk", "canary", "new", "shadow", "legacy")]
    assert wanted in rows


def test_suspects_stand_with_the_worst_first(pages: Pages, make_run: MakeRun) -> None:
    _, text = pages(rollback_sample(str(make_run("roll_back"))))
    table = text.partition("**Metrics, most suspect first**")[2].partition("**Profile**")[0]
    verdicts = [line.split("|")[2].strip() for line in table.splitlines() if line.startswith("|")][2:]
    assert verdicts[0] == "REGRESSION"
    order = ["REGRESSION", "HOLD", "PASS"]
    assert verdicts == sorted(verdicts, key=order.index)
    assert "NOT&#95;JUDGED" not in table
    lows = [float(found) for found in re.findall(r"REGRESSION .*?&#91;([\d.]+),", table)]
    assert lows == sorted(lows, reverse=True)
    named = re.findall(r"Suspect: .*", text.partition("**Post-rollback analysis**")[2])
    assert named
    assert all("PASS" not in line for line in named)


def test_a_metric_that_was_not_judged_is_no_suspect(
    pages: Pages, make_run: MakeRun, edit: Callable[[Path, Callable[[Any], None]], None]
) -> None:
    run = make_run("roll_back")

    def unjudge(verdict: Any) -> None:
        for metric in verdict["metrics"][1:]:
            metric["verdict"] = "NOT_JUDGED"
        verdict["metrics"][0]["verdict"] = "HOLD"

    edit(run / "verdict.json", unjudge)
    _, text = pages(rollback_sample(str(run)))
    table = text.partition("**Metrics, most suspect first**")[2].partition("**Profile**")[0]
    assert [line.split("|")[2].strip() for line in table.splitlines() if line.startswith("|")][2:] == ["HOLD"]


def test_the_first_bad_event_is_that_of_the_lowest_frame_of_new(
    pages: Pages, make_run: MakeRun, edit: Callable[[Path, Callable[[Any], None]], None]
) -> None:
    run = make_run("roll_back")

    def add(analysis: Any) -> None:
        one = {"code": "FIELD", "connection": "gateio.spot.public", "type": "trade", "leg": "main"}
        analysis["samples"] += [
            one | {"side": "legacy", "frame_no": 1},
            one | {"side": "new", "frame_no": 2, "leg": "aa1"},
            one | {"side": "new", "frame_no": 3, "expected": "1.5", "delivered": "1.6", "field": "price"},
        ]

    edit(run / "analysis.json", add)
    html, _ = pages(rollback_sample(str(run)))
    assert "frame 3: FIELD gateio.spot.public trade price; expected 1.5; delivered 1.6" in html


def test_without_a_session_it_says_so_and_invents_nothing(pages: Pages) -> None:
    html, text = pages(rollback_sample(""))
    for page in (html, text):
        assert "no session had compared these units before" in page
        assert "No figures: no session before the rollback judged them" in page
    assert "Metrics, most suspect first: no session before the rollback" in html


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"journal_is_whole": False}, "shadow journal verify"),
        ({"split": []}, "no consumer has told what it serves"),
        ({"is_fresh": False}, "desk has no heartbeat"),
        ({"has_applied": False}, "desk has not applied generation 7 yet"),
        ({"serves_now": "new"}, f"desk: new still serves {BOOK}"),
    ],
)
def test_what_is_not_done_or_not_known_stands_above_all(changes: dict[str, Any], says: str, pages: Pages) -> None:
    clean = rollback_sample("")
    assert "Not done yet" not in pages(clean)[0]
    field = next(iter(changes))
    if field in UnitSplit.__struct_fields__:
        changes = {"split": [msgspec.structs.replace(clean.split[0], **changes)]}
    html, text = pages(msgspec.structs.replace(clean, **changes))
    assert says in html.partition("What happened")[0]
    assert "\n> " in text


def test_one_by_hand_and_a_rehearsal_are_named_so(pages: Pages) -> None:
    html, _ = pages(rollback_sample("", trigger="", why="by ada", rehearsal=True))
    assert "Taken back: by hand" in html
    assert "no trigger: a person decided" in html
    assert "this was no production rollback" in html


class Tags(HTMLParser):
    """Names of all elements, in their order; those that are open."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[str] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, _: Any) -> None:
        self.seen.append(tag)
        if tag not in ("meta", "wbr"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_hostile_words_of_files_stay_words(pages: Pages) -> None:
    evil = "<script>x</script>`|[a](http://b)\u202e"
    found = rollback_sample(
        "",
        why=evil,
        units=[evil],
        rules_before=[evil],
        split=[UnitSplit(evil, evil, "canary", "new", "shadow", "new", is_fresh=False, has_applied=False)],
        still_open=[OpenTrigger("memory", "*", evil)],
        latches=[evil],
        journal=[JournalLine(1, AT_S, evil, evil)],
    )
    html, text = pages(found)
    tags = Tags()
    tags.feed(html)
    assert tags.open == []
    assert "script" not in tags.seen
    for page in (html, text):
        assert "<script" not in page
        assert "\u202e" not in page
    assert "](http" not in text


def test_what_e_bh_ranks_comes_first_and_metrics_of_the_units_are_marked(
    pages: Pages, make_run: MakeRun, edit: Callable[[Path, Callable[[Any], None]], None]
) -> None:
    run = make_run("roll_back")
    tests = [
        {"id": "cpu.per_message", "ln_e": 3.25, "fires_at": 9.5, "suspect": None},
        {"id": "latency.mexc.spot.public.typical", "ln_e": 11.5, "fires_at": 9.5, "suspect": 1},
        {"id": "differences.gateio.spot.public", "ln_e": 20.5, "fires_at": 9.5, "suspect": 0},
    ]
    edit(run / "analysis.json", lambda analysis: analysis.update(sequential=tests))
    metrics = [{"id": tests[0]["id"], "verdict": "PASS"}, {"id": tests[1]["id"], "verdict": "HOLD"}]
    edit(run / "verdict.json", lambda verdict: verdict.update(metrics=metrics))
    _, text = pages(rollback_sample(str(run)))
    table = text.partition("**Metrics, most suspect first**")[2].partition("**Profile**")[0]
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in table.splitlines() if line.startswith("|")][2:]
    assert [(row[0].replace("&#95;", "_"), row[5], row[6], row[7]) for row in rows[:2]] == [
        ("differences.gateio.spot.public", "1", "20.5, fires at 9.50", "yes"),
        ("latency.mexc.spot.public.typical", "2", "11.5, fires at 9.50", "no"),
    ]
    (cpu,) = [row for row in rows if row[0].startswith("cpu.")]
    assert cpu[5:8] == ["-", "3.25, fires at 9.50", "yes"]


@pytest.mark.parametrize(
    ("metric", "unit", "is_its"),
    [
        ("latency.gateio.spot.book.p90", BOOK, True),
        ("latency.gateio.spot.trade.p90", BOOK, False),
        ("service.gateio.spot.public", BOOK, True),
        ("stability.uptime.gateio.futures.public", BOOK, False),
        ("latency.gateio.spot.order.p50", "gateio.spot.private", True),
        ("latency.gateio.spot.public.p50", "gateio.spot.private", False),
        ("latency.mexc.spot.public.p50", "*", True),
        ("memory.level", "gateio.spot.private", True),
    ],
)
def test_a_metric_is_of_a_unit_by_type_connection_or_process(metric: str, unit: str, is_its: bool) -> None:
    assert is_of(metric, [unit]) is is_its
    assert not is_of(metric, [])


@pytest.mark.checklist("R.11")
def test_a_profile_fills_the_line_about_bottlenecks(pages: Pages, make_run: MakeRun) -> None:
    run = make_run("roll_back")
    slow = "exchanges.integrations.gateio.frames:decode"
    _, text = pages(rollback_sample(str(run)))
    assert "No profile was taken in that session" in text.partition("Post-rollback analysis")[2]
    side = {"taken": 100, "busy": 10, "every_s": 0.001, "functions": [], "stacks": []}
    new = side | {"functions": [{"name": slow, "self": 10, "cumulative": 10}], "stacks": [[[slow], 10]]}
    profile = {"asked_by": "performance trigger", "sides": {"legacy": side, "new": new}}
    (run / "profile.json").write_bytes(msgspec.json.encode(profile))
    html, text = pages(rollback_sample(str(run)))
    assert f"Profile: new spends most more in {slow}" in text.partition("Post-rollback analysis")[2]
    assert "No profile was taken" not in html + text
    assert "decoding and routing" in html.partition("Where the time went")[2].partition("</table>")[0]
