"""A forecast taken apart: births × entry ratio × progression, and what births do not explain."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pandas as pd

_Key = tuple[str, str, str, int]
PART_COLUMNS = [
    *("level", "unit_code", "grade_key", "school_year_start", "entry_year", "birth_year", "birth_count"),
    *("is_birth_known", "feeder_count", "entrant_count", "is_entrant_forecast", "entry_ratio"),
    *("progression_ratio", "registration_count", "housing_count", "event_count", "forecast"),
]


def parts(
    forecast: pd.DataFrame,
    pupils: pd.DataFrame,
    births: Mapping[tuple[str, str, int], tuple[float, bool]],
    source: Mapping[tuple[str, str], tuple[str, str]],
    stages: Mapping[str, Sequence[str]],
    lag_of: Mapping[str, int],
    events: Mapping[tuple[str, str, str, int], float] | None = None,
) -> pd.DataFrame:
    """One row per unit, grade and year of a forecast (PART_COLUMNS), such that, to the rounding of floats,
    base × entry ratio × progression + registration + housing + events = forecast.

    The base is what the forecast of the cohort's entry rests on: births where `lag_of` (years from birth)
    names the grade that is entered, else the pupils of the grade below a year earlier.

    `forecast`, `pupils`: level, unit_code, grade_key, school_year_start and forecast or pupil_count, of every
    level and past autumn; a column `registration` of the forecast holds the pupils in it that registrations
    of spring added to the model's, or took (negative), and `housing` those who move into homes to come.
    `births`: (unit, grade entered, autumn) -> births and whether they are known; `source`: (level, unit) ->
    level and unit of the births and pupils behind it. `stages`: the counted grades in order. A cohort enters
    the first grade of its stage in the unit: the entrants that the model expects over the base are the entry
    ratio, the pupils it expects over the entrants the progression. A grade without a base or entrants behind
    it (one that opens above the first grade) is an event as a whole. `events`: pupils by (level, unit, grade,
    year) known from elsewhere, in the forecast already; they are taken out first.
    """
    first = {grade: grades[0] for grades in stages.values() for grade in grades}
    steps = {grade: n for grades in stages.values() for n, grade in enumerate(grades)}
    ladder = [grade for grades in stages.values() for grade in grades]
    below = dict(zip(ladder[1:], ladder[:-1], strict=True))
    cohorts = _Cohorts(forecast, pupils, events or {})
    rows = []
    for (level, unit, grade, year), value in cohorts.ahead.items():
        if grade not in first:
            continue
        event = cohorts.event((level, unit, grade, year))
        added = cohorts.registration.get((level, unit, grade, year), 0.0)
        entered, entry_year = first[grade], year - steps[grade]
        entrants, is_ahead = cohorts.entrants((level, unit, entered, entry_year))
        at = source.get((level, unit), (level, unit))
        birth_year = born = feeder = None
        is_known = False
        if entered in lag_of:
            birth_year = entry_year - lag_of[entered]
            born, is_known = births.get((at[1], entered, entry_year), (None, False))
        elif entered in below:
            feeder = cohorts.standing((*at, below[entered], entry_year - 1)) or None
            is_known = feeder is not None
        base = born or feeder
        moved_in = cohorts.housing.get((level, unit, grade, year), 0.0)
        rest = float(value) - event - added - moved_in
        if base and entrants > 0 and rest > 0:
            row: tuple[Any, ...] = (
                *(birth_year, born, is_known, feeder, entrants, is_ahead),
                *(entrants / base, rest / entrants, added, moved_in, event),
            )
        else:
            left = float(value) - added - moved_in
            row = (birth_year, None, False, None, None, is_ahead, None, None, added, moved_in, left)
        rows.append((level, unit, grade, year, entry_year, *row, float(value)))
    return pd.DataFrame(rows, columns=PART_COLUMNS)


class _Cohorts:
    """Pupils by (level, unit, grade, year): forecast, past, brought by events and by registrations."""

    def __init__(self, forecast: pd.DataFrame, pupils: pd.DataFrame, events: Mapping[_Key, float]) -> None:
        self.ahead: dict[_Key, Any] = dict(zip(_keys(forecast), forecast["forecast"], strict=True))
        self.past: dict[_Key, Any] = dict(zip(_keys(pupils), pupils["pupil_count"], strict=True))
        self.events = events
        self.registration, self.housing = (
            dict(zip(self.ahead, forecast[part].astype(float), strict=True)) if part in forecast else {}
            for part in ("registration", "housing")
        )

    def event(self, key: _Key) -> float:
        """Pupils that known events bring (negative: take)."""
        return float(self.events.get(key, 0.0))

    def standing(self, key: _Key) -> float:
        """Pupils of a grade in a year, past or expected."""
        return float(self.ahead.get(key, self.past.get(key, 0.0)))

    def entrants(self, entry: _Key) -> tuple[float, bool]:
        """Pupils who enter the stage's first grade, by the model alone, and whether they are forecast."""
        if entry not in self.ahead:
            return float(self.past.get(entry, 0)), False
        model = float(self.ahead[entry]) - self.event(entry)
        model -= self.registration.get(entry, 0.0) + self.housing.get(entry, 0.0)
        return model, True


def _keys(rows: pd.DataFrame) -> Iterator[Any]:
    columns = ["level", "unit_code", "grade_key", "school_year_start"]
    return map(tuple, rows[columns].to_numpy().tolist())
