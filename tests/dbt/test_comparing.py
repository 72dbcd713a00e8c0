"""Comparing in the marts: intervals as right as they say, ranks shared by all who are alike, the ladder."""

from __future__ import annotations

import re
from collections.abc import Callable
from math import erf, sqrt
from typing import Any

import duckdb
import jinja2
import numpy as np
import pandas as pd
import pytest

from jobs.publish import marts

Rows = Callable[[str], list[tuple[Any, ...]]]
DRAWS = 3_000


def macros() -> Any:
    texts = [
        (marts.PROJECT / "macros" / f"{name}.sql").read_text("utf-8") for name in ("fitness", "comparing")
    ]
    return jinja2.Environment(extensions=["jinja2.ext.do"]).from_string("\n".join(texts)).module


def asked(query: str, **tables: pd.DataFrame) -> pd.DataFrame:
    with duckdb.connect() as db:
        for name, rows in tables.items():
            db.register(name, rows)
        return db.sql(query).df()


@pytest.mark.parametrize("noise", [0.0, 0.15, 0.3])
@pytest.mark.parametrize(("count", "place"), [(30, None), (12, None), (30, 1.6)])
def test_nineteen_of_twenty_intervals_hold_the_true_share(
    noise: float, count: int, place: float | None
) -> None:
    """Of schools drawn from a city, all measured with the same noise; `place`: only those near one place."""
    rng = np.random.default_rng(count)
    own = rng.normal(0, 1, DRAWS) if place is None else np.full(DRAWS, place)
    truth = np.array([0.5 * (1 + erf(value / sqrt(2))) for value in own])
    others = rng.normal(0, 1, (DRAWS, count)) + rng.normal(0, noise, (DRAWS, count))
    seen = own + rng.normal(0, noise, DRAWS)
    ends = {side: seen + sign * 1.96 * noise for side, sign in (("low", -1), ("high", 1))}
    cells = pd.DataFrame({"share": (others < seen[:, None]).mean(axis=1), "n": count})
    for side, end in ends.items():
        cells[f"at_{side}"] = (others < end[:, None]).mean(axis=1)
    low, high = (macros().position_bound("share", f"at_{side}", "n", side) for side in ("low", "high"))
    found = asked(f"select ({low})::double as low, ({high})::double as high, share from cells", cells=cells)
    assert found["low"].min() >= 0
    assert found["high"].max() <= 1
    assert ((found["low"] <= found["share"] + 1e-9) & (found["share"] <= found["high"] + 1e-9)).all()
    assert ((found["low"] <= truth + 1e-9) & (truth <= found["high"] + 1e-9)).mean() >= 0.93


def ranks(units: pd.DataFrame, direction: str = "up") -> dict[str, int]:
    units = units.assign(direction=direction, cell=1)
    query = str(macros().shared_ranks("units", ["cell"]))
    found = asked(query, units=units)
    return dict(zip(found["unit_code"], found["shared_rank"].tolist(), strict=True))


def some_units(seed: int, count: int = 25) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    low = np.round(rng.uniform(0, 100, count), 1)
    codes = [f"{n:03d}" for n in range(count)]
    return pd.DataFrame(
        {"unit_code": codes, "unit_low": low, "unit_high": low + rng.choice([0, 1, 6], count)}
    )


@pytest.mark.parametrize("seed", range(5))
def test_units_that_cannot_be_told_apart_share_a_rank_whatever_the_order(seed: int) -> None:
    units = some_units(seed)
    found = ranks(units)
    rows = list(units.itertuples(index=False))
    for one in rows:
        for other in rows:
            if one.unit_low <= other.unit_high and other.unit_low <= one.unit_high:
                assert found[one.unit_code] == found[other.unit_code]
            elif found[one.unit_code] != found[other.unit_code]:
                assert (one.unit_low > other.unit_high) == (found[one.unit_code] < found[other.unit_code])
    assert ranks(units.sample(frac=1, random_state=seed)) == found
    # A rank counts all that are better; from the other end it is the mirror.
    assert all(rank == 1 + sum(r < rank for r in found.values()) for rank in found.values())
    mirrored = units.assign(unit_low=-units["unit_high"], unit_high=-units["unit_low"])
    assert ranks(mirrored, "down") == found


