"""The national fitness standard as dense arrays, one row per edition, grade and sex, indexed by the value.

Source: expectations/standards/fitness (国家学生体质健康标准, 2014 edition; see SOURCES.md there).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from functools import lru_cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from jobs.declare import standards

SEX_CODES = (1, 2)
NO_POINTS = -1  # the item does not belong to this grade and sex, or there is no value


@dataclass(frozen=True)
class ScoringOptions:
    """Points the standard leaves open (docs/decisions/fitness-scoring.md); the defaults are the stated ones.

    `run_50m`, `long_runs`: a time finer than the unit goes `up` to the next (10.11 s → 10.2 s) or `down`.
    `level_from`: the level is read off the total `rounded` half up to 0.1, or off the `exact` hundredths.
    `missing_item`: `no_total`, or `zero`: a missing item counts 0 (the row stays "incomplete").
    `grade_columns`: codes without a column (中职, 初四, 大五) and the code whose column they take.
    """

    run_50m: Literal["up", "down"] = "up"
    long_runs: Literal["up", "down"] = "up"
    level_from: Literal["rounded", "exact"] = "rounded"
    missing_item: Literal["no_total", "zero"] = "no_total"
    grade_columns: Mapping[int, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        allowed = {
            "run_50m": ("up", "down"),
            "long_runs": ("up", "down"),
            "level_from": ("rounded", "exact"),
            "missing_item": ("no_total", "zero"),
        }
        for name, values in allowed.items():
            if getattr(self, name) not in values:
                raise ValueError(f"{name} must be one of {', '.join(values)}")


DEFAULTS = ScoringOptions()


@dataclass(frozen=True)
class Measure:
    """One measured column, in units of 10^-decimals; outside `possible` nobody can have been measured."""

    code: str
    column: str
    decimals: int
    possible: tuple[int, int]  # in units


@dataclass(frozen=True)
class Item:
    """Points and bonus of one item by (group, slot): slot 0 is "no value", slot 1 is `first` units."""

    measure: Measure
    lower_is_better: bool
    first: int
    last: int
    points: NDArray[np.int8]
    bonus: NDArray[np.int8]
    weight: NDArray[np.int8]  # per group, in per cent; 0: the item does not belong to the group


@dataclass(frozen=True)
class Standard:
    """All editions. A group is edition × grade × sex; the last group is "none" and earns nothing."""

    items: tuple[Item, ...]
    versions: tuple[str, ...]
    valid_from: NDArray[np.int64]  # days since 1970-01-01, ascending
    valid_to: NDArray[np.int64]  # last day in force
    grade_index: Mapping[int, int]
    group_count: int
    levels: tuple[str, ...]
    level_from_hundredths: NDArray[np.int64]  # (group, level): least total of that level, best level first

    @property
    def no_group(self) -> int:
        return self.group_count - 1


def in_units(text: str, decimals: int) -> int:
    """A table's decimal as a whole number of 10^-decimals. Raises ValueError where it is finer than that."""
    scaled = Decimal(text).scaleb(decimals)
    if scaled != scaled.to_integral_value():
        raise ValueError(f"{text} is finer than {decimals} decimals")
    return int(scaled)


def days(day: date) -> int:
    """Days since 1970-01-01, as Arrow counts them."""
    return (day - date(1970, 1, 1)).days


def load_measures() -> dict[str, Measure]:
    """Measured columns by item code, in the order of the standard."""
    measures = {}
    for row in standards.rows("fitness/items"):
        decimals = int(row["decimals"])
        possible = (in_units(row["possible_from"], decimals), in_units(row["possible_to"], decimals))
        measures[row["item_code"]] = Measure(row["item_code"], row["column_name"], decimals, possible)
    return measures


@dataclass(frozen=True)
class _Step:
    group: int
    table: Literal["scoring", "bonus"]
    earns: int
    low: int | None  # in units, both ends inclusive; None is open
    high: int | None


class _Editions:
    """The tables of all editions, and the groups (edition × grade × sex) that their rows speak of."""

    def __init__(self) -> None:
        self.editions = sorted(standards.rows("fitness/editions"), key=lambda row: row["valid_from"])
        grades = sorted({int(row["grade_code"]) for _, row in self.rows("grades")})
        self.grade_index = {code: index for index, code in enumerate(grades)}
        self.size = len(grades) * len(SEX_CODES)
        self.group_count = len(self.editions) * self.size + 1

    def rows(self, table: str) -> Iterator[tuple[int, dict[str, str]]]:
        """Each row of a table with the number of its edition."""
        for number, edition in enumerate(self.editions):
            for row in standards.rows(f"fitness/{edition['folder']}/{table}"):
                yield number, row

    def groups(self, number: int, row: Mapping[str, str]) -> list[int]:
        """The groups that a row names."""
        sex = SEX_CODES.index(int(row["sex_code"]))
        codes = row["grade_codes"].split("|")
        return [number * self.size + self.grade_index[int(code)] * len(SEX_CODES) + sex for code in codes]


