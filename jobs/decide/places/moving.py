"""Pupils moved within a finished forecast: whole pupils of schools' grades, summed to every level."""

from __future__ import annotations

import numpy as np
import pandas as pd

from jobs.decide.places.forecast import BOUNDS, TOTAL
from jobs.decide.places.gap import UNIT_80
from jobs.decide.places.panel import ALL_GRADES, Floats, Ints

# The forecast's words for its levels, and the column of units (with a `city`) that names their units.
LEVEL_COLUMN = {TOTAL: "city", "zone": "zone", "parent": "district", "area": "area", "unit": "school"}


def summed(
    forecast: pd.DataFrame, change: pd.DataFrame, units: pd.DataFrame, stage_of: dict[str, str]
) -> Floats:
    """For each row of the forecast the sum of the changes of its unit, grades and lead.

    Rows in: `change` one a school, grade and lead (`unit`, `grade`, `lead`, `change`); `stage_of`: grade ->
    the label of its stage."""
    cells = change.merge(units.assign(city=TOTAL), left_on="unit", right_on="school")
    stages = cells.assign(grade=cells["grade"].map(stage_of))
    every = pd.concat([cells, stages, cells.assign(grade=ALL_GRADES)])
    added = np.zeros(len(forecast))
    for level, column in LEVEL_COLUMN.items():
        at = (forecast["level"] == level).to_numpy()
        keys = pd.MultiIndex.from_frame(forecast.loc[at, ["unit", "grade", "lead"]])
        sums = every.groupby([column, "grade", "lead"])["change"].sum()
        added[at] = sums.reindex(keys).fillna(0)
    return added


def moved(
    forecast: pd.DataFrame,
    added: Floats,
    part: str,
    learned: Floats | None = None,
    most_learned: float = 1.0,
) -> pd.DataFrame:
    """Centers moved by whole pupils, which also go into the column `part`; widths, in logs, stay, or are cut
    by the variance (in pupils) that was learned."""
    center = forecast["forecast"].to_numpy(float)
    low, high = (forecast[b].to_numpy(float) for b in BOUNDS[:2])
    deviation = np.log((high + 1) / (low + 1)) / (2 * UNIT_80) * (center + 1)
    cut = np.zeros(len(forecast)) if learned is None else learned
    kept = np.sqrt(1 - np.minimum(cut / np.maximum(deviation**2, 1e-9), most_learned))
    now = center + added
    columns: dict[str, Floats | Ints] = {}
    for name in BOUNDS:
        ratio = np.log((forecast[name].to_numpy(float) + 1) / (center + 1)) * kept
        bound = np.where(now > 0, np.maximum((now + 1) * np.exp(ratio) - 1, 0), 0)
        touched = (added != 0) | (cut > 0)
        columns[name] = np.where(touched, np.rint(bound), forecast[name]).astype(np.int64)
    columns["forecast"] = now.astype(np.int64)
    columns[part] = (forecast[part] + added).to_numpy(np.int64)
    return forecast.assign(**columns)
