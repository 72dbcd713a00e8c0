"""Merged, recoded and reopened schools in `dim_school`, from a lake whose deliveries came out of order."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

import duckdb

STAYS, MERGED, RECODED, NEW, AGAIN = (f"211100000{n}" for n in range(1, 6))


def test_a_merged_and_a_recoded_school_end_that_day_and_name_who_goes_on(
    make_lake: Callable[[str], Any],
) -> None:
    lake = make_lake("beijing")
    day = date(2024, 9, 1)
    changes: list[dict[str, Any]] = [
        {"from_school_code": RECODED, "to_school_code": NEW, "change_kind_code": "recode"},
        {"from_school_code": MERGED, "to_school_code": RECODED, "change_kind_code": "merge"},
        {"from_school_code": STAYS, "to_school_code": STAYS, "change_kind_code": "rename"},
        {"from_school_code": AGAIN, "to_school_code": STAYS, "change_kind_code": "merge"},
    ]
    days = [day, date(2023, 9, 1), day, date(2010, 9, 1)]
    stated = [c | {"change_date": d, "valid_from": d} for c, d in zip(changes, days, strict=True)]
    # The last step was told first, and the register goes on with every code.
    lake.state("clean_enrollment__school_change", stated[:1], "2024-09-11")
    opened = {AGAIN: date(2015, 9, 1)}
    register = [
        {
            "school_code": code,
            "school_name": code,
            "district_code": "110101",
            "school_type_code": "21",
            "opened_date": opened.get(code, date(2001, 9, 1)),
        }
        for code in (STAYS, MERGED, RECODED, NEW, AGAIN)
    ]
    lake.state("clean_enrollment__school", register, "2025-09-10")
    lake.state("clean_enrollment__school_change", stated[1:], "2025-09-12")
    built = lake.build()
    with duckdb.connect(str(built.file), read_only=True) as connection:
        found = connection.execute(
            "select school_code, is_open, closed_date, successor_school_code from dim_school order by all"
        ).fetchall()
    assert found == [
        (STAYS, True, None, None),
        (MERGED, False, date(2023, 9, 1), NEW),
        (RECODED, False, day, NEW),
        (NEW, True, None, None),
        # The code was given out again after it had ended.
        (AGAIN, True, None, None),
    ]
