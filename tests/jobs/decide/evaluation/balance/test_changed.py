"""What a failing district would take, as rows of the lake: cost, schools, and why nothing can be told."""

from __future__ import annotations

from decimal import Decimal

import pytest

from jobs.decide.evaluation.balance import changed
from jobs.decide.evaluation.balance.takes import takes

from .whole_district import City


def short(city: City) -> City:
    """Two indicators of one school are short."""
    city.schools[0].register |= {"teaching_area_m2": Decimal(5400), "multimedia_classroom_count": 22}
    return city


def test_a_district_that_passes_takes_nothing() -> None:
    assert City().decided()["change"] == []


def test_the_cheapest_change_is_listed_by_school_with_its_cost() -> None:
    city = short(City())
    # 2.2 rooms a hundred: the 23rd is the cheaper way to six of seven, and 4.4 m² reach 85 % of 4.5
    (row,) = city.decided()["change"]
    assert (row["school_code"], row["change_kind"], row["resource"], row["amount"]) == (
        *("p1", "add", "multimedia_classrooms"),
        1,
    )
    assert row["cost_yuan"] == Decimal("80000.00")
    assert row["least_cost_yuan"] <= row["cost_yuan"]
    city.schools[0].register["multimedia_classroom_count"] = 23
    assert city.verdict()["verdict"] == "pass", "the change is enough"


def test_a_group_with_an_unknown_quantity_says_so() -> None:
    city = short(City())
    city.schools[1].register["sports_area_m2"] = None
    (row,) = city.decided()["change"]
    assert (row["stage_code"], row["school_code"], row["missing_reason"]) == (
        "primary",
        None,
        "not_collected",
    )


def test_a_run_has_time_for_so_many_schools(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(changed, "MOST_SCHOOLS", 1)
    (row,) = short(City()).decided()["change"]
    assert row["missing_reason"] == "too_many_schools"


def test_a_programme_without_an_answer_stops_no_run(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> object:
        raise ArithmeticError

    assert changed.takes is takes
    monkeypatch.setattr(changed, "takes", fails)
    (row,) = short(City()).decided()["change"]
    assert row["missing_reason"] == "no_answer"
