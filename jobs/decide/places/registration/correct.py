"""The forecast with the registrations of spring taken in, at every level, in whole pupils."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import date

import numpy as np
import pandas as pd

from jobs.decide.places.forecast import TOTAL
from jobs.decide.places.moving import LEVEL_COLUMN, moved
from jobs.decide.places.panel import ALL_GRADES
from jobs.decide.places.registration.factors import (
    MOST_LEARNED,
    judge_city,
    judge_members,
    learned_by,
    reporting,
)
from jobs.decide.places.registration.springs import (
    COMBINED,
    Node,
    nodes_of,
    set_apart,
    springs_of,
    unit_above,
)

NOTE_COLUMNS = [
    *("level", "unit_code", "stage_code", "school_year_start", "through_date", "registered_count"),
    *("earlier_spring_count", "usual_share", "implied_count", "model_count", "model_error_share"),
    *("implied_error_share", "registration_weight", "registration_count", "remark"),
]


def correct(
    forecast: pd.DataFrame,
    registered: pd.DataFrame,
    entrants: pd.DataFrame,
    units: pd.DataFrame,
    grades: Sequence[str],
    stage: str,
    through: date,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Combine the next autumn's entrants of a stage with those registered so far.

    Rows in: `forecast` as of `forecast_frame` with areas, zones and stages, one origin; `registered` one a
    child and spring (`year` of the autumn, `registered_date`, `district`, `area`), read up to `through` and
    up to the same day of earlier springs; `entrants` by `unit` and `year` (`enrollment`); `units` as the
    service's. `grades`: the stage's, lowest first, as the forecast labels them. Rows out: the forecast, its
    `registration` column changed by the pupils that registrations add or take, and one note a unit
    (NOTE_COLUMNS). The cohort keeps its correction in the stage's later grades. Without an earlier spring
    nothing is changed, and the remark says so.
    """
    forecast = forecast.assign(registration=forecast.get("registration", 0))
    autumn = int(forecast["origin"].max()) + 1
    none = pd.DataFrame(columns=NOTE_COLUMNS)
    registered = registered.assign(city=TOTAL)
    coming = registered[(registered["year"] == autumn) & (registered["registered_date"] <= through)]
    first = forecast[(forecast["grade"] == grades[0]) & (forecast["lead"] == 1)]
    if coming.empty or first.empty or units["district"].eq("").all():
        return forecast, none
    nodes = {level: nodes_of(first, level) for level in (TOTAL, "parent", "area", "unit")}
    springs = {
        level: springs_of(registered, entrants, units, LEVEL_COLUMN[level], autumn, through)
        for level in (TOTAL, "parent", "area")
    }
    above = {level: unit_above(units, level) for level in ("parent", "area", "unit")}
    set_apart(nodes, entrants, units, above)
    usable = reporting(springs["parent"], nodes["parent"])
    city = nodes[TOTAL][TOTAL]
    judge_city(city, springs, nodes["parent"], usable)
    if city.remark == COMBINED:
        judge_members(nodes["parent"], usable, springs["parent"], (springs["parent"], usable), city, usable)
        for district in usable:
            members = [a for a in nodes["area"] if above["area"].get(a) == district]
            shown = [a for a in members if springs["area"].now.get(a)]
            whole = springs["parent"], [district]
            judge_members(nodes["area"], shown, springs["area"], whole, nodes["parent"][district], members)
        for unit, node in nodes["unit"].items():
            over = nodes["area"].get(above["unit"][unit]) or nodes["parent"][above["unit"][unit]]
            node.factor, node.learned = (
                over.factor,
                learned_by(node, over, node.apart) if over.learned else 0.0,
            )
        forecast = apply_factors(forecast, nodes, units, grades, stage)
    first = forecast[(forecast["grade"] == grades[0]) & (forecast["lead"] == 1)]
    return forecast, notes_of(first, nodes, stage, autumn, through)


def apply_factors(
    forecast: pd.DataFrame,
    nodes: Mapping[str, Mapping[str, Node]],
    units: pd.DataFrame,
    grades: Sequence[str],
    stage: str,
) -> pd.DataFrame:
    """Whole pupils of schools, in order of district and area, changed so that each of those is right to one
    pupil; then every level, the stage and `all` by the sum of the changes, and narrower intervals."""
    factors = {unit: node.factor for unit, node in nodes["unit"].items()}
    ordered = units.sort_values(["district", "area", "school"])
    ordered = ordered.assign(factor=ordered["school"].map(factors).fillna(1.0))
    lead_of = {grade: n + 1 for n, grade in enumerate(grades)}
    is_cohort = forecast["grade"].map(lead_of) == forecast["lead"]
    cohort = forecast[is_cohort & (forecast["level"] == "unit")]
    changes = []
    for _, mine in cohort.groupby("lead"):
        mine = ordered.merge(mine[["unit", "lead", "forecast"]], left_on="school", right_on="unit")
        before = mine["forecast"].to_numpy(float)
        wanted = np.cumsum(before * mine["factor"].to_numpy())
        after = np.diff(np.floor(wanted + 0.5), prepend=0.0)
        changes.append(mine.assign(change=after - before, city=TOTAL))
    change = pd.concat(changes)
    # A row holds the cohort in its own grade, or within the stage or all that it sums.
    holds = (is_cohort | forecast["grade"].isin([stage, ALL_GRADES])).to_numpy()
    added, learned = np.zeros(len(forecast)), np.zeros(len(forecast))
    for level, column in LEVEL_COLUMN.items():
        at = (forecast["level"] == level).to_numpy() & holds
        keys = pd.MultiIndex.from_frame(forecast.loc[at, ["unit", "lead"]])
        added[at] = change.groupby([column, "lead"])["change"].sum().reindex(keys).fillna(0)
        mine = forecast[is_cohort & (forecast["level"] == level)].set_index(["unit", "lead"])
        pupils = mine["forecast"].astype(float).reindex(keys).fillna(0)
        # Of zones, what all districts share: their own parts cancel in the sum.
        common = dict.fromkeys(units["zone"], nodes[TOTAL][TOTAL].learned)
        of = {u: n.learned for u, n in nodes[level].items()} if level in nodes else common
        share = forecast.loc[at, "unit"].map(of).fillna(0)
        learned[at] = share.to_numpy(float) * pupils.to_numpy(float) ** 2
    return moved(forecast, added, "registration", learned, MOST_LEARNED)


def notes_of(
    first: pd.DataFrame,
    nodes: Mapping[str, Mapping[str, Node]],
    stage: str,
    autumn: int,
    through: date,
) -> pd.DataFrame:
    """One note a unit; `first` are the corrected entrants. Where the city is not corrected, no unit is."""
    change = first.set_index(["level", "unit"])["registration"]
    city = nodes[TOTAL][TOTAL]
    rows = []
    for level in (TOTAL, "parent", "area"):
        for unit, n in nodes[level].items():
            remark = n.remark if city.remark == COMBINED else city.remark
            is_combined = remark == COMBINED
            rows.append(
                (
                    *(level, unit, stage, autumn, through, n.registered, n.springs),
                    *((n.share, n.registered / n.share) if is_combined else (math.nan, math.nan)),
                    *(n.model, math.sqrt(n.variance)),
                    *((math.sqrt(n.implied_variance), n.weight) if is_combined else (math.nan, 0.0)),
                    *(int(change.loc[(level, unit)]), remark),
                )
            )
    return pd.DataFrame(rows, columns=NOTE_COLUMNS)
