"""Similar schools: for each school and stage the nearest others, by what neither can help.

The distance of two schools is the sum over variables of weight × difference, 0 to 1. A number's difference is
divided by the range of the stage over the city and is at most 1. Out of that range stay the lowest and the
highest fortieth of the schools, one at least at each end: one outlier moves nobody else's distance. A class's
difference is 0 or 1. What the school itself lacks is not used, and its weight is shared among the rest. What
only a candidate lacks counts as the school's mean difference from those that have it: a blank draws nobody
nearer. Distances are rounded before they are put in order, and the school code breaks ties.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from jobs.declare import standards

Floats = NDArray[np.float64]

# Variable of the weights -> its column; those of _CLASSES are equal or not.
COLUMNS = {
    "size": "stage_pupil_count",
    "mobility": "mobility_share",
    "zone": "zone_code",
    "migrant": "migrant_share",
    "boarding": "boarding_share",
}
_CLASSES = ("zone",)
# Only schools with equal values here are compared.
LIKE = ("stage_code", "school_kind")
# What has a set: a school with several stages has one for each.
BY = ["school_code", "stage_code"]
SET_SIZE = 30
# With fewer candidates nobody is chosen: the rest of the city is no group of like schools.
LEAST_CANDIDATES = 10
TOO_FEW = "too_few_candidates"
_TRIMMED = 1 / 40
_DIGITS = 6
_BLOCK = 512


def weights(on: date) -> dict[str, float]:
    """Variable -> weight in force on a day; they add up to 1. Raises ValueError where they do not."""
    found = {
        row["variable"]: float(row["weight"]) for row in standards.rows("evaluation/similar_weights", on)
    }
    if set(found) - set(COLUMNS) or (found and abs(sum(found.values()) - 1) > 1e-9):
        raise ValueError(f"weights of similar schools must be of {list(COLUMNS)} and add up to 1: {found}")
    return found


def similar(schools: pd.DataFrame, weight: Mapping[str, float]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The sets, and their members.

    Rows in: one a school and stage: `school_code`, the columns of LIKE and of COLUMNS (a number or class may
    be null). Rows out: one a school and stage (`school_code`, `stage_code`, `candidate_count`, `set_size`,
    `farthest_distance`, `missing_variables`, `refused_reason`), and one a comparator (`school_code`,
    `stage_code`, `comparator_school_code`, `similar_order` from 1, `similar_distance` and of each variable
    `<variable>_contribution`; they add up to the distance).
    """
    sets: list[dict[str, object]] = []
    members: list[pd.DataFrame] = []
    ordered = schools.sort_values(["school_code", *LIKE])
    for _, like in ordered.groupby(list(LIKE), sort=True):
        like = like.reset_index(drop=True)
        is_refused = len(like) - 1 < LEAST_CANDIDATES
        chosen = pd.DataFrame() if is_refused else _nearest(like, weight)
        members.append(chosen)
        sets += _sets(like, chosen, weight, TOO_FEW if is_refused else None)
    every = [m for m in members if not m.empty]
    found = pd.concat(every, ignore_index=True) if every else pd.DataFrame(columns=_member_columns())
    return (
        pd.DataFrame(sets, columns=SET_COLUMNS).sort_values(BY, ignore_index=True),
        found.sort_values([*BY, "similar_order"], ignore_index=True),
    )


SET_COLUMNS = [
    *("school_code", "stage_code", "candidate_count", "set_size", "farthest_distance"),
    *("missing_variables", "refused_reason"),
]


def _member_columns() -> list[str]:
    own = ["school_code", "stage_code", "comparator_school_code", "similar_order", "similar_distance"]
    return [*own, *(f"{variable}_contribution" for variable in COLUMNS)]


def _sets(
    like: pd.DataFrame, chosen: pd.DataFrame, weight: Mapping[str, float], reason: str | None
) -> list[dict[str, object]]:
    sizes = {} if chosen.empty else chosen.groupby("school_code").size().to_dict()
    farthest = {} if chosen.empty else chosen.groupby("school_code")["similar_distance"].max().to_dict()
    lacking = like[[COLUMNS[variable] for variable in weight]].isna().to_numpy()
    names = np.array(list(weight))
    return [
        {
            "school_code": row.school_code,
            "stage_code": row.stage_code,
            "candidate_count": len(like) - 1,
            "set_size": sizes.get(row.school_code, 0),
            "farthest_distance": farthest.get(row.school_code),
            "missing_variables": " ".join(names[lacks]) or None,
            "refused_reason": reason,
        }
        for row, lacks in zip(like.itertuples(), lacking, strict=True)
    ]


