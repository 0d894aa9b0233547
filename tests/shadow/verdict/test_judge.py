"""Whole made-up sessions: known effects in, the right word out."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from shadow.capture.probe_file import Probe, write_probe
from shadow.diff.codes import Difference
from shadow.verdict.judge import Judgement, exit_code
from shadow.verdict.write import write

MakeRun = Callable[..., Any]


def metric(verdict: dict[str, Any], name: str) -> dict[str, Any]:
    found: dict[str, Any]
    [found] = [m for m in verdict["metrics"] if m["id"] == name]
    return found


def lost_trade(side: str = "new", connection: str = "mexc.spot.public") -> Difference:
    return Difference("MISSING", side, "critical", connection, "trade", "BTCUSDT", "", 3)


def test_a_stack_like_legacy_ships(like_legacy: Judgement) -> None:
    verdict = like_legacy.verdict
    assert (verdict["verdict"], verdict["reason"]) == (
        "SHIP",
        "All 12 declared metrics passed, and no event was lost or altered.",
    )
    assert [line["verdict"] for line in verdict["triggers"]] == ["PASS"] * 4
    assert verdict["calibration"]["ok"] is True
    assert verdict["calibration"]["positive_control"] is True
    assert exit_code(verdict) == 0


@pytest.mark.checklist("R.1")
@pytest.mark.parametrize(
    ("effect", "worst"),
    [
        ({"latency": 1.3}, "latency.mexc.spot.public.typical"),
        ({"service": 1.3}, "service.gateio.spot.public"),
        ({"cpu": 1.3}, "cpu.per_message"),
        ({"gap": 3.0}, "stability.reconnect_gap.mexc.spot.public"),
    ],
)
def test_thirty_percent_worse_rolls_back(made_up: MakeRun, effect: dict[str, float], worst: str) -> None:
    verdict = made_up(**effect).judge().verdict
    assert (verdict["verdict"], verdict["decided_by"], exit_code(verdict)) == ("ROLL_BACK", "performance", 10)
    assert metric(verdict, worst)["verdict"] == "REGRESSION"
    assert metric(verdict, worst)["ratio"]["low"] > 1.10
    fired = {m["id"].partition(".")[0] for m in verdict["metrics"] if m["verdict"] == "REGRESSION"}
    assert worst.partition(".")[0] in fired
    assert verdict["triggers"][0]["verdict"] == "REGRESSION"


def test_work_is_not_hidden_by_events_that_are_written_more_often(made_up: MakeRun) -> None:
    verdict = made_up(cpu=1.34, copies=4).judge().verdict
    found = metric(verdict, "cpu.per_message")
    assert (verdict["verdict"], found["verdict"]) == ("ROLL_BACK", "REGRESSION")
    assert found["ratio"]["best"] == pytest.approx(1.34, rel=0.02)


@pytest.mark.parametrize("seed", [21, 22, 23])
def test_noise_alone_never_rolls_back_not_even_at_the_margin(made_up: MakeRun, seed: int) -> None:
    noisy = {"seed": seed, "noise": 0.35, "drift": 0.03}
    assert made_up(**noisy).judge().verdict["verdict"] in ("SHIP", "HOLD")
    assert made_up(latency=1.10, **noisy).judge().verdict["verdict"] == "HOLD"


@pytest.mark.parametrize("effect", [{"latency": 0.5, "service": 0.4, "cpu": 0.5, "gap": 0.5, "uss": 0.8}])
def test_a_faster_stack_ships(made_up: MakeRun, effect: dict[str, float]) -> None:
    verdict = made_up(**effect).judge().verdict
    assert verdict["verdict"] == "SHIP", verdict["reason"]
    assert metric(verdict, "throughput.max")["ratio"]["best"] > 2


@pytest.mark.checklist("R.3")
def test_memory_of_half_as_much_again_rolls_back(made_up: MakeRun) -> None:
    verdict = made_up(uss=1.5).judge().verdict
    assert (verdict["verdict"], verdict["decided_by"]) == ("ROLL_BACK", "memory")
    assert metric(verdict, "memory.level")["ratio"]["best"] == pytest.approx(1.5, abs=0.01)


@pytest.mark.checklist("R.4")
def test_a_lost_trade_rolls_back_whatever_the_numbers(made_up: MakeRun) -> None:
    verdict = made_up(differences=[lost_trade()], latency=0.5).judge().verdict
    assert (verdict["verdict"], verdict["decided_by"]) == ("ROLL_BACK", "functionality")
    assert "3 critical MISSING" in verdict["reason"]
    assert verdict["differences"][0]["count"] == 3
    assert verdict["triggers"][3]["worst"] == "MISSING.mexc.spot.public.trade"


def test_what_the_known_list_covers_stands_in_the_verdicts_sentence(made_up: MakeRun) -> None:
    covered = [lost_trade(), lost_trade("both"), lost_trade("legacy")]
    for item in covered:
        item.known = "K1"
    verdict = made_up(differences=covered).judge().verdict
    assert verdict["verdict"] == "SHIP"
    assert "6 critical or major differences that the known-differences list covers were found" in verdict["reason"]


@pytest.mark.checklist("R.2")
def test_a_silent_second_of_its_own_is_a_stability_fact(made_up: MakeRun) -> None:
    """The new side closes its socket itself for 1.5 s of the 36.5 s main leg: 4 %."""
    begin = (5 + 1 + 9 + 3.5 + 2 + 1 + 5) * 10**9
    key = ["main", "new", "gateio.spot.public"]
    rows = [[int(begin), *key, 1, "close", "", "", 1000, "client", ""]]
    rows += [
        [int(begin + 1.5e9), *key, 1, "subscribed", channel, "BTC_USDT", None, "", ""]
        for channel in ("book", "trade", "book_ticker", "ticker")
    ]
    verdict = made_up(connections=rows).judge().verdict
    assert (verdict["verdict"], verdict["decided_by"]) == ("ROLL_BACK", "stability")
    assert metric(verdict, "stability.uptime.gateio.spot.public")["new"] == pytest.approx(1 - 1.5 / 36.5, rel=1e-5)
    assert metric(verdict, "stability.uptime.mexc.spot.public")["verdict"] == "PASS"


def test_unseen_control_is_not_fit(made_up: MakeRun) -> None:
    verdict = made_up(burn=1.0).judge().verdict
    assert (verdict["verdict"], exit_code(verdict)) == ("NOT_FIT", 12)
    assert verdict["calibration"] | {"control": None, "outside_gate": []} == {
        "ok": False,
        "positive_control": False,
        "present": True,
        "control": None,
        "alarms": [],
        "outside_gate": [],
        "problems": ["the positive control (+30 % burned service time) was not seen"],
    }


def test_legacy_unlike_itself_is_not_fit_even_with_a_regression(made_up: MakeRun) -> None:
    verdict = made_up(aa_latency=1.2, latency=1.4).judge().verdict
    assert verdict["verdict"] == "NOT_FIT"
    assert "latency.gateio.spot.public.typical" in verdict["calibration"]["alarms"]


def test_a_grave_difference_of_legacy_against_itself_is_not_fit(made_up: MakeRun) -> None:
    verdict = made_up(aa_differences=[lost_trade("legacy2")]).judge().verdict
    assert verdict["verdict"] == "NOT_FIT"
    assert "MISSING in mexc.spot.public trade" in verdict["reason"]


def test_legacy_alone_is_an_improvement_of_new(made_up: MakeRun) -> None:
    verdict = made_up(differences=[lost_trade("legacy")]).judge().verdict
    assert verdict["verdict"] == "SHIP"
    assert verdict["differences"][0]["side"] == "legacy"


@pytest.mark.parametrize(("ratio", "word"), [(1.0, "HOLD"), (1.15, "HOLD"), (1.35, "ROLL_BACK")])
def test_without_calibration_only_twice_the_margin_rolls_back(made_up: MakeRun, ratio: float, word: str) -> None:
    verdict = made_up(calibration=False, latency=ratio, noise=0.1, drift=0.002).judge().verdict
    assert verdict["verdict"] == word
    assert verdict["calibration"]["present"] is False


def test_a_replay_never_ships_and_judges_no_latency(made_up: MakeRun) -> None:
    replay = {"feed": "capture", "calibration": False}
    verdict = made_up(calibration=False, latency=3.0, session=replay).judge().verdict
    assert verdict["verdict"] == "HOLD"
    assert {m["id"].rpartition(".")[0].split(".")[0] for m in verdict["metrics"]} == {"stability"}
    with_fact = made_up(calibration=False, session=replay, differences=[lost_trade()]).judge().verdict
    assert with_fact["verdict"] == "ROLL_BACK"


@pytest.mark.parametrize(
    ("effects", "words"),
    [
        ({"accounted": 0.998}, "accounted for"),
        ({"marks": [[9, "", "", "harness-drops", '{"count":4}']]}, "dropped 4"),
        ({"manifest": {"complete": False, "interrupted": "SIGINT"}}, "interrupted (SIGINT)"),
        ({"conserved": False}, "do not add up"),
    ],
)
def test_doubt_holds(made_up: MakeRun, effects: dict[str, Any], words: str) -> None:
    verdict = made_up(**effects).judge().verdict
    assert verdict["verdict"] == "HOLD"
    assert words in verdict["reason"]
    assert verdict["triggers"][3]["verdict"] == "HOLD"


@pytest.mark.parametrize(
    ("role", "word", "reason"),
    [("new", "ROLL_BACK", "The new stack died"), ("legacy", "NOT_FIT", "The legacy stack died")],
)
def test_a_dead_side_is_named(made_up: MakeRun, role: str, word: str, reason: str) -> None:
    row = [9 * 10**9, "main", role, "subject-failed", json.dumps({"reason": "died", "text": "exit code 1"})]
    verdict = made_up(marks=[row]).judge().verdict
    assert verdict["verdict"] == word
    assert verdict["reason"].startswith(f"{reason}: exit code 1")


@pytest.mark.parametrize(
    ("feed", "roles", "word"),
    [
        ("live", ("legacy", "new"), "NOT_FIT"),
        ("live", ("new",), "ROLL_BACK"),
        ("sim", ("legacy", "new"), "ROLL_BACK"),
    ],
)
def test_an_exchange_that_serves_no_side_is_held_against_none(
    made_up: MakeRun, feed: str, roles: tuple[str, ...], word: str
) -> None:
    detail = json.dumps({"reason": "no-subscription", "text": "mexc.spot.public"})
    marks = [[9 * 10**9, "main", role, "subject-failed", detail] for role in roles]
    verdict = made_up(marks=marks, session={"feed": feed, "calibration": False}).judge().verdict
    assert verdict["verdict"] == word, verdict["reason"]


def test_a_thin_type_is_shown_with_its_n_but_not_judged(made_up: MakeRun) -> None:
    verdict = made_up(rate=300).judge().verdict
    thin = metric(verdict, "latency.gateio.spot.ticker.typical")
    assert thin["verdict"] == "NOT_JUDGED"
    assert thin["n"] > 200
    assert thin["id"] in verdict["not_judged"]


def test_targets_are_shown_from_stamps_and_decide_nothing(like_legacy: Judgement) -> None:
    """Every made-up event has recv 1000 and t 41000: 40 us."""
    verdict = like_legacy.verdict
    book = {t["what"]: t for t in verdict["targets"] if t["id"] == "5.3.8"}
    gateio, mexc = book["Gate.io orderbook processing"], book["MEXC orderbook processing"]
    assert (gateio["limit"], gateio["p50"], gateio["met"], gateio["source"]) == (100.0, 40.0, True, "stamps")
    assert (mexc["limit"], mexc["p50"], mexc["met"], mexc["why"]) == (50.0, None, None, "this run has no probe")
    assert all(t["met"] is None and t["why"] for t in verdict["targets"] if t["source"] == "probe")


@pytest.mark.checklist("5.3.1", "5.3.2", "5.3.3", "5.3.6", "5.3.7", "5.3.12", "5.3.13")
def test_targets_take_the_probe_the_connect_leg_and_the_metrics(made_up: MakeRun) -> None:
    """A missed target changes no word of the verdict."""
    run = made_up()
    times = {f"process.mexc.{kind}": [90_000] * 400 for kind in ("book", "trade", "ticker", "book_ticker")}
    half = {name: [45_000] * 400 for name in times}
    write_probe(run.path, Probe(figures={"new": times, "legacy": half}))
    judgement = run.judge()
    assert judgement.verdict["verdict"] == "SHIP"
    lines = {t["what"]: t for t in judgement.verdict["targets"]}
    missed = lines["MEXC orderbook processing"]
    assert (missed["p50"], missed["p99"], missed["legacy_p50"], missed["met"]) == (90.0, 90.0, 45.0, False)
    compared = lines["MEXC message processing, all types"]
    assert (compared["limit"], compared["ratio"], compared["met"]) == (None, 2.0, False)
    cpu = lines["CPU time of a message"]
    assert cpu["met"] is True
    assert cpu["p50"] == pytest.approx(cpu["legacy_p50"], rel=0.05)
    assert lines["memory level"]["p50"] == pytest.approx(60, rel=0.01)
    connect = lines["Gate.io connection establishment, before and after"]
    assert (connect["n"], connect["met"]) == (10, True)
    assert 3.0 < lines["Gate.io reconnection"]["p50"] < 5.0
    assert lines["MEXC subscription"]["legacy_p50"] > 0


def test_judging_twice_writes_the_same_bytes(made_up: MakeRun, tmp_path: Any) -> None:
    run = made_up(differences=[lost_trade()])
    written = []
    for name in ("one", "two"):
        folder = tmp_path / name
        folder.mkdir()
        written.append([path.read_bytes() for path in write(folder, run.judge())])
    assert written[0] == written[1]
    analysis = json.loads(written[0][1])
    assert set(analysis) >= {"forest", "blocks", "tails", "timeline", "resources", "phases", "conservation", "samples"}
    assert len(analysis["blocks"]["mexc.spot.public"]) == 42 + 36
    assert len(written[0][1]) < 400_000


STOPPED = [99 * 10**9, "", "", "stopped-early", '{"reason": "1 critical MISSING of the new stack"}']


def test_a_session_that_was_stopped_early_holds_unless_its_own_data_say_roll_back(made_up: MakeRun) -> None:
    verdict = made_up(marks=[STOPPED]).judge().verdict
    assert verdict["verdict"] == "HOLD"
    assert "stopped early by 1 critical MISSING" in verdict["reason"]
    proven = made_up(marks=[STOPPED], differences=[lost_trade()], seed=2).judge().verdict
    assert (proven["verdict"], proven["decided_by"]) == ("ROLL_BACK", "functionality")


def test_one_time_for_a_whole_burst_is_no_service_time(made_up: MakeRun) -> None:
    verdict = made_up(service=1.5, batched=True).judge().verdict
    assert verdict["verdict"] == "HOLD"
    assert [m["id"] for m in verdict["metrics"] if m["declared"] and m["verdict"] != "PASS"] == [
        "service.gateio.spot.public",
        "service.mexc.spot.public",
    ]
    found = metric(verdict, "service.mexc.spot.public")
    assert (found["ratio"]["best"], found["blocks"]) == (None, 0)
    assert found["note"].endswith("bursts not judged: several frames carry one and the same last time")


def test_a_session_that_is_cut_off_as_its_measured_part_begins_holds(made_up: MakeRun) -> None:
    run = made_up(calibration=False, manifest={"complete": False, "interrupted": "SIGINT"})
    begin = next(row[0] for row in run._rows["marks"] if row[3] == "phase-begin")
    run._rows["marks"] = [row for row in run._rows["marks"] if row[0] <= begin]
    verdict = run.judge().verdict
    assert verdict["verdict"] == "HOLD"
    assert "interrupted (SIGINT)" in verdict["reason"]
    assert metric(verdict, "memory.level")["ratio"]["best"] is None


def resized(run: Any, held: Callable[[float], int | None]) -> Any:
    """New's memory of the main leg: `held` has MiB for seconds since its first sample, or None to leave it."""
    rows = [row for row in run._rows["resources"] if row[1:3] == ["main", "new"]]
    for row in rows:
        mib = held((row[0] - rows[0][0]) / 1e9)
        if mib is not None:
            row[3], row[5] = 7 + (mib < 2), mib << 20
    return run