@lru_cache(maxsize=1)
def load() -> Standard:
    """Read every edition in editions.csv. Raises ValueError where a table contradicts itself."""
    measures = {code: m for code, m in load_measures().items() if code not in ("height", "weight")}
    tables = _Editions()
    weights, (steps, lower_is_better) = _weights(tables, measures), _steps(tables, measures)
    levels = list(dict.fromkeys(row["level"] for _, row in tables.rows("levels")))
    level_from = np.full((tables.group_count, len(levels)), np.iinfo(np.int64).max, np.int64)
    for number, row in tables.rows("levels"):
        own = slice(number * tables.size, (number + 1) * tables.size)
        level_from[own, levels.index(row["level"])] = in_units(row["total_score_ge"], 2)
    editions = tables.editions
    return Standard(
        items=tuple(
            _item(measure, code in lower_is_better, weights[code], steps[code])
            for code, measure in measures.items()
        ),
        versions=tuple(edition["standard_version"] for edition in editions),
        valid_from=np.array([days(date.fromisoformat(e["valid_from"])) for e in editions]),
        valid_to=np.array([days(date.fromisoformat(e["valid_to"] or "9999-12-31")) for e in editions]),
        grade_index=tables.grade_index,
        group_count=tables.group_count,
        levels=tuple(levels),
        level_from_hundredths=level_from,
    )


def _weights(tables: _Editions, measures: Mapping[str, Measure]) -> dict[str, NDArray[np.int8]]:
    """Weight of each item in each group, in per cent."""
    weights = {code: np.zeros(tables.group_count, np.int8) for code in measures}
    for number, row in tables.rows("weights"):
        weights[row["item_code"]][tables.groups(number, row)] = int(row["weight_pct"])
    sums = sum(weight.astype(np.int64) for weight in weights.values())
    if not np.isin(sums, (0, 100)).all():  # 0: a grade of another edition
        raise ValueError("weights.csv: the weights of a grade and sex do not sum to 100")
    return weights


def _steps(tables: _Editions, measures: Mapping[str, Measure]) -> tuple[dict[str, list[_Step]], set[str]]:
    """Steps of the scoring, bonus and BMI tables by item, and the items where less is better."""
    steps: dict[str, list[_Step]] = {code: [] for code in measures}
    lower_is_better = set()
    columns: tuple[tuple[Literal["scoring", "bonus"], str], ...] = (
        ("scoring", "points"),
        ("bonus", "bonus_points"),
    )
    for table, earns in columns:
        for number, row in tables.rows(table):
            if row["threshold"] == "":  # official blank: no step
                continue
            code = row["item_code"]
            low = high = None
            if row["comparison"] == "<=":
                lower_is_better.add(code)
                high = in_units(row["threshold"], measures[code].decimals)
            else:
                low = in_units(row["threshold"], measures[code].decimals)
            steps[code] += [_Step(g, table, int(row[earns]), low, high) for g in tables.groups(number, row)]
    for number, row in tables.rows("bmi"):
        low, high = (in_units(row[side], 1) if row[side] else None for side in ("lower", "upper"))
        points = int(row["points"])
        steps["bmi"] += [_Step(g, "scoring", points, low, high) for g in tables.groups(number, row)]
    return steps, lower_is_better


def _item(measure: Measure, lower_is_better: bool, weight: NDArray[np.int8], steps: list[_Step]) -> Item:
    """Spread the steps of one item over every whole unit between the least and the greatest threshold."""
    thresholds = [t for step in steps for t in (step.low, step.high) if t is not None]
    first, last = min(thresholds) - 1, max(thresholds) + 1
    units = np.arange(first, last + 1)
    belongs = weight > 0
    if any(not belongs[step.group] for step in steps):
        raise ValueError(f"{measure.code}: a table scores a grade and sex that weights.csv gives no weight")
    points = np.full((len(weight), len(units) + 1), NO_POINTS, np.int8)
    points[belongs, 1:] = 0  # worse than the last step is 0 points
    bonus = np.where(points == NO_POINTS, NO_POINTS, 0).astype(np.int8)
    for step in sorted(steps, key=lambda step: step.earns):
        met = np.ones(len(units), bool)
        if step.low is not None:
            met &= units >= step.low
        if step.high is not None:
            met &= units <= step.high
        (points if step.table == "scoring" else bonus)[step.group, 1:][met] = step.earns
    return Item(measure, lower_is_better, first, last, points, bonus, weight)
