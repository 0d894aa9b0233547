"""The rendered files: same bytes, safe with hostile names, honest about missing data, equal to verdict.json."""

from __future__ import annotations

import hashlib
import html
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from reports.session import render

from .fixtures.build import run_directory

OUTPUTS = ("report.html", "report.md", "junit.xml")
TWINS = ("ship", "interrupted")
RENDER_ALL = """
import sys
from pathlib import Path
from reports.session import render
for run in sys.argv[1:]:
    render(Path(run))
"""
Edit = Callable[[Path, Callable[[Any], None]], None]
MakeRun = Callable[[str], Path]
HOSTILE = "<script>alert(1)</script>\"'&$x^2$|`@all`\u202e\x1b[31m]]>"


class Page(HTMLParser):
    """Collects tags, ids and the text outside of style."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self._style = False
        self.feed(source)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._style = tag == "style"

    def handle_endtag(self, tag: str) -> None:
        self._style = False

    def handle_data(self, data: str) -> None:
        if not self._style:
            self.texts.append(data)

    @property
    def text(self) -> str:
        """All text, with `<wbr>` closed up and white space as single blanks."""
        return " ".join("".join(self.texts).replace("\u202f", " ").split())

    @property
    def names(self) -> set[str]:
        return {tag for tag, _ in self.tags}


def page_of(run: Path) -> Page:
    return Page(render(run).read_text("utf-8"))


def read_page(run: Path) -> Page:
    return Page((run / "report.html").read_text("utf-8"))


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a run of each kind in `TWINS`, rendered by another process."""
    folder = tmp_path_factory.mktemp("elsewhere") / "other names"
    twins = [str(run_directory(kind, folder / f"other {kind}")) for kind in TWINS]
    root = str(Path(__file__).parents[2])
    subprocess.run([sys.executable, "-c", RENDER_ALL, *twins], check=True, cwd=root, env={"PYTHONHASHSEED": "99"})
    return folder


@pytest.mark.parametrize("kind", TWINS)
def test_same_input_gives_same_bytes_in_another_process_and_place(
    rendered: MakeRun, elsewhere: Path, kind: str
) -> None:
    run, twin = rendered(kind), elsewhere / f"other {kind}"
    for name in (*OUTPUTS, "manifest.json"):
        assert (run / name).read_bytes() == (twin / name).read_bytes(), name


def test_rendering_again_changes_nothing(rendered: MakeRun, tmp_path: Path) -> None:
    run = shutil.copytree(rendered("roll_back"), tmp_path / "again")
    first = {name: (run / name).read_bytes() for name in (*OUTPUTS, "manifest.json")}
    render(run)
    assert first == {name: (run / name).read_bytes() for name in first}


def test_manifest_gets_the_hashes_of_all_derived_files_and_keeps_the_raw_ones(
    make_run: MakeRun, rendered: MakeRun
) -> None:
    raw = json.loads((make_run("ship") / "manifest.json").read_text())["raw"]
    run = rendered("ship")
    manifest = json.loads((run / "manifest.json").read_text())
    assert manifest["raw"] == raw
    assert set(manifest["derived"]) == {*OUTPUTS, "verdict.json", "analysis.json", "differences.parquet"}
    for name, digest in manifest["derived"].items():
        assert hashlib.sha256((run / name).read_bytes()).hexdigest() == digest


@pytest.mark.parametrize(
    ("kind", "word"), [("ship", "SHIP"), ("roll_back", "ROLL BACK"), ("not_fit", "NOT FIT"), ("interrupted", "HOLD")]
)
@pytest.mark.checklist("R.1", "R.2", "R.3", "R.4")
def test_first_screen_holds_the_facts_of_all_seven_items(rendered: MakeRun, kind: str, word: str) -> None:
    run = rendered(kind)
    text = read_page(run).text
    verdict = json.loads((run / "verdict.json").read_text())
    screen = text[: text.index("All ratios")]
    assert f"report: {word}" in text
    assert verdict["reason"] in screen
    for trigger in verdict["triggers"]:
        assert trigger["threshold"] in screen
    shown = verdict["coverage"]
    wanted = [
        f"{shown['matched']:,} of {shown['events_expected']:,} events matched".replace(",", " "),
        "totals add up",
        "no drill recorded yet",
        "no flip recorded yet",
        "Muted metrics none",
        "never against the real exchange",
        "gateio.futures.private",
        "no sign-off recorded yet",
        "grade quick",
        verdict["data_sha256"],
        verdict["config_sha256"],
        "ws-shadow 0.1.0",
        "shadow judge RUN",
    ]
    assert [fact for fact in wanted if fact not in screen] == []


def test_ratios_on_the_page_are_those_of_the_verdict_and_follow_it(make_run: MakeRun, edit: Edit) -> None:
    run = make_run("ship")
    worst = {"low": 1.311234, "best": 1.412345, "high": 1.513456}

    def change(verdict: Any) -> None:
        metric = next(m for m in verdict["metrics"] if m["id"] == verdict["triggers"][0]["worst"])
        metric.update(ratio=worst, n=7_654_321, blocks=17, detectable=1.377)

    edit(run / "verdict.json", change)
    text = page_of(run).text
    assert "[1.311, 1.412, 1.513]" in text[: text.index("All ratios")]
    assert "n 7 654 321; blocks 17; 7.0 s" in text
    assert "ratio 1.377" in text
    for metric in json.loads((run / "verdict.json").read_text())["metrics"]:
        assert metric["id"] in text
        if metric["ratio"]:
            assert "[{low:.3f}, {best:.3f}, {high:.3f}]".format(**metric["ratio"]) in text


