"""Homes that are handed over: the pupils who move in with them, and where these come from.

An estate has pupils of each stage by its age, a dated prior. How far it holds in this lake is learned from
past forecasts: by how many pupils areas beat their share of the district, beside the homes that they got. A
forecast knows nothing of homes and hardly carries their past on, so all that come later are added.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from jobs.decide.places.forecast import TOTAL
from jobs.decide.places.rows import rows_of
from jobs.decide.places.supply import school_year_of

Floats = NDArray[np.float64]
# Levels between whose units pupils move, each with the one above, in the forecast's words.
MOVES = {"area": "parent", "parent": TOTAL}
# What is learned stays within these multiples of the prior: homes always bring some children.
LEAST, MOST = 0.1, 3.0
# Past forecasts of one unit overlap: all its origins and leads are worth so many that do not.
_WORTH = 2.0
_MOST_LOST = 0.9  # of a cell's pupils


@dataclass(frozen=True)
class Terms:
    """The dated prior. `per_home`: stage -> pupils per home by whole years since it was handed over; `kinds`:
    children per home of a kind of homes over the usual; `chances`: state -> share that is handed over as
    told; `movers`: of the children who move in, by level (`area`, `parent`, `total`), the share that comes
    from outside of the area, the district, the city; `spread`: standard deviation of these shares."""

    per_home: Mapping[str, Floats]
    kinds: Mapping[str, float]
    chances: Mapping[str, float]
    movers: Mapping[str, float]
    spread: float


def terms_of(per_home: pd.DataFrame, terms: pd.DataFrame) -> Terms:
    """From `places/housing_pupils` (stage_code, age_years, pupils_per_100_homes) and `places/housing_terms`
    (term, key, value)."""
    ordered = per_home.sort_values("age_years")
    found: dict[str, dict[str, float]] = {}
    for row in rows_of(terms):
        found.setdefault(row.term, {})[str(row.key)] = float(row.value)
    by_age = {
        str(s): g["pupils_per_100_homes"].to_numpy(float) / 100 for s, g in ordered.groupby("stage_code")
    }
    return Terms(by_age, found["kind"], found["handed_over"], found["movers"], found["prior"]["spread"])


def living(homes: pd.DataFrame, years: Sequence[int], terms: Terms) -> pd.DataFrame:
    """Pupils who live in estates, by the prior: `level`, `unit`, `grade` (a stage), `year`, `living`.

    Rows in: one an estate with `area`, `district`, `dwelling_count`, `delivery_date`, `housing_status_code`,
    `housing_kind_code`. In the autumn after it was handed over an estate is in its year 0.
    """
    wanted = np.array(years)
    found: dict[tuple[str, str, str], Floats] = {}
    for row in rows_of(homes):
        kind = terms.kinds.get(row.housing_kind_code or "", 1.0)
        count = row.dwelling_count * kind * terms.chances.get(row.housing_status_code or "", 1.0)
        age = wanted - school_year_of(row.delivery_date)
        for stage, by_age in terms.per_home.items():
            there = np.where(age < 0, 0.0, by_age[np.clip(age, 0, len(by_age) - 1)]) * count
            for level, unit in (("area", row.area), ("parent", row.district), (TOTAL, TOTAL)):
                found[level, unit, stage] = found.get((level, unit, stage), 0.0) + there
    keys = [(*key, year) for key in found for year in years]
    values = np.concatenate(list(found.values())) if found else np.zeros(0)
    return pd.DataFrame(keys, columns=["level", "unit", "grade", "year"]).assign(living=values)


def beside(rows: pd.DataFrame, lived: pd.DataFrame, level: str) -> pd.DataFrame:
    """Rows of a level and its stages with `more`: by how many more pupils the unit's estates grow from origin
    to year than its share of the unit above says; and `of_above`, its share of the forecast of those shown.

    Rows in: `level`, `unit`, `parent_unit`, `grade`, `origin`, `year`, `lead`, `forecast`."""
    own = rows[(rows["level"] == level) & rows["grade"].isin(lived["grade"].unique())]
    own = own[own["forecast"] > 0]
    count = lived[lived["level"] == level].set_index(["unit", "grade", "year"])["living"]

    def then(column: str) -> Floats:
        keys = pd.MultiIndex.from_frame(own[["unit", "grade", column]])
        return count.reindex(keys).fillna(0).to_numpy(float)

    own = own.assign(grown=then("year") - then("origin"))
    together = own.groupby(["parent_unit", "grade", "origin", "lead"])
    of_above = own["forecast"] / together["forecast"].transform("sum")
    return own.assign(of_above=of_above, more=own["grown"] - of_above * together["grown"].transform("sum"))


def learned(scored: pd.DataFrame, lived: pd.DataFrame, level: str, terms: Terms) -> dict[str, float]:
    """Stage -> pupils who came to a unit per pupil of the prior, from past forecasts; the prior where these
    say nothing.

    Rows in: as `beside`, and `pupils` who came. All stages together are shrunk to the prior, and each stage
    to all."""
    prior, precision = terms.movers[level], 1 / terms.spread**2
    rows = beside(scored, lived, level)
    above = rows.groupby(["parent_unit", "grade", "origin", "lead"])["pupils"].transform("sum")
    excess = (rows["pupils"] - rows["of_above"] * above).to_numpy(float)
    more, weight = rows["more"].to_numpy(float), 1 / rows["forecast"].to_numpy(float)
    variance = float((weight * excess**2).sum() / max(len(rows), 1))
    if not variance:
        return dict.fromkeys(terms.per_home, prior)
    overlap = max(len(rows) / max(len(rows[["unit", "grade"]].drop_duplicates()), 1) / _WORTH, 1.0)

    def shrunk(to: float, at: NDArray[np.bool_]) -> float:
        seen = (weight * more**2)[at].sum() / variance / overlap
        said = (weight * more * excess)[at].sum() / variance / overlap
        return float(np.clip((said + precision * to) / (seen + precision), LEAST * prior, MOST * prior))

    whole = shrunk(prior, np.ones(len(rows), dtype=bool))
    return {stage: shrunk(whole, (rows["grade"] == stage).to_numpy()) for stage in terms.per_home}


def changes(
    forecast: pd.DataFrame,
    scored: pd.DataFrame,
    homes: pd.DataFrame,
    units: pd.DataFrame,
    spans: Mapping[str, Sequence[str]],
    terms: Terms,
) -> pd.DataFrame:
    """Pupils that estates bring to the schools of their area or take from others: `unit`, `grade`, `lead`,
    `change`, whole pupils.

    Rows in: `forecast` of one origin, `scored` of past ones (both as `beside`), `units` as the service's,
    `spans`: stage -> its grades. A unit's change is shared over grades and schools by their pupils."""
    years = {*forecast["year"], *forecast["origin"], *scored["year"], *scored["origin"]}
    lived = living(homes, sorted(int(y) for y in years), terms)
    ratio: dict[tuple[str, str, str, int], float] = {}
    for level in MOVES:
        factors = learned(scored, lived, level, terms)
        rows = beside(forecast, lived, level)
        ratio |= _ratios(level, rows, rows["grade"].map(factors) * rows["more"])
    whole = beside(forecast.assign(parent_unit=forecast["parent_unit"].fillna("")), lived, TOTAL)
    ratio |= _ratios(TOTAL, whole, terms.movers[TOTAL] * whole["grown"])
    return _of_cells(forecast, ratio, units, spans)


