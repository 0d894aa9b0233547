"""Tables: rows follow the judge's records, classes are told apart by field, the floor comes from the A/A legs."""

from __future__ import annotations

from reports import tables, triggers
from reports.outages import outages
from reports.records import DifferenceRow, Manifest, Metric, Session, Trigger, Verdict
from reports.run_data import ReportInput
from reports.series import Analysis, Forest, Moment, Sample

WHERE = {"connection": "gateio.spot.public", "type": "ticker"}


def report_input(
    verdict: Verdict, analysis: Analysis | None = None, rows: list[DifferenceRow] | None = None
) -> ReportInput:
    return ReportInput(
        session=Session(calibration=True),
        analysis=analysis or Analysis(),
        manifest=Manifest(),
        verdict=verdict,
        differences=rows or [],
    )


def test_classes_that_differ_by_field_keep_their_own_count_floor_and_samples() -> None:
    verdict = Verdict(
        verdict="ROLL_BACK",
        differences=[
            DifferenceRow(code="FIELD", side="new", field=field, count=number, severity="critical", **WHERE)
            for field, number in (("last", 4), ("high", 7))
        ],
    )
    rows = [DifferenceRow(code="FIELD", side="legacy2", field="high", count=3, leg="aa1", **WHERE)]
    samples = [
        Sample(code="FIELD", side="new", field="last", leg="main", expected={"last": None}, **WHERE),
        Sample(code="FIELD", side="new", field="last", leg="aa1", **WHERE),
    ]
    lines = tables.differences(report_input(verdict, Analysis(samples=samples), rows))
    assert [(line.field, line.count, line.floor, len(line.samples)) for line in lines] == [
        ("last", "4", "0", 1),
        ("high", "7", "3", 0),
    ]
    assert lines[0].samples[0].expected == '{"last": null}'


def test_declaration_is_the_metrics_own_and_else_the_forests() -> None:
    verdict = Verdict(verdict="HOLD", metrics=[Metric(id="a", declared=False), Metric(id="b"), Metric(id="c")])
    forest = [Forest(id="a", declared=True), Forest(id="b", declared=True)]
    table = tables.metrics(report_input(verdict, Analysis(forest=forest)))
    assert [row[5] for row in table.rows] == ["no", "yes", "no data"]


def test_a_fact_without_differences_is_what_functionality_measured() -> None:
    trigger = Trigger(id="functionality", verdict="REGRESSION", worst="subject.died")
    verdict = Verdict(verdict="ROLL_BACK", decided_by="functionality", triggers=[trigger])
    line = triggers.lines(report_input(verdict))[3]
    assert (line.measured, line.decided) == ("fact: subject.died", True)


def test_known_and_legacy_differences_are_not_counted_against_new() -> None:
    rows = [
        DifferenceRow(code="MISSING", side="new", count=2, severity="critical", known="K1", **WHERE),
        DifferenceRow(code="DUP", side="legacy", count=5, severity="major", **WHERE),
        DifferenceRow(code="DUP", side="new", count=6, severity="info", **WHERE),
        DifferenceRow(code="GAP", side="both", count=1, severity="major", **WHERE),
    ]
    assert triggers.serious(report_input(Verdict(verdict="HOLD", differences=rows))) == [("GAP", 1)]


def test_where_subscriptions_are_left_out_an_open_ends_the_outage() -> None:
    rows = [
        Moment(role="new", connection="c", event=event, leg="main", t_s=t, cause=cause)
        for t, event, cause in ((0.0, "open", "client"), (1.0, "close", "client"), (1.5, "open", "client"))
    ]
    assert [(outage.begin_s, outage.end_s) for outage in outages(Analysis(timeline=rows))] == [(1.0, 1.5)]
