"""The record of a rehearsal, and the checks that decide whether it passed."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

from shadow.errors import ShadowError
from shadow.rehearsal.result import Check, Record, StreamLine
from shadow.rehearsal.run import Rehearsal
from shadow.rollout.evidence import our_version
from shadow.rollout.flag_file import read_flag_file
from shadow.rollout.journal import read_journal
from shadow.rollout.stages import serving
from shadow.rollout.state import Step
from shadow.rollout.units import parse_unit

__all__ = ["record_of"]


def record_of(rehearsal: Rehearsal, took_s: float) -> Record:
    """All that is known of a rehearsal that was played to its end."""
    streams = stream_lines(rehearsal)
    verified, journal = journal_of(rehearsal)
    trigger_ns, back_ns, harmed_ns = rehearsal.judge.first_alarm_ns, rehearsal.back_ns, rehearsal.harmed_ns
    detected_s = seconds_between(harmed_ns, trigger_ns)
    # A stack that is gone is left by the consumer itself, maybe before a judge has seen it.
    back_s = max(0.0, between) if (between := seconds_between(trigger_ns, back_ns)) is not None else None
    return Record(
        started_utc=datetime.fromtimestamp(rehearsal.began_s, UTC).isoformat(timespec="seconds"),
        version=our_version(),
        plan=plan_words(rehearsal),
        took_s=round(took_s, 1),
        fed_s=round(rehearsal.since_s(rehearsal.fed_ns), 1),
        moments=rehearsal.moments,
        served=served(rehearsal),
        streams=streams,
        flips=[flip | times(rehearsal, flip) for flip in rehearsal.parts.ear.flips],
        gaps=rehearsal.parts.ear.gaps,
        journal=journal,
        detected_s=detected_s,
        back_s=back_s,
        harmed_s=seconds_between(harmed_ns, back_ns),
        checks=[
            *(reached(rehearsal), exact(streams), unaltered(rehearsal), judged(rehearsal), back(rehearsal, back_s)),
            *(survived(rehearsal), audited(rehearsal), verified, heard(rehearsal)),
        ],
    )


def seconds_between(start_ns: int | None, end_ns: int | None) -> float | None:
    return round((end_ns - start_ns) / 1e9, 3) if start_ns and end_ns else None


def stream_lines(rehearsal: Rehearsal) -> list[StreamLine]:
    lines = []
    for key, stream in sorted(rehearsal.parts.ear.streams.items()):
        counts = stream.counts
        wrong = counts.doubled, counts.reordered, counts.altered, counts.invented
        lines.append(StreamLine(*key, stream.is_versioned, counts.owed, counts.delivered, stream.lost(), *wrong))
    return lines


def plan_words(rehearsal: Rehearsal) -> dict[str, Any]:
    """The plan with its steps as a person writes them."""
    steps = [f"{step.unit} {step.position}" for step in rehearsal.plan.steps]
    return {**msgspec.structs.asdict(rehearsal.plan), "steps": steps}


def served(rehearsal: Rehearsal) -> dict[str, list[tuple[float, str]]]:
    found: dict[str, list[tuple[float, str]]] = {}
    for move in rehearsal.parts.ear.moves:
        found.setdefault(move["unit"], []).append((round(max(0.0, rehearsal.since_s(move["t"])), 3), move["side"]))
    return dict(sorted(found.items()))


def times(rehearsal: Rehearsal, flip: dict[str, Any]) -> dict[str, Any]:
    """Seconds from the first frame on in the place of a clock's ns."""
    known = {name: flip[name] for name in ("decided", "first")}
    return {name: None if t is None else round(rehearsal.since_s(t), 4) for name, t in known.items()}


def reached(rehearsal: Rehearsal) -> Check:
    missing = [step for step in rehearsal.plan.steps if step not in rehearsal.reached]
    new = {move["unit"] for move in rehearsal.parts.ear.moves if move["side"] == "new"}
    units = set(rehearsal.parts.ear.serving)
    says = f"{len(rehearsal.reached)} of {len(rehearsal.plan.steps)} steps; new served {len(new)} of {len(units)} units"
    return Check("every stage was reached", not missing and not missed(rehearsal.plan.steps, new, units), says)


