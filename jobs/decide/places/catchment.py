"""Catchments: where a school's addresses change, its entrants follow them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

# Earlier catchments that the entrants of the past came from, on average.
PAST_YEARS = 3
# A school that loses all its addresses keeps a few entrants; one that gains grows at most so many times.
LEAST, MOST = 0.1, 4.0


def factors(
    catchments: pd.DataFrame, origin: int, years: Sequence[int], followed: float
) -> dict[tuple[str, str, int], float]:
    """(school, stage, autumn) -> by how much its addresses' share of the district grows its entrants.

    Rows in: one a catchment and school year with `school_code`, `stage_code`, `district_code`,
    `school_year_start`, `dwelling_count`. The newest catchments stated for an autumn or before it stand
    against the mean of those that the past's entrants came from. `followed`: share of entrants that go by
    their address. A school that either side does not name keeps its entrants."""
    known = catchments[catchments["dwelling_count"].fillna(0) > 0]
    homes = known.groupby(
        ["district_code", "stage_code", "school_year_start", "school_code"], as_index=False
    )["dwelling_count"].sum()
    whole = homes.groupby(["district_code", "stage_code", "school_year_start"])["dwelling_count"]
    homes["share"] = homes["dwelling_count"] / whole.transform("sum")
    found: dict[tuple[str, str, int], float] = {}
    for (_, stage), rows in homes.groupby(["district_code", "stage_code"]):
        stated = rows.pivot(index="school_code", columns="school_year_start", values="share")
        before = [year for year in stated.columns if year <= origin][-PAST_YEARS:]
        for year in years:
            now = [y for y in stated.columns if y <= year]
            if not before or not now:
                continue
            usual, share = stated[before].mean(axis=1), stated[now[-1]]
            # A school that this year's list leaves out, though an earlier one named it, has no addresses now.
            share = share.where(share.notna() | usual.isna(), 0.0)
            grown = 1 + followed * ((share / usual).clip(LEAST, MOST) - 1)
            found |= {(str(s), str(stage), int(year)): float(v) for s, v in grown.dropna().items()}
    return {key: value for key, value in found.items() if value != 1.0}


def changes(
    forecast: pd.DataFrame,
    grown: Mapping[tuple[str, str, int], float],
    units: pd.DataFrame,
    spans: Mapping[str, Sequence[str]],
) -> pd.DataFrame:
    """Pupils who go to another school of their district: `unit`, `grade`, `lead`, `change`, whole pupils.

    Rows in: `forecast` of one origin; `grown` as of `factors`. A cohort keeps its school in later grades;
    each district has as many as before."""
    at = {grade: (stage, n) for stage, grades in spans.items() for n, grade in enumerate(grades)}
    cells = forecast[(forecast["level"] == "unit") & forecast["grade"].isin(list(at))]
    cells = cells[["unit", "grade", "year", "lead", "forecast"]]
    cells = cells.merge(units[["school", "district"]], left_on="unit", right_on="school")
    entered = cells["year"] - cells["grade"].map(lambda grade: at[grade][1])
    is_coming = entered > cells["year"] - cells["lead"]
    keys = zip(cells["unit"], cells["grade"].map(lambda grade: at[grade][0]), entered, strict=True)
    factor = [grown.get(key, 1.0) if coming else 1.0 for key, coming in zip(keys, is_coming, strict=True)]
    cells["wanted"] = cells["forecast"].to_numpy(float) * np.array(factor, dtype=float)
    together = cells.groupby(["district", "grade", "lead"])
    whole, wanted = together["forecast"].transform("sum"), together["wanted"].transform("sum")
    cells["wanted"] *= np.where(wanted > 0, whole / np.maximum(wanted, 1e-9), 1.0)
    up_to = np.floor(cells.groupby(["district", "grade", "lead"])["wanted"].cumsum() + 0.5)
    shifted = up_to.groupby([cells["district"], cells["grade"], cells["lead"]]).shift(fill_value=0.0)
    change = (up_to - shifted).astype(int) - cells["forecast"].astype(int)
    return cells[["unit", "grade", "lead"]].assign(change=change)
