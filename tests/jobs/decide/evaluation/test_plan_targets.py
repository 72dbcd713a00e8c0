"""Which target a year faces, and the straight way to it."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from jobs.decide.evaluation.plan_targets import Targets

ROW = {
    "plan_code": "p14",
    "indicator_code": "x",
    "unit": "%",
    "base_year": "2020",
    "base_value": "80",
    "target_year": "2025",
    "target_value": "90",
    "target_operator": "ge",
    "direction": "up",
    "valid_from": "2021-01-01",
    "valid_to": "",
}
NEXT = ROW | {"plan_code": "p15", "base_year": "2025", "target_year": "2030", "valid_from": "2025-11-01"}
ON = date(2031, 3, 1)


def test_the_plan_has_twelve_indicators_once_it_is_known() -> None:
    assert len(Targets(ON).codes()) == 12
    assert Targets(date(2020, 12, 31)).codes() == []


@pytest.mark.parametrize(
    ("year", "plan"),
    [(2019, "p14"), (2020, "p14"), (2021, "p14"), (2025, "p14"), (2026, "p15"), (2030, "p15"), (2033, "p15")],
)
def test_a_year_faces_the_newest_plan_whose_base_lies_before_it(year: int, plan: str) -> None:
    for old in (ROW, ROW | {"valid_to": NEXT["valid_from"]}):
        target = Targets(ON, [NEXT, old]).of("x", year)
        assert target is not None
        assert target.plan_code == plan


def test_what_a_run_does_not_know_yet_counts_for_nothing() -> None:
    target = Targets(date(2025, 10, 31), [ROW, NEXT]).of("x", 2026)
    assert target is not None
    assert target.plan_code == "p14"


def test_an_amended_target_holds_from_its_year_and_an_indicator_dropped_has_none() -> None:
    amended = ROW | {"target_value": "92", "valid_from": "2023-07-01"}
    targets = Targets(ON, [ROW | {"valid_to": "2023-07-01"}, amended | {"valid_to": "2026-01-01"}])
    found = {year: targets.of("x", year) for year in (2022, 2023, 2026)}
    assert [t.value if t else None for t in found.values()] == [90, 92, None]
    assert targets.of("y", 2022) is None


@pytest.mark.parametrize(
    ("direction", "start", "path"),
    [
        ("up", 80, [80, 84, 90, 90]),
        ("up", 95, [90, 90, 90, 90]),
        ("hold", 95, [95, 95, 95, 95]),
        ("hold", 80, [80, 84, 90, 90]),
    ],
)
def test_the_path_is_straight_and_ends_at_the_target(direction: str, start: int, path: list[int]) -> None:
    target = Targets(ON, [ROW | {"direction": direction}]).of("x", 2022)
    assert target is not None
    assert [target.path(year, 2020, Decimal(start)) for year in (2020, 2022, 2025, 2027)] == path


@pytest.mark.parametrize(("operator", "met"), [("gt", False), ("ge", True), ("eq", True)])
def test_only_more_than_is_not_met_by_the_target_itself(operator: str, met: bool) -> None:
    target = Targets(ON, [ROW | {"target_operator": operator}]).of("x", 2022)
    assert target is not None
    assert target.is_met(Decimal(90)) is met