def _ratios(
    level: str, rows: pd.DataFrame, change: pd.Series
) -> Iterator[tuple[tuple[str, str, str, int], float]]:
    keys = zip([level] * len(rows), rows["unit"], rows["grade"], rows["lead"], strict=True)
    return zip(keys, change / rows["forecast"], strict=True)


def _of_cells(
    forecast: pd.DataFrame,
    ratio: Mapping[tuple[str, str, str, int], float],
    units: pd.DataFrame,
    spans: Mapping[str, Sequence[str]],
) -> pd.DataFrame:
    """Whole pupils of schools' grades, rounded in order of district and area: those are right to one."""
    stage_of = {grade: stage for stage, grades in spans.items() for grade in grades}
    cells = forecast[(forecast["level"] == "unit") & forecast["grade"].isin(list(stage_of))]
    cells = cells[["unit", "grade", "lead", "forecast"]].merge(units, left_on="unit", right_on="school")
    cells = cells.sort_values(["district", "area", "school"])
    named = zip(cells["area"], cells["district"], cells["grade"].map(stage_of), cells["lead"], strict=True)
    found = [
        sum(ratio.get((level, unit, stage, lead), 0.0) for level, unit in units_above(area, district))
        for area, district, stage, lead in named
    ]
    wanted = cells["forecast"].to_numpy(float) * np.maximum(found, -_MOST_LOST)
    summed = cells.assign(wanted=wanted).groupby(["grade", "lead"])["wanted"].cumsum()
    up_to = np.floor(summed + 0.5)
    change = up_to - up_to.groupby([cells["grade"], cells["lead"]]).shift(fill_value=0.0)
    return cells[["unit", "grade", "lead"]].assign(change=change.astype(int))


def units_above(area: str, district: str) -> tuple[tuple[str, str], ...]:
    """The units of MOVES and the city that a school's pupils count in."""
    return ("area", area), ("parent", district), (TOTAL, TOTAL)
