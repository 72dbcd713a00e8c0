"""How far each district's metric is off, by hand."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

from jobs.decide.evaluation.ladder import signals

ON = date(2025, 11, 20)


def indicator(district: str, year: int, value: str, path: str | None, **other: Any) -> dict[str, Any]:
    return {
        "level": "district",
        "unit_code": district,
        "indicator_code": "smart_campus_coverage",
        "indicator_year": year,
        "indicator_value": Decimal(value),
        "path_value": Decimal(path) if path else None,
        "target_year": 2025,
        "target_value": Decimal(80),
        "is_met": Decimal(value) >= 80,
    } | other


def test_a_plan_indicator_is_off_its_way_and_from_the_target_year_off_the_target() -> None:
    rows = [
        indicator("A", 2023, "60", "75"),
        indicator("A", 2024, "78", "77.5"),
        indicator("A", 2025, "76", "77"),
        indicator("B", 2024, "50", None),
        indicator("C", 2024, "85", "90"),
        indicator("city", 2025, "10", "80", level="city"),
    ]
    found = {s.district_code: s.periods for s in signals.of_plan(rows)}
    assert {d: [(p.label, p.extent) for p in own] for d, own in found.items()} == {
        "A": [("2023", 20.0), ("2024", 0.0), ("2025", 5.0)],
        # No way is known without a base; and what others reported is unknown, not met.
        "B": [("2024", None), ("2025", None)],
        "C": [("2024", 0.0), ("2025", None)],
    }


def test_returns_are_due_when_half_of_the_districts_have_sent_them() -> None:
    sent = {
        "grade_return": [
            ("A", "2024", date(2024, 9, 20)),
            *[
                ("B", "2025", date(2025, 9, 20)),
                ("C", "2025", date(2025, 9, 25)),
                ("B", "2024", date(2024, 9, 1)),
            ],
        ],
        # Of three districts one has sent it: nobody is late yet.
        "indicator_value": [("A", "2025", date(2025, 1, 1))],
    }
    (late,) = signals.of_returns(sent, ["A", "B", "C"], ON)
    assert (late.district_code, late.periods[0].extent) == ("A", 56.0)
    assert late.periods[0].facts == {"dataset": "grade_return", "period": "2025"}


def test_places_tell_the_shortest_stage_and_nothing_of_unknown_places() -> None:
    names = ("district_code", "stage_code", "school_year_start", "pupils", "places")
    told = [
        *[("A", "primary", 2025, 110.0, 100.0), ("A", "junior", 2025, 130.0, 100.0)],
        *[("A", "senior", 2025, 110.0, 0.0), ("B", "primary", 2025, 90.0, 100.0)],
        *[("C", "primary", 2025, 90.0, 100.0), ("C", "senior", 2025, 90.0, 0.0)],
    ]
    rows = [dict(zip(names, row, strict=True)) for row in told]
    found = {s.district_code: s.periods[0] for s in signals.of_places(rows, ON)}
    assert (found["A"].extent, found["A"].facts["stage"]) == (30.0, "junior")
    assert (found["B"].extent, found["C"].extent) == (0.0, None)


def test_totals_are_apart_in_percent_of_what_is_published() -> None:
    rows = [
        {"district_code": "A", "school_year_start": 2024, "ours": 95, "theirs": 100.0},
        {"district_code": "A", "school_year_start": 2023, "ours": 100, "theirs": 100.0},
        {"district_code": "B", "school_year_start": 2024, "ours": None, "theirs": 100.0},
    ]
    found = {s.district_code: [p.extent for p in s.periods] for s in signals.of_totals(rows)}
    assert found == {"A": [0.0, 5.0], "B": [None]}


def test_hazards_tell_the_longest() -> None:
    rows = [{"district_code": "A", "days_after_due": n} for n in (3, 40)]
    (found,) = signals.of_hazards(rows, ON)
    assert (found.periods[0].extent, found.periods[0].facts) == (40.0, {"count": 2})
    assert signals.kind_of(found.metric_code) == "overdue_hazards"
    assert signals.kind_of("safe_campus_rate") == signals.PLAN


def test_balance_counts_rules_that_were_judged_and_not_those_nobody_collected() -> None:
    counts = ("met_count", "not_met_count", "not_collected_count")
    names = ("standard", "district_code", "school_year_start", *counts)
    told = [
        (signals.QUALITY, "A", 2025, 15, 5, 30),
        (signals.QUALITY, "B", 2025, 0, 0, 50),
        ("basic_balance_2012", "A", 2025, 0, 2, 0),
    ]
    rows = [dict(zip(names, row, strict=True)) | {"first_failed_rule": "E4"} for row in told]
    (found,) = signals.of_balance(rows)
    assert (found.district_code, found.periods[0].extent, found.is_dated) == ("A", 25.0, False)
