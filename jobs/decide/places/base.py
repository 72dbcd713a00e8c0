"""The published decisions of the places service as the base of scenarios, read without Spark."""

from __future__ import annotations

from datetime import date

import pandas as pd

from jobs import declare
from jobs.decide.places import supply
from jobs.decide.places.gap import UNIT_80
from jobs.decide.places.scenario import KEY, Base
from jobs.declare import standards
from jobs.lake import window
from jobs.settings import Settings, UserError


def load(settings: Settings, day: date) -> Base:
    """Districts' forecast, its parts, places, classes and projects as they stood on `day`.

    Raises UserError for a site without places.
    """
    decided = [f"decision_places__{name}" for name in ("gap", "part", "supply")]
    datasets = [*decided, "school_register", "capacity_project"]
    with window.opened(settings, day, window.newest_known(settings), datasets) as lake:
        gap, part, supplied = (lake.of("in_force", table) for table in decided)
        rows = lake.frame(
            "select district_code, stage_code, school_year_start, cast(forecast as double) as forecast,"
            f" cast(upper_80 - lower_80 as double) / {2 * UNIT_80!r} as spread,"
            " cast(existing_place_count as double) as existing"
            f" from {gap} where level = 'district'"
        )
        parts = lake.frame(
            "select district_code, grade_key, school_year_start, is_birth_known, is_entrant_forecast,"
            " coalesce(cast(birth_count as double) * entry_ratio * progression_ratio, 0) as product"
            f" from {part} where level = 'district' and birth_count is not null"
        )
        classes = lake.frame(
            "select school.district_code, place.stage_code,"
            " cast(sum(place.class_count) as integer) as class_count"
            f" from {supplied} as place inner join {lake.of('chosen', 'school_register')} as school"
            " on place.school_code = school.school_code group by school.district_code, place.stage_code"
        )
        projects = lake.frame(
            "select project_code, district_code, area_name, stage_code, place_count, planned_opening_date,"
            " expected_opening_date, actual_opening_date, project_status_code"
            f" from {lake.of('chosen', 'capacity_project')}"
        )
    if rows.empty:
        raise UserError(
            f"{settings.site} knows no places.", "Scenarios need registers of schools with their places."
        )
    stage_of = {row["code"]: row["stage_code"] for row in declare.code_list("grade").rows}
    parts = parts.assign(stage_code=parts["grade_key"].map(stage_of))
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