def test_a_leak_is_not_hidden_by_the_process_that_outlives_the_stack(made_up: MakeRun) -> None:
    """The stack of 60 MiB grows for 37 s; `sleep` in the shell that started it has half a second more, and 1 MiB."""
    run = resized(made_up(), lambda s: 1 if s > 37 else int(60 + 4 * s))
    verdict = run.judge().verdict
    assert (verdict["verdict"], verdict["decided_by"]) == ("ROLL_BACK", "memory")


def test_memory_that_is_freed_before_the_end_of_the_leg_counts(made_up: MakeRun) -> None:
    """200 MiB from the first second of the paired phase until 1.5 s into the connect phase at 31 s."""
    run = resized(made_up(), lambda s: 260 if 2 < s < 32.5 else None)
    verdict = run.judge().verdict
    assert (verdict["verdict"], verdict["decided_by"]) == ("ROLL_BACK", "memory")
    found = metric(verdict, "memory.level")
    assert found["ratio"]["best"] == pytest.approx(260 / 60, rel=0.01)
    assert "at the end of " in found["note"]


@pytest.mark.parametrize(("share", "outcome"), [(0.91, "SHIP"), (0.88, "HOLD")])
def test_who_was_owed_less_than_legacy_is_not_shipped(made_up: MakeRun, share: float, outcome: str) -> None:
    run = made_up()
    owed = run.diffs["main"].totals["new"]["expected"]
    run.diffs["main"].totals["new"] |= {"expected": int(share * owed)}
    verdict = run.judge().verdict
    assert verdict["verdict"] == outcome, verdict["reason"]
    if outcome == "HOLD":
        assert verdict["reason"] == f"The new stack was owed {int(share * owed)} events, legacy {owed}."


