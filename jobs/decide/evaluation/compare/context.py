"""What schools are compared by: one row a school and stage, counted from returns, rolls and transfers."""

from __future__ import annotations

from datetime import date

import pandas as pd

from jobs import clock, declare
from jobs.decide.evaluation.compare.similar import BY

# Kinds of school that pupils of a stage ordinarily attend; every other kind compares with its own alone.
ORDINARY = ("11", "21", "31", "34")


def contexts(
    register: pd.DataFrame, counts: pd.DataFrame, roll: pd.DataFrame, transfers: pd.DataFrame, day: date
) -> pd.DataFrame:
    """One row an open school and stage with pupils, as `similar` reads it.

    Rows in: `register` one a school (`school_code, district_code, school_type_code, closed_date`); `counts`
    one a school, school year and grade (`school_code, school_year_start, grade_key, pupil_count`); `roll` one
    a school, grade and term (`school_year_start, term, migrants, boarders, migrants_known, boarders_known`),
    of which each school's newest term counts; `transfers` one a school and grade with transfers of the last
    whole school year (`sender_code, school_code, grade_key` (may be null), `moves`). A school whose newest
    return is older than last year's has no pupils now. A district that sent no transfer of that year is
    unknown, not still; so is a stage without any.
    """
    stage_of = {row["code"]: row["stage_code"] for row in declare.code_list("grade").rows}
    last_year = clock.school_year(day) - 1
    is_open = register["closed_date"].isna() | (register["closed_date"] > day)
    by_stage = counts.assign(stage_code=_stages(counts, stage_of))
    by_stage = by_stage.groupby([*BY, "school_year_start"])["pupil_count"].sum().reset_index()
    now = by_stage[by_stage["school_year_start"] >= last_year]
    newest = now.groupby("school_code")["school_year_start"].transform("max")
    now = now[(now["school_year_start"] == newest) & (now["pupil_count"] > 0)]
    found = now.merge(register[is_open], on="school_code").rename(
        columns={"pupil_count": "stage_pupil_count"}
    )
    zone_of = {row["code"]: row.get("zone_code") or None for row in declare.code_list("district").rows}
    kind = found["school_type_code"]
    found = found.assign(
        zone_code=found["district_code"].map(zone_of),
        school_kind=kind.where(kind.notna() & ~kind.isin(ORDINARY), "ordinary"),
    )
    found = found.merge(_shares(roll, stage_of), on=BY, how="left")
    before = by_stage[by_stage["school_year_start"] == last_year]
    found = found.merge(_mobility(before, register, transfers, stage_of), on=BY, how="left")
    return found[CONTEXT_COLUMNS].sort_values(BY, ignore_index=True)


CONTEXT_COLUMNS = [
    *("school_code", "stage_code", "school_kind", "school_year_start", "stage_pupil_count"),
    *("zone_code", "mobility_share", "migrant_share", "boarding_share"),
]


def _stages(rows: pd.DataFrame, stage_of: dict[str, str]) -> pd.Series:
    """The stage of each row's grade; of no rows, no texts that pandas takes for numbers."""
    return rows["grade_key"].map(stage_of).astype(object)


def _shares(roll: pd.DataFrame, stage_of: dict[str, str]) -> pd.DataFrame:
    """Shares of the pupils of whom it is known; null where of nobody."""
    numbers = ["migrants", "migrants_known", "boarders", "boarders_known"]
    term = roll["school_year_start"] * 10 + roll["term"]
    roll = roll[term == term.groupby(roll["school_code"]).transform("max")]
    summed = roll.assign(stage_code=_stages(roll, stage_of)).groupby(BY)[numbers].sum().reset_index()
    for share, of in (("migrant_share", "migrants"), ("boarding_share", "boarders")):
        known = summed[f"{of}_known"].astype(float)
        summed[share] = summed[of].astype(float) / known.where(known > 0)
    return summed[[*BY, "migrant_share", "boarding_share"]]


def _mobility(
    before: pd.DataFrame, register: pd.DataFrame, transfers: pd.DataFrame, stage_of: dict[str, str]
) -> pd.DataFrame:
    """Transfers in and out over the pupils of that year. One without a grade is of a school's only stage."""
    only = before.groupby("school_code")["stage_code"].agg(["nunique", "first"])
    sole = only.loc[only["nunique"] == 1, "first"]
    stage = transfers["school_code"].map(sole).astype(object).fillna(_stages(transfers, stage_of))
    moved = transfers.assign(stage_code=stage)
    moved = moved.groupby(BY)["moves"].sum().reset_index()
    found = before.merge(register[["school_code", "district_code"]], on="school_code")
    is_told = found["district_code"].isin(set(transfers["sender_code"]))
    found = found[is_told & found["stage_code"].isin(set(moved["stage_code"]))]
    found = found[found["pupil_count"] > 0].merge(moved, on=BY, how="left")
    found["mobility_share"] = found["moves"].fillna(0.0).astype(float) / found["pupil_count"].astype(float)
    return found[[*BY, "mobility_share"]]