def test_a_chain_shares_a_rank_and_a_gap_ends_it() -> None:
    names = ["unit_code", "unit_low", "unit_high"]
    units = pd.DataFrame(
        [("a", 0, 2), ("b", 2, 4), ("c", 3, 6), ("d", 7, 8), ("e", 9, 9), ("f", 9, 9)], columns=names
    )
    assert ranks(units) == {"a": 4, "b": 4, "c": 4, "d": 3, "e": 1, "f": 1}
    assert ranks(units, "down") == {"a": 1, "b": 1, "c": 1, "d": 4, "e": 5, "f": 5}


def test_intervals_that_just_touch_differ_at_five_percent() -> None:
    bound = macros().comparison_bound
    ends = pd.DataFrame({"value": [10.0], "low": [10 - 1.96], "high": [10 + 1.96]})
    found = asked(
        f"select {bound('value', 'low')} as low, {bound('value', 'high')} as high from ends", ends=ends
    )
    assert found["high"][0] - found["low"][0] == pytest.approx(1.96 * sqrt(2))


def test_no_public_table_ranks_or_places_a_school(city: marts.BuildResult) -> None:
    telling = re.compile(r"rank|position|similar|comparator|ladder|supervis")
    with duckdb.connect(str(city.file), read_only=True) as db:
        columns = db.sql("select table_name, column_name from information_schema.columns").fetchall()
    public = {name for name, _ in columns if name.startswith("pub_")}
    assert len(public) >= 6
    assert [
        c for c in columns if c[0] in public and (telling.search(c[1]) or c[1].startswith("school_code"))
    ] == []
    # Tables that rank say so in their YAML: none of them is public.
    ranking = {name for name, column in columns if column in ("shared_rank", "similar_order", "set_position")}
    assert {"fct_school_position", "fct_district_position", "fct_similar_school"} <= ranking
    for path in (marts.PROJECT / "models" / "marts").rglob("*.yml"):
        if path.stem in ranking:
            assert "public: true" not in path.read_text("utf-8"), path


def test_schools_without_a_set_have_a_reason_and_no_sentence(rows: Rows) -> None:
    found = rows(
        "select distinct school_code, set_position, position_zh, shared_rank, missing_reason"
        " from fct_school_position"
    )
    assert ("2111000001", None, None, None, "too_few_values") in found
    assert all(row[1:4] == (None, None, None) and row[4] for row in found)


def test_the_ladder_shows_who_stands_where_and_each_change_once(rows: Rows) -> None:
    found = rows(
        "select district_code, supervised_metric_code, supervision_step_zh, step_number, days_on_step,"
        " condition_state from fct_supervision_ladder order by all"
    )
    assert found == [
        ("110101", "smart_campus_coverage", "预警", 1, 11, "ended"),
        ("110119", "overdue_hazards", "通报", 3, 0, "holds"),
    ]
    # The run of the tenth said the same again; the lifted one is history alone.
    changes = rows(
        "select district_code, supervised_metric_code, change_number, last_step_code, supervision_step_zh,"
        " condition_state, step_cause, supervision_document_number from fct_supervision_ladder_change"
        " order by all"
    )
    assert changes == [
        ("110101", "smart_campus_coverage", 1, None, "预警", "holds", "rule", None),
        ("110101", "smart_campus_coverage", 2, None, "预警", "ended", "rule", None),
        ("110119", "green_school_rate", 1, None, "预警", "holds", "rule", None),
        ("110119", "green_school_rate", 2, "warning", "解除", "ended", "rectified", "京教督〔2025〕1号"),
        ("110119", "overdue_hazards", 1, "reminder", "通报", "holds", "rule", None),
    ]
