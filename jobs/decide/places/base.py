"""The published decisions of the places service as the base of scenarios, read without Spark."""

from __future__ import annotations

from datetime import date

import pandas as pd

from jobs import declare
from jobs.decide.places import supply
from jobs.decide.places.gap import UNIT_80
from jobs.decide.places.scenario import KEY, Base
from jobs.declare import standards
from jobs.lake import asof
from jobs.settings import Settings, UserError


def load(settings: Settings, day: date) -> Base:
    """Districts' forecast, its parts, places, classes and projects as they stood on `day`.

    Raises UserError for a site without places.
    """
    rows = _frame(
        settings,
        "select district_code, stage_code, school_year_start, forecast::double as forecast,"
        f" (upper_80 - lower_80)::double / {2 * UNIT_80!r} as spread,"
        " existing_place_count::double as existing"
        " from decision_places__gap where level = 'district'",
        day,
    )
    if rows.empty:
        raise UserError(
            f"{settings.site} knows no places.", "Scenarios need registers of schools with their places."
        )
    stage_of = {row["code"]: row["stage_code"] for row in declare.code_list("grade").rows}
    parts = _frame(
        settings,
        "select district_code, grade_key, school_year_start, is_birth_known, is_entrant_forecast,"
        " coalesce(birth_count::double * entry_ratio * progression_ratio, 0) as product"
        " from decision_places__part where level = 'district' and birth_count is not null",
        day,
    )
    parts = parts.assign(stage_code=parts["grade_key"].map(stage_of))
    classes = _frame(
        settings,
        "select schools.district_code, places.stage_code, sum(places.class_count)::integer as class_count"
        " from decision_places__supply as places"
        " inner join clean_enrollment__school as schools using (school_code) group by all",
        day,
    )
    projects = _frame(
        settings,
        "select project_code, district_code, area_name, stage_code, place_count, planned_opening_date,"
        " expected_opening_date, actual_opening_date, project_status_code"
        " from clean_places__capacity_project",
        day,
    )
    for name in ("planned_opening_date", "expected_opening_date", "actual_opening_date"):
        projects[name] = projects[name].astype(object)
    shares = supply.opening_shares(projects, day, standards.frame("places/opening_delay", day, needed=True))
    years = sorted(rows["school_year_start"].unique())
    coming = supply.coming_places(projects, day, years, shares)
    columns = ["project_code", "district_code", "stage_code", "place_count"]
    chances = [
        (*key, dict(zip(mine["school_year_start"], mine["open_probability"], strict=True)))
        for key, mine in coming.groupby(columns, sort=True)
    ]
    of = {(d, s): int(n) for d, s, n in classes.itertuples(index=False, name=None)}
    return Base(
        rows,
        parts[[*KEY, "is_birth_known", "is_entrant_forecast", "product"]],
        pd.DataFrame(chances, columns=[*columns, "chance"]),
        of,
    )


def _frame(settings: Settings, query: str, day: date) -> pd.DataFrame:
    columns, rows = asof.query(settings, query, day)
    return pd.DataFrame(rows, columns=columns)
