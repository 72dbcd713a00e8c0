"""From files to marts: each district of the synthetic city stands before the law as its truth says."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from datetime import date

import duckdb
import pytest

from jobs.decide.evaluation.balance import standard
from jobs.publish import release
from jobs.settings import Settings

QUALITY, PRESCHOOL = "quality_balance_2017", "preschool_access_2020"
Row = dict[str, str]


@pytest.fixture(scope="module")
def marts(lake: Settings) -> Iterator[duckdb.DuckDBPyConnection]:
    published = release.current(lake)
    assert published is not None
    with release.open_release(published, "full") as opened:
        yield opened


@pytest.fixture(scope="module")
def truth(lake: Settings) -> list[Row]:
    with (lake.home / "truth" / "balance_district.csv").open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


def told(row: Row) -> tuple[str | None, ...]:
    names = ("verdict", "first_failed_gate", "first_failed_rule", "first_failed_state")
    return tuple(row[name] or None for name in names)


def _verdicts(marts: duckdb.DuckDBPyConnection, standard: str) -> dict[str, tuple[str | None, ...]]:
    rows = marts.execute(
        "select district_code, verdict, first_failed_gate, first_failed_rule, first_failed_state"
        " from fct_balance_verdict where standard = ?",
        [standard],
    ).fetchall()
    return {code: tuple(found) for code, *found in rows}


def test_preschool_access_of_every_district_is_the_truth(
    marts: duckdb.DuckDBPyConnection, truth: list[Row]
) -> None:
    expected = {row["district_code"]: told(row) for row in truth if row["standard"] == PRESCHOOL}
    assert len(expected) == 16
    assert _verdicts(marts, PRESCHOOL) == expected


def test_quality_balance_of_every_district_is_the_truth(
    marts: duckdb.DuckDBPyConnection, truth: list[Row]
) -> None:
    """Schools of this smallest city are so small that whole rooms and devices differ beyond a limit that no
    profile means to break; such a district is held to the state of its profile's own rule."""
    named = {row["district_code"]: row for row in truth if row["standard"] == QUALITY}
    beyond = {
        code
        for (code,) in marts.execute(
            "select distinct district_code from fct_balance_coefficient"
            " where standard = ? and verdict = 'fail'"
            " or indicator_code = 'B_COMPOSITE' and coefficient_of_variation > 0.5",
            [QUALITY],
        ).fetchall()
        if named[code]["first_failed_rule"] != "E4"
    }
    found = _verdicts(marts, QUALITY)
    exact = {code: told(row) for code, row in named.items() if code not in beyond}
    assert {code: found[code] for code in exact} == exact
    assert len(exact) >= 8
    states = {
        (code, rule): state
        for code, rule, state in marts.execute(
            "select district_code, rule_code, state from fct_balance_rule where standard = ?"
            " and state in ('not_met', 'not_collected')",
            [QUALITY],
        ).fetchall()
    }
    for code, row in named.items():
        if rule := row["first_failed_rule"]:
            assert states[code, rule] == row["first_failed_state"], (code, rule)


def test_every_district_has_every_standard_rule_and_gate(marts: duckdb.DuckDBPyConnection) -> None:
    counts = marts.execute(
        "select count(distinct district_code), count(distinct standard) from fct_balance_verdict"
    ).fetchone()
    assert counts == (16, 3)
    rules = marts.execute(
        "select count(distinct rule_code) from fct_balance_rule where standard = ? group by district_code",
        [QUALITY],
    ).fetchall()
    assert {count for (count,) in rules} == {len(_rule_codes())}
    gates = marts.execute(
        "select count(*) from pub_balance_gate where standard = ? group by district_code", [QUALITY]
    ).fetchall()
    assert {count for (count,) in gates} == {6}


def _rule_codes() -> set[str]:
    return {rule.rule_code for rule in standard.read(QUALITY, date(2025, 11, 20)).gate_rules}
