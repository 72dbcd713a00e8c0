"""Places minus pupils for each unit: shortage and surplus, the chance of each, and the warning level."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import pandas as pd

from jobs.decide.places.rows import rows_of

# From the narrower to the wider; each adds up to the next.
LEVELS = ("school", "area", "district", "zone", "city")
CITY = "total"
NO_UNIT = "(none)"  # what lies in no unit of a level that others lie in
UNIT_80 = 1.2815515655446004  # half of an 80 % interval of a normal error, in standard deviations
KEY = ["level", "unit_code", "stage_code", "school_year_start"]


def normal_cdf(x: float) -> float:
    """Chance that a standard normal value is at most x."""
    return 0.5 * math.erfc(-x / math.sqrt(2))


@dataclass(frozen=True)
class Gap:
    """Both sides of a gap. `shortage` and `surplus`: expected missing and idle places; their difference is
    pupils minus places."""

    shortage_probability: float
    surplus_probability: float
    shortage: float
    surplus: float


def both_ways(pupils: float, places: float, deviation: float, idle: float = 0.0) -> Gap:
    """The gap where pupils are normally distributed around their forecast with this standard deviation.

    Shortage: more pupils than places. Surplus: more than the share `idle` of the places stays empty. Without
    deviation each is sure or impossible.
    """
    mean = pupils - places
    limit = -idle * places
    if deviation <= 0:
        return Gap(float(mean > 0), float(mean < limit), max(mean, 0.0), max(-mean, 0.0))
    z = mean / deviation
    density = math.exp(-z * z / 2) / math.sqrt(2 * math.pi)
    shortage = max(mean * normal_cdf(z) + deviation * density, 0.0)
    return Gap(normal_cdf(z), normal_cdf((limit - mean) / deviation), shortage, shortage - mean)


def warning(gap: Gap, pupils: float, places: float, deviation: float, rules: pd.DataFrame) -> tuple[str, str]:
    """Direction (`shortage`, `surplus`) and level of the most severe rule that is met; blank if none is.

    A rule is met where the chance that the gap exceeds its `least_gap_share` of the places reaches its
    `least_probability`. Without places, any pupil is a shortage of the whole.
    """
    best = ("", "", 0)
    mean = pupils - places
    for rule in rows_of(rules):
        limit = float(rule.least_gap_share) * places
        beyond = mean - limit if rule.direction == "shortage" else -mean - limit
        chance = float(beyond > 0) if deviation <= 0 else normal_cdf(beyond / deviation)
        if chance >= float(rule.least_probability) and int(rule.severity) > best[2]:
            best = (str(rule.direction), str(rule.warning_level), int(rule.severity))
    return best[0], best[1]


def gaps(
    demand: pd.DataFrame, places: pd.DataFrame, coming: pd.DataFrame, rules: pd.DataFrame
) -> pd.DataFrame:
    """One row per unit, stage and year of `demand`, where the unit has places or places to come.

    Rows in: `demand` KEY, `lead`, `forecast`, `lower_80`, `upper_80`; `places` KEY, `place_count`; `coming`
    KEY, `planned_place_count`, `expected_place_count`, `variance` (of the expected). Rows out: those and the
    gap both ways, its chances, direction and level of the warning. Errors of pupils and openings are taken
    as independent, and the pupils' as normal.
    """
    rows = demand.merge(places, on=KEY, how="left").merge(coming, on=KEY, how="left")
    has_any = rows["place_count"].notna() | rows["planned_place_count"].notna()
    rows = rows[has_any].reset_index(drop=True)
    for column in ("place_count", "planned_place_count", "expected_place_count", "variance"):
        rows[column] = pd.to_numeric(rows[column]).fillna(0)
    idle = float(rules.loc[rules["direction"] == "surplus", "least_gap_share"].min())
    made = []
    for row in rows_of(rows):
        supply = float(row.place_count + row.expected_place_count)
        spread = (float(row.upper_80) - float(row.lower_80)) / (2 * UNIT_80)
        deviation = math.sqrt(spread**2 + float(row.variance))
        gap = both_ways(float(row.forecast), supply, deviation, 0.0 if math.isnan(idle) else idle)
        direction, level = warning(gap, float(row.forecast), supply, deviation, rules)
        made.append(
            (
                *(supply - float(row.forecast), deviation),
                *(gap.shortage_probability, gap.surplus_probability, gap.shortage, gap.surplus),
                *(direction or None, level or None),
            )
        )
    columns = [
        *("surplus", "surplus_deviation", "shortage_probability", "surplus_probability"),
        *("expected_shortage", "expected_surplus", "warning_direction", "warning_level"),
    ]
    return pd.concat([rows, pd.DataFrame(made, columns=columns, index=rows.index)], axis=1)


def summed(rows: pd.DataFrame, units: pd.DataFrame, by: Iterable[str], values: Iterable[str]) -> pd.DataFrame:
    """Values of schools (`school_code`) summed to every level: `units` has a column for each of LEVELS, and
    `by` is kept. A blank unit belongs to no unit of that level."""
    joined = rows.merge(units, left_on="school_code", right_on="school", how="inner")
    parts = []
    for level in LEVELS:
        sums = joined[joined[level] != ""].groupby([level, *by], as_index=False)[list(values)].sum()
        parts.append(sums.rename(columns={level: "unit_code"}).assign(level=level))
    return pd.concat(parts, ignore_index=True)


def coming_by_unit(coming: pd.DataFrame, units: pd.DataFrame) -> pd.DataFrame:
    """Places to come of every unit: planned (as the senders tell them open), expected (by chance) and the
    variance of the expected.

    `units`: a column for each of LEVELS. A school's places are those of the project that names it, and of the
    project whose code it has until it opens; a project that names a school lies where the school does."""
    if coming.empty:
        return pd.DataFrame(columns=[*KEY, "planned_place_count", "expected_place_count", "variance"])
    chance, places = coming["open_probability"], coming["place_count"]
    zone_of = dict(zip(units["district"], units["zone"], strict=True))
    known = units.drop_duplicates("school").set_index("school")
    school = coming["school_code"].where(coming["school_code"].isin(known.index), coming["project_code"])
    school = school.where(school.isin(known.index), "")
    district = school.map(known["district"]).fillna(coming["district_code"])
    stated_area = coming["district_code"] + "/" + coming["area_name"].replace("", NO_UNIT)
    rows = coming.assign(
        planned_place_count=places * (chance > 0),
        expected_place_count=places * chance,
        variance=places**2 * chance * (1 - chance),
        school=school,
        area=school.map(known["area"]).fillna(stated_area),
        district=district,
        zone=district.map(zone_of).fillna(NO_UNIT if any(zone_of.values()) else ""),
        city=CITY,
    )
    parts = []
    for level in LEVELS:
        mine = rows[rows[level] != ""]
        keys = [level, "stage_code", "school_year_start"]
        sums = mine.groupby(keys, as_index=False)[
            ["planned_place_count", "expected_place_count", "variance"]
        ].sum()
        parts.append(sums.rename(columns={level: "unit_code"}).assign(level=level))
    return pd.concat(parts, ignore_index=True)