def missed(steps: Sequence[Step], new: set[str], units: set[str]) -> bool:
    """Whether a unit that the steps bring to new was never served by it."""
    whole = [step.unit for step in steps if serving(step.position) == "new" and step.position.share is None]
    wanted = {unit for unit in units if any(one.covers(parse_unit(unit)) for one in whole)}
    return not wanted or bool(wanted - new)


def exact(streams: Sequence[StreamLine]) -> Check:
    versioned = [one for one in streams if one.versioned]
    lost, doubled, reordered = (
        sum(getattr(one, name) for one in versioned) for name in ("lost", "doubled", "reordered")
    )
    owed = sum(one.owed for one in versioned)
    says = f"of {owed} events {lost} lost, {doubled} doubled, {reordered} reordered"
    return Check(
        "versioned channels are exact at the consumer", bool(owed) and not (lost or doubled or reordered), says
    )


def unaltered(rehearsal: Rehearsal) -> Check:
    """Before the harm and behind the way back nothing is wrong; between them is what the harm did."""
    streams = rehearsal.parts.ear.streams.values()
    behind = sum(one.counts.wrong for one in streams) - rehearsal.wrong_behind
    between = rehearsal.wrong_behind - rehearsal.wrong_before
    says = f"{rehearsal.wrong_before} before the regression, {between} by it, {behind} behind it"
    return Check("wrong events are the regression's alone", not rehearsal.wrong_before and not behind, says)


def judged(rehearsal: Rehearsal) -> Check:
    """The trigger came of the harm and of nothing before."""
    first, harmed = rehearsal.judge.first_alarm_ns, rehearsal.harmed_ns
    ok = first is not None and 0 < harmed <= first
    says = "; ".join(f"{alarm.trigger}: {alarm.says}" for alarm in rehearsal.judge.alarms) or "no trigger opened"
    return Check("the regression opened a trigger, nothing else did", ok, says)


def back(rehearsal: Rehearsal, back_s: float | None) -> Check:
    bound_s = rehearsal.plan.rollback_within_s
    says = "never" if back_s is None else f"{back_s:.2f} s from the trigger to the last unit, {bound_s:g} s allowed"
    return Check("back on legacy by itself, in time", back_s is not None and back_s <= bound_s, says)


def survived(rehearsal: Rehearsal) -> Check:
    if not rehearsal.plan.kill_controller:
        return Check("a killed controller changes nothing", True, "not asked for by the plan")
    says = "state of the journal and sides are as before" if rehearsal.restarted_alike else "the state is another one"
    return Check("a killed controller changes nothing", rehearsal.restarted_alike is True, says)


def audited(rehearsal: Rehearsal) -> Check:
    flips = [flip for flip in rehearsal.parts.ear.flips if flip["audited"]]
    bad = [flip for flip in flips if any(flip[name] for name in ("lost", "duplicated", "reordered", "given_up"))]
    says = f"{len(flips) - len(bad)} of {len(flips)} audits clean, {len(rehearsal.parts.ear.flips)} flips"
    return Check("every audited flip is clean", bool(flips) and not bad, says)


def journal_of(rehearsal: Rehearsal) -> tuple[Check, list[dict[str, Any]]]:
    """Whether the journal is as it was written, and its lines in seconds from the first frame on."""
    places = rehearsal.parts.places
    try:
        reading = read_journal(places.journal, read_flag_file(places.flags).mark)
    except ShadowError as error:
        return Check("the journal verifies", False, str(error)), []
    finding = reading.finding
    says = f"line {finding.line}: {finding.says}" if finding else f"{len(reading.entries)} lines"
    lines = [
        {"n": one.number, "at_s": round(one.at_s - rehearsal.began_s, 3), "kind": one.kind, **one.fields}
        for one in reading.entries
    ]
    return Check("the journal verifies", finding is None and bool(reading.entries), says), lines


def heard(rehearsal: Rehearsal) -> Check:
    """The harness dropped nothing, and the consumer ended as it should."""
    drops, code = rehearsal.parts.ear.drops, rehearsal.consumer_code
    says = f"ledger rows dropped: {drops}; the consumer's code: {code}"
    return Check("both ends were heard whole", not drops and code == 0, says)
