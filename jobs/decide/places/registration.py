"""Registrations of spring and the model's entrants of next autumn, combined by their errors, level by level.

The city is corrected first, then districts against the city and areas against their district, so that what
all units share (a spring that fills early) is judged once, and whole pupils still add up at every level.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import pandas as pd

from jobs.decide.places.forecast import TOTAL
from jobs.decide.places.gap import UNIT_80
from jobs.decide.places.panel import ALL_GRADES, Floats
from jobs.decide.places.rows import rows_of

BOUNDS = ("lower_80", "upper_80", "lower_90", "upper_90")
LEVEL_COLUMN = {TOTAL: "city", "zone": "zone", "parent": "district", "area": "area", "unit": "school"}
# Assumed until springs are on record, and worth one spring then: a spring runs so many days early or late.
SHIFT_DAYS = 2
PRIOR_SPRINGS = 1.0
LEAST_SPREAD = 0.005  # of the share registered in the end, in logs
MOST_LEARNED = 0.95  # of a variance that registrations can take away
# Years of the usual change of shares that stand beside a unit's own; the change assumed where none is known,
# and the largest one that counts (a school that opened), as squared logs.
APART_PRIOR, UNKNOWN_APART, MOST_APART = 3.0, 0.15**2, 0.7**2
NOTE_COLUMNS = [
    *("level", "unit_code", "stage_code", "school_year_start", "through_date", "registered_count"),
    *("earlier_spring_count", "usual_share", "implied_count", "model_count", "model_error_share"),
    *("implied_error_share", "registration_weight", "registration_count", "remark"),
]
COMBINED, NO_SPRING = "combined", "no_earlier_spring"
NOT_YET, NOT_HERE = "none_usually_registered_yet", "none_registered_here"


@dataclass
class _Node:
    """One unit of a level: what the model says, and what registrations make of it."""

    model: float
    variance: float  # of the model's error, in logs
    apart: float = UNKNOWN_APART  # its part that is the unit's own, beside the unit above
    registered: int = 0
    springs: int = 0
    share: float = math.nan
    implied_variance: float = math.nan
    weight: float = 0.0
    factor: float = 1.0
    learned: float = 0.0  # of the variance
    remark: str = NOT_HERE


@dataclass
class _Springs:
    """Children registered by the day and entrants, by unit of one level and spring."""

    now: Mapping[str, int]
    then: Mapping[int, Mapping[str, int]]
    entrants: Mapping[int, Mapping[str, float]]
    years: Sequence[int]
    # The city's alone: of all children of earlier springs, the share registered a little earlier and later.
    around: tuple[float, float] = (0.0, 0.0)
    coverage: float = 1.0


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
    nodes = {level: _nodes(first, level) for level in (TOTAL, "parent", "area", "unit")}
    springs = {
        level: _springs(registered, entrants, units, LEVEL_COLUMN[level], autumn, through)
        for level in (TOTAL, "parent", "area")
    }
    above = {level: _above(units, level) for level in ("parent", "area", "unit")}
    _set_apart(nodes, entrants, units, above)
    usable = _reporting(springs["parent"], nodes["parent"])
    city = nodes[TOTAL][TOTAL]
    _judge_city(city, springs, nodes["parent"], usable)
    if city.remark == COMBINED:
        _judge_members(nodes["parent"], usable, springs["parent"], (springs["parent"], usable), city, usable)
        for district in usable:
            members = [a for a in nodes["area"] if above["area"].get(a) == district]
            shown = [a for a in members if springs["area"].now.get(a)]
            whole = springs["parent"], [district]
            _judge_members(nodes["area"], shown, springs["area"], whole, nodes["parent"][district], members)
        for unit, node in nodes["unit"].items():
            over = nodes["area"].get(above["unit"][unit]) or nodes["parent"][above["unit"][unit]]
            node.factor, node.learned = over.factor, _left(node, over, node.apart) if over.learned else 0.0
        forecast = _apply(forecast, nodes, units, grades, stage)
    first = forecast[(forecast["grade"] == grades[0]) & (forecast["lead"] == 1)]
    return forecast, _notes(first, nodes, stage, autumn, through)


def _nodes(first: pd.DataFrame, level: str) -> dict[str, _Node]:
    """Forecast and variance of the error of each unit; the 80 % interval is taken as normal in logs."""
    rows = first[first["level"] == level]
    width = np.log((rows["upper_80"] + 1.0) / (rows["lower_80"] + 1.0)) / (2 * UNIT_80)
    values = zip(rows["unit"], rows["forecast"].astype(float), width, strict=True)
    return {str(unit): _Node(value, max(float(sd), 1e-4) ** 2) for unit, value, sd in values}


def _above(units: pd.DataFrame, level: str) -> dict[str, str]:
    """The unit above each unit of a level: the city, the district, the area (else the district)."""
    if level == "parent":
        return dict.fromkeys(units["district"], TOTAL)
    if level == "area":
        return dict(zip(units["area"], units["district"], strict=True))
    over = units["area"].where(units["area"] != "", units["district"])
    return dict(zip(units["school"], over, strict=True))


def _set_apart(
    nodes: Mapping[str, Mapping[str, _Node]],
    entrants: pd.DataFrame,
    units: pd.DataFrame,
    above: Mapping[str, Mapping[str, str]],
) -> None:
    counted = {level: _entrants(entrants, units, LEVEL_COLUMN[level]) for level in nodes}
    over = {
        "parent": counted[TOTAL],
        "area": counted["parent"],
        "unit": {year: counted["parent"][year] | counted["area"].get(year, {}) for year in counted["unit"]},
    }
    for level, whole in over.items():
        for unit, variance in _apart(counted[level], whole, above[level]).items():
            if unit in nodes[level]:
                nodes[level][unit].apart = variance


def _springs(
    registered: pd.DataFrame,
    entrants: pd.DataFrame,
    units: pd.DataFrame,
    column: str,
    autumn: int,
    through: date,
) -> _Springs:
    """Counts of one level (a column of both `registered` and `units`)."""
    counted = _entrants(entrants, units, column)
    years = [int(y) for y in sorted(registered["year"].unique()) if y < autumn and y in counted]

    def by(year: int, shift: int = 0) -> dict[str, int]:
        day = _same_day(through, int(year) - autumn) + timedelta(days=shift)
        mine = (registered["year"] == year) & (registered["registered_date"] <= day)
        return {str(k): int(v) for k, v in registered.loc[mine, column].value_counts().items()}

    found = _Springs(by(autumn), {y: by(y) for y in years}, counted, years)
    if column == "city" and years:
        whole = max(sum(sum(by(y, 366).values()) for y in years), 1)
        around = [sum(sum(by(y, n).values()) for y in years) / whole for n in (-SHIFT_DAYS, SHIFT_DAYS)]
        found.around = around[0], around[1]
        found.coverage = whole / max(sum(sum(counted[y].values()) for y in years), 1.0)
    return found


def _entrants(entrants: pd.DataFrame, units: pd.DataFrame, column: str) -> dict[int, dict[str, float]]:
    stood = entrants.merge(units.assign(city=TOTAL), left_on="unit", right_on="school", how="inner")
    counted: dict[int, dict[str, float]] = {}
    for year, unit, count in rows_of(stood.groupby(["year", column])["enrollment"].sum().reset_index()):
        counted.setdefault(int(year), {})[str(unit)] = float(count)
    return counted


def _apart(
    own: Mapping[int, Mapping[str, float]], above: Mapping[int, Mapping[str, float]], of: Mapping[str, str]
) -> dict[str, float]:
    """Variance in logs of what a unit's entrants do beside those of the unit above (`of`): how much its share
    changed from year to year, held to what is usual."""
    squares: dict[str, list[float]] = {}
    for year in own:
        for unit, count in own[year].items():
            whole, before = above[year].get(of.get(unit, "")), own.get(year - 1, {}).get(unit)
            if whole and before and count:
                change = math.log(count / whole) - math.log(before / above[year - 1][of[unit]])
                squares.setdefault(unit, []).append(min(change * change, MOST_APART))
    usual = float(np.mean([s for mine in squares.values() for s in mine])) if squares else UNKNOWN_APART
    mean = {u: (sum(mine) + APART_PRIOR * usual) / (len(mine) + APART_PRIOR) for u, mine in squares.items()}
    return {u: mean.get(u, usual) for year in own.values() for u in year}


def _same_day(day: date, years: int) -> date:
    last = day.month == 2 and day.day == 29
    return (day - timedelta(days=1) if last else day).replace(year=day.year + years)


def _reporting(springs: _Springs, nodes: Mapping[str, _Node]) -> list[str]:
    """Districts whose registrations have come, now and in an earlier spring: silence is no zero."""
    known = {u for y in springs.years for u, n in springs.then[y].items() if n and springs.entrants[y].get(u)}
    return [u for u, node in nodes.items() if springs.now.get(u) and u in known and node.model > 0]


def _shares(springs: _Springs, members: Iterable[str]) -> dict[int, float]:
    """Registered by the day over the entrants of autumn, of the members together, by earlier spring."""
    found = {}
    for year in springs.years:
        mine = [u for u in members if springs.then[year].get(u) and springs.entrants[year].get(u)]
        if mine:
            came = sum(springs.entrants[year][u] for u in mine)
            found[year] = sum(springs.then[year][u] for u in mine) / came
    return found


def _judge_city(
    city: _Node, springs: Mapping[str, _Springs], districts: Mapping[str, _Node], usable: Sequence[str]
) -> None:
    whole = springs[TOTAL]
    city.registered, city.springs = sum(whole.now.values()), len(whole.years)
    if not whole.years:
        city.remark = NO_SPRING
        return
    shares = _shares(springs["parent"], usable)
    if not shares:
        city.remark = NOT_YET
        return
    logs = np.log(list(shares.values()))
    city.share, city.springs = float(np.exp(logs.mean())), len(logs)
    early, late = (max(s, 1e-3) for s in whole.around)
    shift, cover = (math.log(late) - math.log(early)) / 2, abs(1 - whole.coverage) / 2
    prior = shift**2 + max(cover, LEAST_SPREAD) ** 2
    seen = float(((logs - logs.mean()) ** 2).sum())
    spread = (PRIOR_SPRINGS * prior + seen) / (PRIOR_SPRINGS + len(logs) - 1)
    here = sum(springs["parent"].now[u] for u in usable)
    city.implied_variance = spread * (1 + 1 / len(logs)) + _noise(city.share, here)
    model = sum(districts[u].model for u in usable)
    surprise = math.log(here / city.share / model)
    city.weight = city.variance / (city.variance + city.implied_variance)
    city.factor, city.remark = math.exp(city.weight * surprise), COMBINED
    city.learned = city.weight * city.variance * (model / max(city.model, 1.0)) ** 2


def _noise(share: float, registered: float) -> float:
    """Variance in logs of a share of so many children, each of whom registers by the day or not."""
    return max(1 - share, 0.02) / max(registered, 1.0)


def _judge_members(
    nodes: Mapping[str, _Node],
    shown: Sequence[str],
    springs: _Springs,
    whole: tuple[_Springs, Sequence[str]],
    above: _Node,
    members: Sequence[str],
) -> None:
    """Factors of the members of one unit, by what the `shown` ones say beside the `whole`; together they make
    up its own factor. A member's share may always be another than that of all: as much of this is believed
    as springs show."""
    beside = _shares(*whole)
    usual = float(np.exp(np.mean(np.log(list(beside.values()))))) if beside else math.nan
    own = {u: _shares(springs, [u]) for u in shown}
    off = {u: [math.log(s / beside[y]) for y, s in own[u].items() if y in beside] for u in shown}
    noise = {
        u: float(np.mean([_noise(min(beside[y], 1.0), springs.then[y][u]) for y in own[u] if y in beside]))
        for u in shown
        if off[u]
    }
    excess = [d * d - noise[u] for u in noise for d in off[u]]
    apart = max(float(np.mean(excess)), 0.0) if excess else 0.0
    now = sum(springs.now[u] for u in shown)
    model = sum(nodes[u].model for u in shown)
    moved: dict[str, float] = {}
    for unit in shown:
        node, seen = nodes[unit], len(off[unit])
        node.registered, node.springs = springs.now[unit], seen
        if node.model <= 0 or not seen or not model:
            continue
        believed = apart / (apart + noise[unit] / seen) if apart else 0.0
        bias = believed * float(np.mean(off[unit]))
        node.share = usual * math.exp(bias)
        node.implied_variance = _noise(min(node.share, 1.0), node.registered) + apart * (
            1 - believed + believed / (seen + 1)
        )
        node.weight = node.apart / (node.apart + node.implied_variance)
        surprise = math.log(node.registered / math.exp(bias) / node.model) - math.log(now / model)
        moved[unit] = node.weight * surprise
        node.remark = COMBINED
    before = sum(nodes[u].model for u in members)
    after = sum(nodes[u].model * math.exp(moved.get(u, 0.0)) for u in members)
    common = above.factor * (before / after if after else 1.0)
    for unit in members:
        nodes[unit].factor = common * math.exp(moved.get(unit, 0.0))
        nodes[unit].learned = _left(nodes[unit], above, (1 - nodes[unit].weight) * nodes[unit].apart)


def _left(node: _Node, above: _Node, own: float) -> float:
    """Variance that is learned of a member: all but what is left above and of its own."""
    return min(max(node.variance - (above.variance - above.learned) - own, 0.0), MOST_LEARNED * node.variance)


def _apply(
    forecast: pd.DataFrame,
    nodes: Mapping[str, Mapping[str, _Node]],
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
    return _moved(forecast, added, learned)


def _moved(forecast: pd.DataFrame, added: Floats, learned: Floats) -> pd.DataFrame:
    """Centers moved by whole pupils; widths, in logs, cut by the variance (in pupils) that was learned."""
    center = forecast["forecast"].to_numpy(float)
    low, high = (forecast[b].to_numpy(float) for b in BOUNDS[:2])
    deviation = np.log((high + 1) / (low + 1)) / (2 * UNIT_80) * (center + 1)
    kept = np.sqrt(1 - np.minimum(learned / np.maximum(deviation**2, 1e-9), MOST_LEARNED))
    now = center + added
    bounds = {}
    for name in BOUNDS:
        ratio = np.log((forecast[name].to_numpy(float) + 1) / (center + 1)) * kept
        bound = np.where(now > 0, np.maximum((now + 1) * np.exp(ratio) - 1, 0), 0)
        touched = (added != 0) | (learned > 0)
        bounds[name] = np.where(touched, np.rint(bound), forecast[name]).astype(np.int64)
    return forecast.assign(
        forecast=now.astype(np.int64),
        registration=(forecast["registration"] + added).astype(np.int64),
        **bounds,
    )


def _notes(
    first: pd.DataFrame,
    nodes: Mapping[str, Mapping[str, _Node]],
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
            told = remark == COMBINED
            rows.append(
                (
                    *(level, unit, stage, autumn, through, n.registered, n.springs),
                    *((n.share, n.registered / n.share) if told else (math.nan, math.nan)),
                    *(n.model, math.sqrt(n.variance)),
                    *((math.sqrt(n.implied_variance), n.weight) if told else (math.nan, 0.0)),
                    *(int(change.loc[(level, unit)]), remark),
                )
            )
    return pd.DataFrame(rows, columns=NOTE_COLUMNS)
