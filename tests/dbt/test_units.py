"""One unit a kind of number: shares are 0 to 1 in every mart, and what has another unit says which."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from jobs.publish import marts

# Shares of something else than their whole, so that they may exceed 1: what each is taken of.
OVER_ONE = {
    "occupancy_share": "places, of which a full school has fewer than pupils",
    "entry_occupancy_share": "places, of which a full unit has fewer than pupils",
    "city_gap_share": "a share less that of the city, below nought where it is smaller",
    "opened_of_target_share": "a target",
    "opened_of_due_share": "a plan's step",
    "progress_share": "the way from base to target",
    "mobility_share": "pupils, of whom many may come and go in a year",
    "difference_share": "another count",
    "bias_share": "the value that was missed",
    "mape_share": "the value that was missed",
    "interval_score_80_share": "the value that was missed",
    "implied_error_share": "the value that was missed",
    "model_error_share": "the value that was missed",
    "gap_to_target_share": "a share less a share, below nought where the target is missed",
}
# Columns in a unit that stands in the same row, or in dim_metric.
UNIT_BESIDE = {
    "criterion_value": {"criterion_unit"},
    "criterion_threshold": {"criterion_unit"},
    "value": {"rule_unit"},
    "reported_value": {"rule_unit"},
    "threshold": {"rule_unit", "indicator_code"},
    "off_extent": {"supervised_metric_code"},
}
NUMBERS = ("integer", "bigint", "decimal", "double")


def columns() -> Iterator[tuple[str, dict[str, Any], set[str]]]:
    """Each number of each mart, with the names of all columns beside it."""
    for path in sorted((marts.PROJECT / "models" / "marts").rglob("*.yml")):
        (model,) = yaml.safe_load(path.read_text("utf-8"))["models"]
        for column in model["columns"]:
            if column["data_type"].startswith(NUMBERS):
                yield path.stem, column, {other["name"] for other in model["columns"]}


def faults(mart: str, column: dict[str, Any], beside: set[str]) -> Iterator[str]:
    """What is wrong with the unit of a number, in words."""
    name, meaning = column["name"], column["description"]
    least, most = column["config"]["meta"]["between"]
    if name.endswith("_share") and [least, most] != [0, 1] and name not in OVER_ONE:
        yield f"{mart}.{name} is no share of its whole and may be {least} to {most}"
    if re.search(r"_(percent|pct|ratio_100)$|^(percent|pct)_", name):
        yield f"{mart}.{name}: percent belongs on pages"
    if re.search(r"_rate(_|$)", name) and "per 1,000" not in meaning and "rate's" not in meaning:
        yield f"{mart}.{name} names no unit: a share ends in _share"
    if re.search(r"\b(in|of) percent\b|percent of", meaning) and not UNIT_BESIDE.get(name, set()) & beside:
        yield f"{mart}.{name} is in percent: {meaning}"
    if re.match(r"Share of|Share rated", meaning) and not name.endswith("_share"):
        yield f"{mart}.{name} is a share by another name"
    if name in UNIT_BESIDE and not UNIT_BESIDE[name] & beside:
        yield f"{mart}.{name} stands without {' or '.join(sorted(UNIT_BESIDE[name]))}"


def test_every_number_is_in_the_unit_that_its_name_says() -> None:
    found = list(columns())
    assert len(found) > 350
    assert [fault for one in found for fault in faults(*one)] == []


def test_every_exception_is_in_use() -> None:
    names = {column["name"] for _, column, _ in columns()}
    assert (OVER_ONE.keys() | UNIT_BESIDE.keys()) - names == set()


@pytest.mark.parametrize(
    ("name", "meaning", "between"),
    [
        ("good_percent", "Good of all", [0, 100]),
        ("pass_rate", "Pass of all", [0, 1]),
        ("pass_share", "Pass of all, 0 to 1", [0, 100]),
        ("score_of_all", "Mean error in percent of the value", [0, None]),
        ("passed", "Share of pupils who pass", [0, 1]),
        ("threshold", "What the standard asks for", [0, None]),
    ],
)
def test_another_unit_is_found(name: str, meaning: str, between: list[float | None]) -> None:
    column = {"name": name, "description": meaning, "config": {"meta": {"between": between}}}
    assert len(list(faults("fct_any", column, {name}))) == 1