def _nearest(like: pd.DataFrame, weight: Mapping[str, float]) -> pd.DataFrame:
    """The nearest of one group, whose rows are in order of their codes; block by block, to bound memory."""
    values = {variable: _numbers(like[COLUMNS[variable]], variable in _CLASSES) for variable in weight}
    ranges = {variable: _range(own) for variable, own in values.items() if variable not in _CLASSES}
    codes = like["school_code"].to_numpy()
    keep = min(SET_SIZE, len(like) - 1)
    found = []
    for first in range(0, len(like), _BLOCK):
        rows = np.arange(first, min(first + _BLOCK, len(like)))
        parts = _parts(values, ranges, weight, rows)
        total = np.round(sum(parts.values(), np.zeros((len(rows), len(like)))), _DIGITS)
        total[np.arange(len(rows)), rows] = np.inf  # never its own comparator
        # The order of codes is the order of columns, and a stable sort keeps it among equals.
        order = np.argsort(total, axis=1, kind="stable")[:, :keep]
        picked = {v: np.take_along_axis(part, order, axis=1).ravel() for v, part in parts.items()}
        found.append(
            pd.DataFrame(
                {
                    "school_code": np.repeat(codes[rows], keep),
                    "stage_code": like["stage_code"].iloc[0],
                    "comparator_school_code": codes[order].ravel(),
                    "similar_order": np.tile(np.arange(1, keep + 1), len(rows)),
                    "similar_distance": np.take_along_axis(total, order, axis=1).ravel(),
                    **{
                        f"{variable}_contribution": np.round(picked[variable], _DIGITS)
                        if variable in picked
                        else 0.0
                        for variable in COLUMNS
                    },
                }
            )
        )
    return pd.concat(found, ignore_index=True)


def _numbers(column: pd.Series, is_class: bool) -> Floats:
    if is_class:
        codes, _ = pd.factorize(column, sort=True)
        return np.where(codes < 0, np.nan, codes).astype(float)
    return column.to_numpy(dtype=np.float64, na_value=np.nan)


def _range(values: Floats) -> float:
    """Highest less lowest of the known values without the outermost fortieth at each end, one at least."""
    known = np.sort(values[~np.isnan(values)])
    cut = max(1, int(len(known) * _TRIMMED))
    inner = known[cut:-cut]
    return float(inner[-1] - inner[0]) if len(inner) else 0.0


def _parts(
    values: Mapping[str, Floats],
    ranges: Mapping[str, float],
    weight: Mapping[str, float],
    rows: NDArray[np.int64],
) -> dict[str, Floats]:
    """Of each variable the contributions of a block of schools (rows) from all schools (columns)."""
    differences: dict[str, Floats] = {}
    for variable, own in values.items():
        differs = np.abs(own[rows, None] - own[None, :])
        span = ranges.get(variable, 0.0)
        # Of a class, and where all but outliers are equal, a difference is whole.
        scaled = np.minimum(differs / span, 1.0) if span > 0 else np.where(differs > 0, 1.0, differs)
        differences[variable] = _filled(scaled, rows)
    used = {v: weight[v] * ~np.isnan(values[v][rows]) for v in values}
    whole = sum(used.values(), np.zeros(len(rows)))
    share = {v: np.divide(own, whole, out=np.zeros(len(rows)), where=whole > 0) for v, own in used.items()}
    return {v: share[v][:, None] * differences[v] for v in values}


def _filled(scaled: Floats, rows: NDArray[np.int64]) -> Floats:
    """Blanks become the row's mean difference from the others; a row without any becomes 0."""
    is_known = ~np.isnan(scaled)
    others = is_known.copy()
    others[np.arange(len(rows)), rows] = False
    count = others.sum(axis=1)
    mean = np.divide(
        np.where(others, scaled, 0.0).sum(axis=1), count, out=np.zeros(len(rows)), where=count > 0
    )
    return np.where(is_known, scaled, mean[:, None])
