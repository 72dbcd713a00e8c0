"""What of a mart may be summed, as declared: kinds, exceptions, refusals."""

from __future__ import annotations

import pytest
import yaml

from jobs.declare import ContractError, additive
from jobs.publish import marts

GRAIN = ["unit_level", "unit_code", "school_year_start", "grade_key"]


def over(mart: str, column: str, grain: list[str] = GRAIN) -> object:
    told = additive.told(mart, {column: "integer"}, grain)
    return told[column]["additive_over"] if column in told else None


def test_who_is_there_is_summed_over_all_keys_but_times_and_levels() -> None:
    assert over("fct_any", "pupil_count") == ["unit_code", "grade_key"]


def test_what_happens_is_summed_over_times_too() -> None:
    assert over("pub_safety_district_year", "incident_count") == [
        "unit_code",
        "school_year_start",
        "grade_key",
    ]


def test_shares_and_bounds_are_never_summed() -> None:
    assert over("fct_any", "pass_share") == []
    assert over("fct_any", "lower_80_count") == []


def test_keys_and_attributes_are_no_measures() -> None:
    assert over("fct_any", "school_year_start") is None
    assert over("fct_any", "base_year") is None
    assert additive.told("fct_any", {"grade_key": "varchar"}, GRAIN) == {}


def test_a_mart_may_say_otherwise_of_its_own_column() -> None:
    grain = ["result_kind", "unit_level", "unit_code", "grade_key", "sex_code", "item_code"]
    assert over("fct_fitness_item", "scored_count", grain) == ["unit_code", "grade_key", "sex_code"]


def test_a_number_that_nothing_declares_is_refused() -> None:
    with pytest.raises(ContractError, match=r"fct_any\.zebra: may it be summed"):
        over("fct_any", "zebra")


def test_a_key_that_the_mart_has_not_is_refused() -> None:
    with pytest.raises(ContractError, match=r"item_code|sex_code"):
        over("fct_fitness_item", "scored_count")


def test_totals_are_marked_by_the_name_of_their_key() -> None:
    assert [additive.mark_of(key) for key in ("grade_key", "sex_code", "district")] == [
        "is_grade_total",
        "is_sex_total",
        "is_district_total",
    ]


def test_every_declared_name_is_that_of_a_column() -> None:
    columns = {}
    for path in sorted((marts.PROJECT / "models" / "marts").rglob("*.yml")):
        (model,) = yaml.safe_load(path.read_text("utf-8"))["models"]
        columns[path.stem] = [column["name"] for column in model["columns"]]
    assert additive.unused(columns) == []
    assert len(columns) > 60
