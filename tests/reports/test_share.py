"""The shared copy: what belongs to an account becomes pseudonyms, the rest of the page stays as it is."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from reports.pseudonyms import Pseudonyms
from reports.session import render, render_shared

Edit = Callable[[Path, Callable[[Any], None]], None]
MakeRun = Callable[[str], Path]
PSEUDONYM = re.compile("‹[a-z]{12}›")
SHARED = ("report-share.html", "report-share.md", "junit-share.xml")
BODY = {"k": "event", "c": "gateio.spot.private", "t": 41, "type": "order", "symbol": "BTC_USDT", "id": "575707647867",
        "client_id": "mydeskorder", "side": "sell", "status": "open", "price": 1.73625,
        "asset": "DOGE", "ts": 1790000000123, "575707647868": "BTC_USDT"}  # fmt: skip
FRAME = {"channel": "spot.orders", "result": [{"id": "575707647867", "price": "1.736250", "text": "mydeskorder"}]}
SECRETS = ("575707647867", "575707647868", "mydeskorder", "DOGE", "1790000000123", "1.73625")


def sample(**more: Any) -> dict[str, Any]:
    place = {"code": "MISSING", "side": "new", "connection": "gateio.spot.public", "type": "trade", "leg": "main"}
    return place | {"symbol": "BTC_USDT", "field": None, "frame_no": 1, "expected": None, "frame": None} | more


def private_run(make_run: MakeRun, edit: Edit, samples: list[dict[str, Any]]) -> Path:
    run = make_run("roll_back")
    edit(run / "session.json", lambda session: session["connections"].append("gateio.spot.private"))
    edit(run / "analysis.json", lambda analysis: analysis.update(samples=samples))
    return run


def texts(run: Path) -> dict[str, str]:
    return {name: (run / name).read_text("utf-8") for name in SHARED}


def test_a_private_sample_keeps_its_words_and_loses_its_values(make_run: MakeRun, edit: Edit) -> None:
    whole = sample(
        connection="gateio.spot.private", expected=BODY | {"price": "1.73625"}, delivered=BODY, frame=json.dumps(FRAME)
    )
    run = private_run(make_run, edit, [whole])
    edit(run / "verdict.json", lambda verdict: verdict["differences"][1].update(connection="gateio.spot.private"))
    open_page = render(run).read_text("utf-8")
    for secret in SECRETS:
        assert secret in open_page
    page = render_shared(run).read_text("utf-8")
    assert [secret for secret in SECRETS for text in texts(run).values() if secret in text] == []
    shown = page.replace("&#34;", '"')
    for kept in ('"side": "sell"', '"status": "open"', '"symbol": "BTC_USDT"', '"t": 41', '"channel": "spot.orders"'):
        assert kept in shown
    prices = set(re.findall(r'"price": "([^"]*)"', shown))
    ids = set(re.findall(r'"id": "([^"]*)"', shown))
    assert len(prices) == len(ids) == 1
    assert PSEUDONYM.fullmatch(prices.pop())


def test_what_a_public_frame_holds_stays_and_what_it_does_not_hold_goes(make_run: MakeRun, edit: Edit) -> None:
    delivered = {"k": "event", "t": 5, "id": "900001", "price": 67012.5, "quantity": 575707647867, "side": "buy"}
    frame = '{"channel":"spot.trades","result":{"id":900001,"price":"67012.50"}}'
    run = private_run(make_run, edit, [sample(delivered=delivered, frame=frame)])
    page = render_shared(run).read_text("utf-8").replace("&#34;", '"')
    assert '"id": "900001", "price": 67012.5' in page
    assert frame in page
    assert '"side": "buy"' in page
    assert "575707647867" not in page


@pytest.mark.parametrize("who", ["The new stack died", "The second legacy stack never said hello"])
def test_last_words_of_a_stack_are_one_pseudonym(make_run: MakeRun, edit: Edit, who: str) -> None:
    run = private_run(make_run, edit, [])
    words = "KeyError: no such order (leg mydeskorder): amount 0.5 (leg x"
    edit(run / "verdict.json", lambda verdict: verdict.update(reason=f"{who}: {words} (leg main) (2 more reasons)."))
    render_shared(run)
    for text in texts(run).values():
        assert "mydeskorder" not in text
        assert "KeyError" not in text
    said = re.search(rf"{who}: ‹[a-z]{{12}}› \(leg main\) \(2 more reasons\)\.", texts(run)[SHARED[0]])
    assert said is not None


def test_names_that_a_stack_made_up_are_pseudonyms(make_run: MakeRun, edit: Edit) -> None:
    run = private_run(make_run, edit, [])
    named = {"connection": "575707647867", "type": "mydeskorder"}
    worst = "PHANTOM.575707647867.mydeskorder"

    def change(verdict: Any) -> None:
        verdict["differences"][1].update(named)
        verdict["triggers"][3]["worst"] = worst
        verdict["reason"] = "5 critical PHANTOM of the new stack in 575707647867 (price:unit)."

    edit(run / "verdict.json", change)
    render_shared(run)
    for text in texts(run).values():
        assert "575707647867" not in text
    assert "5 critical PHANTOM of the new stack in ‹" in texts(run)[SHARED[0]]


def test_a_public_session_is_shared_as_it_is_and_says_so(make_run: MakeRun, rendered: MakeRun) -> None:
    page = (rendered("roll_back") / "report.html").read_text("utf-8")
    shared = render_shared(make_run("roll_back")).read_text("utf-8")
    assert "nothing had to be replaced" in shared
    assert PSEUDONYM.search(shared) is None
    lost = set(page.splitlines()) - set(shared.splitlines())
    assert [line for line in lost if not line.startswith("<footer>")] == []


def test_nothing_else_in_the_run_directory_is_touched(rendered: MakeRun, edit: Edit, tmp_path: Path) -> None:
    def copied(kind: str) -> Path:
        return shutil.copytree(rendered(kind), tmp_path / kind)

    run = private_run(copied, edit, [sample(connection="gateio.spot.private", delivered=BODY)])
    before = {path.name: path.read_bytes() for path in run.iterdir() if path.is_file()}
    assert render_shared(run) == run / SHARED[0]
    assert {path.name for path in run.iterdir() if path.is_file()} == {*before, *SHARED}
    assert {name: (run / name).read_bytes() for name in before} == before


def test_a_run_that_does_not_say_what_it_compared_is_taken_for_a_private_one(make_run: MakeRun, edit: Edit) -> None:
    run = private_run(make_run, edit, [sample(connection="gateio.spot.private", delivered=BODY)])
    (run / "session.json").unlink()
    edit(run / "verdict.json", lambda verdict: verdict["differences"][1].update(connection="gateio.spot.private"))
    page = render_shared(run).read_text("utf-8")
    assert "mydeskorder" not in page
    assert "gateio.spot.private" in page


def test_hostile_texts_stay_texts(make_run: MakeRun, edit: Edit) -> None:
    hostile = "<script>alert(1)</script>@all"
    deep: Any = hostile
    for _ in range(300):
        deep = [deep]
    delivered = {hostile: hostile, "side": hostile, "deep": deep}
    run = private_run(make_run, edit, [sample(connection=hostile, type=hostile, delivered=delivered, frame=hostile)])
    edit(run / "verdict.json", lambda verdict: verdict.update(reason=hostile))
    render_shared(run)
    for name, text in texts(run).items():
        assert "<script" not in text, name
    assert "&lt;script&gt;" in texts(run)[SHARED[0]]


def test_a_pseudonym_is_stable_keyed_and_new_each_time() -> None:
    first, second = Pseudonyms().of, Pseudonyms().of
    assert first("1.50") == first(1.5) == first("1.5")
    assert first("58828270140012048") == first(58828270140012048) != first("58828270140012049")
    assert first("100") != first("10")
    assert first("007") != first("7")
    assert first(1e-07) == first("0.0000001")
    assert first("-0.0") == first(0)
    assert first("1.5") != second("1.5")
    assert PSEUDONYM.fullmatch(first("\ud800"))
