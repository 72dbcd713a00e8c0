"""What comparing reads from the lake, counted by school and grade before it reaches this process."""

from __future__ import annotations

from datetime import date

import pandas as pd

from jobs import clock
from jobs.decide.evaluation.compare.context import contexts
from jobs.lake.window import Window

DATASETS = ("school_register", "grade_return", "pupil_roll", "roll_change")


def schools(lake: Window, day: date) -> pd.DataFrame:
    """One row an open school and stage, with what it is compared by."""
    register = lake.frame(
        "select school_code, district_code, school_type_code, closed_date"
        f" from {lake.of('chosen', 'school_register')}"
    )
    counts = lake.frame(
        "select unit_code as school_code, school_year_start, grade_key, pupil_count"
        f" from {lake.of('chosen', 'grade_return')}"
    )
    # Shares need no pupil counted once among senders, which would cost more than all the rest.
    roll = lake.frame(
        "select school_code, grade_key, school_year_start, term,"
        " sum(case when is_migrant_child then 1 else 0 end) as migrants,"
        " count(is_migrant_child) as migrants_known,"
        " sum(case when attendance_mode_code = '2' then 1 else 0 end) as boarders,"
        " count(attendance_mode_code) as boarders_known"
        f" from {lake.of('newest_by_scope', 'pupil_roll')} where pupil_status_code = '1'"
        " group by school_code, grade_key, school_year_start, term"
    )
    year = clock.school_year(day)
    since, until = clock.first_day(year - 1), clock.first_day(year)
    transfers = lake.frame(
        "select sender_code, school_code, grade_key, count(*) as moves"
        f" from {lake.of('newest_by_scope', 'roll_change')}"
        " where roll_change_kind_code in ('transfer_in', 'transfer_out')"
        f" and change_date >= date '{since}' and change_date < date '{until}'"
        " group by sender_code, school_code, grade_key"
    )
    return contexts(register, counts, roll, transfers, day)
