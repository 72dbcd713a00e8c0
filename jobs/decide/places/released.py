"""The base of scenarios, from the published tables of a release."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pandas as pd

from jobs import declare
from jobs.decide.places.gap import UNIT_80
from jobs.decide.places.scenario import KEY, Base
from jobs.settings import UserError

# Published tables that `scenario_base` asks.
SCENARIO_TABLES = (
    "fct_places_gap",
    "fct_places_forecast_part",
    "fct_places_supply",
    "fct_places_coming",
)


def scenario_base(ask: Callable[[str, Mapping[str, str]], list[dict[str, Any]]]) -> Base:
    """Districts' forecast, its parts, places, classes and projects, as one release tells them.

    `ask(table, equal)` gives the rows of a published table, of SCENARIO_TABLES, whose columns have these
    values, as far as the one who asks may see them. Raises UserError where no district has places.
    """

    def frame(table: str, columns: Sequence[str], **equal: str) -> pd.DataFrame:
        listed = list(columns)
        found = pd.DataFrame([[row[c] for c in listed] for row in ask(table, equal)], columns=listed)
        return found.sort_values(listed, ignore_index=True)

    bounds, ratios = ["upper_80_count", "lower_80_count"], ["entry_ratio", "progression_ratio"]
    gaps = frame(
        "fct_places_gap", [*KEY, "forecast_count", *bounds, "existing_place_count"], unit_level="district"
    )
    if gaps.empty:
        raise UserError(
            "the release knows no places of districts.", "Scenarios need registers of schools with places."
        )
    upper, lower = (gaps[name].astype(float) for name in bounds)
    rows = gaps[KEY].assign(
        forecast=gaps["forecast_count"].astype(float),
        spread=(upper - lower) / (2 * UNIT_80),
        existing=gaps["existing_place_count"].astype(float),
    )
    known = ["is_birth_known", "is_entrant_forecast"]
    behind = ["cohort_birth_count", "feeder_count"]
    parts = frame(
        "fct_places_forecast_part",
        ["district_code", "grade_key", "school_year_start", *known, *behind, *ratios],
        unit_level="district",
    ).dropna(subset=["entry_ratio"])
    births, feeders = (parts[name].astype(float) for name in behind)
    product = births.fillna(feeders) * parts[ratios[0]].astype(float) * parts[ratios[1]].astype(float)
    stage_of = {row["code"]: row["stage_code"] for row in declare.code_list("grade").rows}
    parts = parts.assign(product=product, stage_code=parts["grade_key"].map(stage_of))
    place = ["district_code", "stage_code"]
    classes = frame("fct_places_supply", [*place, "class_count"]).dropna(subset=["district_code"])
    counted = classes.groupby(place, as_index=False)["class_count"].sum()
    columns = ["project_code", *place, "place_count"]
    coming = frame("fct_places_coming", [*columns, "school_year_start", "open_probability"])
    chances = [
        (*key, dict(zip(mine["school_year_start"], mine["open_probability"].astype(float), strict=True)))
        for key, mine in coming.groupby(columns, sort=True)
    ]
    return Base(
        rows,
        parts[[*KEY, *known, "product"]],
        pd.DataFrame(chances, columns=[*columns, "chance"]),
        {(d, s): int(n) for d, s, n in counted.itertuples(index=False, name=None)},
    )
