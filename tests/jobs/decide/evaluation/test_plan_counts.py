"""What the lake counts of the plan's indicators: who is in, who is missing, what is not known."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

import duckdb
import pandas as pd
import pyarrow as pa
import pytest

from jobs import declare
from jobs.decide.evaluation import plan_counts
from jobs.lake import history
from jobs.lake.window import Window

DAY = date(2025, 12, 31)
Made = Callable[..., pd.DataFrame]


@pytest.fixture
def counted() -> Made:
    """`counted(school_register=[…], …)`: the rows of 2025 by the chosen statements of each dataset."""

    def made(year: int = 2025, **given: list[dict[str, Any]]) -> pd.DataFrame:
        with duckdb.connect() as connection:
            connection.execute("create schema chosen")
            for dataset in plan_counts.DATASETS:
                table = declare.load()[dataset].table
                schema = declare.arrow_schema(declare.table_columns(table))
                rows = [{f.name: row.get(f.name) for f in schema} for row in given.get(dataset, [])]
                connection.register("given", pa.Table.from_pylist(rows, schema=schema))
                connection.execute(f"create table chosen.{table} as select * from given")
            lake = Window(history.dotted, lambda q: connection.sql(q).to_arrow_table(), connection)
            return plan_counts.expected(plan_counts.of_year(lake, year, DAY))

    return made


def school(code: str, kind: str = "21", **more: Any) -> dict[str, Any]:
    return {
        "school_code": code,
        "district_code": "110101",
        "school_type_code": kind,
        "ownership_code": "public",
    } | more


def teachers(code: str, stage: str | None, degrees: list[str | None], **more: Any) -> list[dict[str, Any]]:
    return [
        {"school_code": code, "stage_code": stage, "staff_post_code": "teacher", "education_level_code": d}
        | more
        for d in degrees
    ]


def pupils(code: str, grade: str, count: int, year: int = 2025) -> dict[str, Any]:
    return {"unit_code": code, "grade_key": grade, "pupil_count": count, "school_year_start": year}


def sums(rows: pd.DataFrame, code: str, missing: bool = False) -> tuple[int, int, int]:
    own = rows[(rows["indicator_code"] == code) & rows["is_in_scope"] & (rows["is_missing"] == missing)]
    yes, known, unknown = (int(own[c].sum()) for c in ("yes_count", "known_count", "unknown_count"))
    return yes, known, unknown


def test_recognitions_are_counted_of_open_schools_and_green_ones_without_kindergartens(counted: Made) -> None:
    rows = counted(
        school_register=[
            school("a", is_smart_campus=True, is_green_school=False),
            school("b", is_smart_campus=False, is_green_school=True),
            school("c", is_smart_campus=None, is_green_school=True),
            school("k", kind="11", is_smart_campus=True, is_green_school=True),
            school("closed", is_smart_campus=True, closed_date=date(2025, 8, 1)),
            school("coming", is_smart_campus=True, opened_date=date(2026, 9, 1)),
        ]
    )
    assert sums(rows, "smart_campus_coverage") == (2, 3, 1)
    assert sums(rows, "green_school_rate") == (2, 3, 0)


def test_children_of_inclusive_kindergartens_are_counted_and_one_without_a_return_is_missing(
    counted: Made,
) -> None:
    rows = counted(
        school_register=[
            school("public", kind="11"),
            school("inclusive", kind="11", ownership_code="private", is_inclusive_kindergarten=True),
            school("other", kind="11", ownership_code="private", is_inclusive_kindergarten=False),
            school("untold", kind="11", ownership_code="private"),
            school("silent", kind="11"),
            school("primary"),
        ],
        grade_return=[
            pupils("public", "K1", 100),
            pupils("inclusive", "K2", 50),
            pupils("other", "K3", 40),
            pupils("untold", "K1", 7),
            pupils("public", "K1", 999, year=2024),
            pupils("primary", "P1", 30),
        ],
    )
    assert sums(rows, "inclusive_kindergarten_coverage") == (150, 190, 7)
    (silent,) = rows[rows["is_missing"]].to_dict("records")
    assert silent["school_code"] == "silent"
    # as many children as the mean kindergarten has, at the district's rate
    assert (silent["yes_count"], silent["known_count"]) == (38, 48)


def test_degrees_count_primary_and_junior_and_know_the_rest(counted: Made) -> None:
    rows = counted(
        school_register=[school("p"), school("m", kind="34"), school("v", kind="36"), school("silent")],
        staff_register=[
            *teachers("p", "primary", ["bachelor", "master", "associate", None]),
            *teachers("m", "junior", ["doctor"]),
            *teachers("m", "senior", ["master", "master"]),
            *teachers("p", None, ["bachelor"], staff_post_code="worker"),
            *teachers("p", "primary", ["bachelor"], staff_post_code=None),
            *teachers("v", None, ["bachelor"] * 3, is_dual_qualified=True),
            *teachers("v", None, ["bachelor"], is_dual_qualified=False),
        ],
        grade_return=[pupils("p", "P1", 30), pupils("silent", "P2", 20), pupils("m", "S1", 20)],
    )
    assert sums(rows, "dual_qualified_vocational_teacher_share") == (3, 4, 0)
    # who has no stage teaches what the kind of school teaches; a post that nobody mapped may be a teacher's
    code = "compulsory_teacher_bachelor_share"
    own = rows[rows["indicator_code"] == code]
    assert sums(own, code) == (3, 4, 2)
    outside = own[~own["is_in_scope"]]
    assert outside[["school_code", "stage_code", "yes_count"]].values.tolist() == [
        ["m", "senior", 2.0],
        ["v", None, 4.0],
    ]
    assert own[own["is_missing"]]["school_code"].tolist() == ["silent"]


def test_training_of_teachers_in_kindergartens(counted: Made) -> None:
    rows = counted(
        school_register=[school("k", kind="11"), school("silent", kind="11")],
        staff_register=[
            *teachers("k", "kindergarten", ["bachelor"] * 3, has_preschool_training=True),
            *teachers("k", "kindergarten", ["bachelor"], has_preschool_training=False),
            *teachers("k", "kindergarten", ["bachelor"]),
        ],
        grade_return=[pupils("k", "K1", 30), pupils("silent", "K1", 20)],
    )
    code = "preschool_teacher_professional_education"
    assert sums(rows, code) == (3, 4, 1)
    assert sums(rows, code, missing=True) == (3, 4, 0)


def test_entrants_of_the_year_and_first_grades_that_nobody_registered(counted: Made) -> None:
    rows = counted(
        school_register=[school("p"), school("silent"), school("m", kind="31")],
        grade_return=[pupils("p", "P1", 4), pupils("silent", "P1", 20), pupils("m", "J1", 20)],
        pupil_registration=[
            *({"school_code": "p", "entry_month": "202509", "entry_method_code": "11"} for _ in range(3)),
            {"school_code": "p", "entry_month": "202509", "entry_method_code": "12"},
            {"school_code": "p", "entry_month": "202509"},
            {"school_code": "p", "entry_month": "202409", "entry_method_code": "11"},
        ],
    )
    assert sums(rows, "nearby_enrollment_rate") == (3, 4, 1)
    assert sums(rows, "nearby_enrollment_rate", missing=True) == (15, 20, 0)


def test_a_year_without_a_register_is_not_counted(counted: Made) -> None:
    assert counted(grade_return=[pupils("p", "P1", 4)]).empty
    bare = counted(school_register=[school("p")])
    assert not bare["is_missing"].any(), "nobody handed anything in: nobody is missing"
