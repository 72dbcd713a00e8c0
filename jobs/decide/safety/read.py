"""What the safety service reads: statements as small tables of the driver."""

from __future__ import annotations

from datetime import date

import pandas as pd

from jobs import declare
from jobs.lake.window import Window
from jobs.settings import Settings

DATASETS = (
    *("illness_report", "incident", "hazard_register", "drill", "guard_check", "alert_state", "hotline_case"),
    *("school_register", "grade_return", "pupil_roll"),
)
TABLES = tuple(declare.load()[dataset].table for dataset in DATASETS)
# The days that count where a site brings no calendar.
_WITHOUT_CALENDAR = ("2000-01-01", "2049-12-31")


def rows(
    lake: Window, dataset: str, columns: str = "", order: str = "", view: str = "newest_by_scope"
) -> pd.DataFrame:
    """Columns of a dataset (as SQL has them; else its own) in a view of the window; dates as timestamps."""
    contract = declare.load()[dataset]
    own = (name for name in contract.clean_columns() if name not in declare.STATEMENT_COLUMNS)
    named = columns or ", ".join(own)
    by = order or "all nulls last"
    found = lake.arrow(f"select {named} from {lake.of(view, dataset)} order by {by}")
    frame = found.to_pandas(date_as_object=False)
    return frame.astype(dict.fromkeys(frame.select_dtypes("datetime").columns, "datetime64[ns]"))


def calendar(settings: Settings) -> pd.DataFrame:
    """The site's school calendar as `date, is_open`; of a site without one, Monday to Friday are open."""
    if settings.calendar is None:
        days = pd.date_range(*_WITHOUT_CALENDAR)
        return pd.DataFrame({"date": days, "is_open": days.dayofweek < 5})
    rows = pd.read_csv(settings.calendar, parse_dates=["date"])
    return pd.DataFrame({"date": rows["date"], "is_open": rows["is_school_day"] == 1})


def schools(lake: Window, as_of: date) -> pd.DataFrame:
    """Open schools of the registers: `school_code, school_type_code, district_code, area_name, opened_date,
    longitude, latitude, pupil_count` (of the newest returns; null where they do not count it)."""
    names = ["school_code", "school_type_code", "district_code", "area_name", "opened_date", "closed_date"]
    names += ["longitude", "latitude"]
    register = rows(lake, "school_register", ", ".join(names), view="chosen")
    is_open = register["closed_date"].isna() | (register["closed_date"] > pd.Timestamp(as_of))
    counts = "unit_code, school_year_start, grade_key, pupil_count"
    counted = rows(lake, "grade_return", counts, view="chosen")
    by_year = counted.groupby(["unit_code", "school_year_start"])["pupil_count"].sum().reset_index()
    newest = by_year.sort_values("school_year_start").drop_duplicates("unit_code", keep="last")
    # A school that the newest returns leave out has no pupils now.
    newest = newest[newest["school_year_start"] == by_year["school_year_start"].max()]
    pupils = newest.set_index("unit_code")["pupil_count"].astype(float)
    found = register[is_open].drop(columns="closed_date").astype({"longitude": float, "latitude": float})
    found = found.assign(pupil_count=found["school_code"].map(pupils))
    return found.sort_values("school_code", ignore_index=True)


def incidents(lake: Window) -> pd.DataFrame:
    """One row per incident: what its newest report says."""
    order = ["reported_date", "delivery_no", "_file_sha256", "_line_number"]
    names = ["school_code", "incident_code", "occurred_date", "incident_type_code", "incident_level_code"]
    names += ["injured_count", "death_count"]
    newest = rows(lake, "incident", ", ".join([*names, *order])).sort_values(order)
    newest = newest.drop_duplicates(["school_code", "incident_code"], keep="last")
    return newest[names].reset_index(drop=True)


def illness(lake: Window) -> pd.DataFrame:
    """Reports of absence: `school_code, class_name, dormitory_name, dormitory_pupil_count, date,
    condition_code, absent_count, case_count, sender_code`. Cases are new ones where the report tells them,
    else the absent."""
    columns = (
        "school_code, class_name, nullif(dormitory_name, '无') as dormitory_name, dormitory_pupil_count,"
        " reported_date as date,"
        " symptom_code as condition_code, absent_count,"
        " coalesce(new_case_count, absent_count) as case_count, sender_code"
    )
    return rows(lake, "illness_report", columns, "reported_date, sender_code")


def class_sizes(lake: Window) -> dict[int, dict[tuple[str, str], int]]:
    """School year → (school, class) → pupils on the roll, of two terms the larger."""
    sizes = lake.arrow(
        "select school_year_start, school_code, class_name, max(pupils) as pupils from ("
        "select school_year_start, term, school_code, class_name, count(*) as pupils"
        f" from {lake.of('newest_by_scope', 'pupil_roll')}"
        " group by school_year_start, term, school_code, class_name) as of_term"
        " group by school_year_start, school_code, class_name"
    )
    found: dict[int, dict[tuple[str, str], int]] = {}
    for year, school, class_name, size in zip(*sizes.to_pydict().values(), strict=True):
        found.setdefault(year, {})[school, class_name] = size
    return found