def test_deciding_trigger_and_its_differences_are_named(rendered: MakeRun) -> None:
    text = read_page(rendered("roll_back")).text
    assert "Functionality trigger (MISSING); first sample at frame 9 100" in text
    assert "of new: 5 MISSING, 3 FIELD" in text
    assert "K1, CONTROL, owner ana, expires 2027-01-31" in text
    assert "gateio.spot.public ticker ETH_USDT" in text
    assert "3 shown, 2 more in analysis.json" in text


def poison(value: Any) -> Any:
    """Every string that a subject, an exchange or a symbol may bring, made hostile; words that select stay."""
    kept = ("main", "aa1", "aa2", "new", "legacy", "legacy2", "paired", "burst", "connect", "warm-up", "PASS", "SHIP")
    if isinstance(value, str):
        return value if value in kept else HOSTILE + value
    if isinstance(value, list):
        return [poison(item) for item in value]
    if isinstance(value, dict):
        return {(key if key.islower() or "_" in key else HOSTILE + key): poison(item) for key, item in value.items()}
    return value


@pytest.mark.parametrize("kind", ["roll_back"])
def test_hostile_strings_stay_text_in_html_svg_markdown_and_xml(make_run: MakeRun, edit: Edit, kind: str) -> None:
    run = make_run(kind)
    for name in ("verdict.json", "analysis.json", "session.json"):
        content = poison(json.loads((run / name).read_text()))
        if name == "analysis.json":
            for key in ("blocks", "tails", "resources"):
                content[key] = {HOSTILE + inner: series for inner, series in content[key].items()}
        (run / name).write_text(json.dumps(content))
    page = page_of(run)
    assert page.text.count("<script>alert(1)</script>") > 20
    assert "script" not in page.names
    assert not [name for _, attrs in page.tags for name in attrs if name.startswith("on")]
    source = (run / "report.html").read_text("utf-8")
    assert "<script" not in source
    drawings = re.findall(r"<svg.*?</svg>", source, re.DOTALL)
    assert sum("&lt;script&gt;" in drawing for drawing in drawings) == 5
    for name in OUTPUTS:
        text = (run / name).read_text("utf-8")
        assert "\u202e" not in text
        assert "\x1b" not in text
    markdown = re.sub(r"`[^`\n]*`", "", (run / "report.md").read_text("utf-8"))
    assert "<script" not in markdown
    assert "@all" not in markdown


def test_page_loads_nothing_and_its_ids_are_unique(rendered: MakeRun) -> None:
    page = read_page(rendered("ship"))
    ids = [attrs["id"] for _, attrs in page.tags if "id" in attrs]
    assert len(ids) == len(set(ids))
    links = [value for _, attrs in page.tags for key, value in attrs.items() if key in ("src", "href") and value]
    assert [link for link in links if not link.startswith("#")] == []
    assert {link[1:] for link in links} <= {str(name) for name in ids}
    assert all("scope" in attrs for tag, attrs in page.tags if tag == "th")
    assert all(attrs.get("aria-label") for tag, attrs in page.tags if tag == "svg")


@pytest.mark.parametrize("missing", ["verdict.json", "analysis.json", "session.json", "manifest.json"])
def test_a_missing_file_is_named_and_its_cells_say_no_data(make_run: MakeRun, missing: str) -> None:
    run = make_run("ship")
    (run / missing).unlink()
    text = page_of(run).text
    assert f"{missing} is missing" in text
    if missing != "manifest.json":
        assert "no data" in text


def test_an_empty_directory_gives_a_page_without_a_verdict(tmp_path: Path) -> None:
    text = page_of(tmp_path).text
    assert "NO VERDICT" in text
    assert "SHIP" not in text[: text.index("Method")]
    for figure in ("All ratios", "Ratio over time", "Tail latency, wire to callback", "Connections", "Memory and CPU"):
        assert f"{figure}: no data" in text
    assert not (tmp_path / "manifest.json").exists()


@pytest.mark.parametrize("junk", ["{", "[]", '{"verdict": 3, "metrics": {}}', '"\\ud800"'])
def test_a_damaged_file_is_named_not_raised(make_run: MakeRun, junk: str) -> None:
    run = make_run("ship")
    for name in ("verdict.json", "analysis.json", "differences.parquet"):
        (run / name).write_text(junk)
    text = page_of(run).text
    assert "verdict.json cannot be used" in text
    assert "differences.parquet cannot be used" in text


def test_interruption_is_said_on_the_page(rendered: MakeRun) -> None:
    assert "the run was interrupted: SIGINT after 21.4 s" in read_page(rendered("interrupted")).text


def holes(value: Any, leaf: Any) -> Any:
    """Every number replaced by `leaf`."""
    if isinstance(value, bool) or value is None or isinstance(value, str):
        return value
    if isinstance(value, list):
        return [holes(item, leaf) for item in value]
    return {key: holes(item, leaf) for key, item in value.items()} if isinstance(value, dict) else leaf


@pytest.mark.parametrize("leaf", [None, float("nan"), float("inf"), 0, -1.0, 1e300])
def test_any_number_may_be_missing_or_absurd(make_run: MakeRun, leaf: float | None) -> None:
    run = make_run("roll_back")
    for name in ("verdict.json", "analysis.json", "session.json"):
        (run / name).write_text(json.dumps(holes(json.loads((run / name).read_text()), leaf)))
    text = page_of(run).text
    assert "ROLL BACK" in text
    assert re.search(r"\b(nan|inf|None)\b", html.unescape(text)) is None


def test_no_judged_block_draws_no_ratio(make_run: MakeRun, edit: Edit) -> None:
    run = make_run("ship")
    edit(run / "analysis.json", lambda analysis: analysis.update(blocks={"gateio.spot.public": []}, forest=[]))
    text = page_of(run).text
    assert "Ratio over time: no data" in text
    assert "All ratios: no data" in text