@pytest.mark.parametrize(("role", "outcome"), [("new", "HOLD"), ("legacy", "SHIP")])
def test_a_flooded_log_is_a_doubt_and_its_blocks_are_judged(made_up: MakeRun, role: str, outcome: str) -> None:
    quiet = made_up()
    (phase,) = [p for p in quiet.collect().timeline.phases if (p.leg, p.phase) == ("main", "paired")]
    marks = [[phase.begin + n * 1_000_000_000, "main", role, "subject-loud", "{}"] for n in range(12)]
    verdict = made_up(marks=marks, seed=2).judge().verdict
    assert verdict["verdict"] == outcome, verdict["reason"]
    assert metric(verdict, "latency.gateio.spot.public.typical")["blocks"] == 42
    if outcome == "HOLD":
        assert verdict["reason"] == "The new stack flooded its log 12 times."


def test_a_log_dumped_outside_the_measured_phases_is_nobodys_business(made_up: MakeRun) -> None:
    begin = made_up().collect().timeline.phase("main", "paired").begin
    marks = [[begin - 1, "main", "new", "subject-loud", "{}"]]
    assert made_up(marks=marks, seed=2).judge().verdict["verdict"] == "SHIP"


@pytest.mark.parametrize(("gap", "outcome"), [(20.0, "SHIP"), (60.0, "HOLD")])
def test_few_slow_recoveries_are_too_few_for_a_regression_and_hold(made_up: MakeRun, gap: float, outcome: str) -> None:
    """Legacy comes back in 4 ms; new in 80 ms or in 240 ms, but only three closes of each were reached."""
    run = made_up(gap=gap, gap_noise=0.3)
    marks = run._rows["marks"]
    marks[:] = [mark for mark in marks if mark[3] != "forced-close" or json.loads(mark[4])["conn_no"] <= 3]
    verdict = run.judge().verdict
    gaps = metric(verdict, "stability.reconnect_gap.mexc.spot.public")
    assert (gaps["verdict"], gaps["n"]) == ("NOT_JUDGED", 3)
    assert verdict["verdict"] == outcome, verdict["reason"]
    if outcome == "HOLD":
        assert verdict["reason"].startswith("The new stack takes "), verdict["reason"]
        assert " ms to come back on gateio.spot.public, legacy " in verdict["reason"]


@pytest.mark.parametrize(("again", "outcome"), [(True, "SHIP"), (False, "HOLD")])
def test_a_stream_that_new_did_not_have_since_a_refusal_was_not_compared(
    made_up: MakeRun, again: bool, outcome: str
) -> None:
    end = made_up().collect().timeline.phase("main", "connect").end
    where = ["main", "new", "mexc.spot.public", 40]
    rows = [[end + 1, *where, "refused", "trade", "BTC_USDT", None, "fault:refuse-subscribe", ""]]
    rows += [[end + 2, *where, "subscribed", "trade", "BTC_USDT", None, "client", ""]] if again else []
    verdict = made_up(connections=rows, seed=2).judge().verdict
    assert verdict["verdict"] == outcome, verdict["reason"]
    if outcome == "HOLD":
        told = "The new stack was refused trade BTC_USDT of mexc.spot.public and never had it again (leg main)."
        assert verdict["reason"] == told
