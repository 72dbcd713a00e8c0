"""What a forecast is made of: births × entry ratio × progression, and what no birth explains."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

PART_COLUMNS = [
    *("level", "unit_code", "grade_key", "school_year_start", "entry_year", "birth_year", "birth_count"),
    *("is_birth_known", "entrant_count", "is_entrant_forecast", "entry_ratio", "progression_ratio"),
    *("registration_count", "event_count", "forecast"),
]


def parts(
    forecast: pd.DataFrame,
    pupils: pd.DataFrame,
    births: Mapping[str, Mapping[int, float]],
    birth_unit: Mapping[tuple[str, str], str],
    stages: Mapping[str, Sequence[str]],
    lag_of: Mapping[str, int],
    events: Mapping[tuple[str, str, str, int], float] | None = None,
) -> pd.DataFrame:
    """One row per unit, grade and year of a forecast (PART_COLUMNS), such that
    births × entry ratio × progression + registration + events = forecast (to the rounding of floats).

    `forecast`, `pupils`: level, unit_code, grade_key, school_year_start and forecast or pupil_count, of every
    level and past autumn; a column `registration` of the forecast holds the pupils in it that registrations
    of spring added to the model's, or took (negative). `births`: unit -> calendar year -> births;
    `birth_unit`: (level, unit) -> the unit whose births stand behind it. `stages`: each stage's grades in
    order; `lag_of`: years from birth to each grade. A cohort is that which enters the first grade of its
    stage in the unit: the entrants that the model expects over the births of that year are the entry ratio,
    the pupils it expects over the entrants the progression. Years whose births are not known yet have those
    of the last one known. A grade without births or entrants behind it (one that opens above the first
    grade, a unit without births) is an event as a whole. `events`: pupils by (level, unit, grade, year) known
    from elsewhere, in the forecast already; they are taken out first.
    """
    first = {grade: grades[0] for grades in stages.values() for grade in grades}
    steps = {grade: n for grades in stages.values() for n, grade in enumerate(grades)}
    key = ["level", "unit_code", "grade_key", "school_year_start"]
    ahead = dict(zip(map(tuple, forecast[key].to_numpy().tolist()), forecast["forecast"], strict=True))
    stood = dict(zip(map(tuple, pupils[key].to_numpy().tolist()), pupils["pupil_count"], strict=True))
    known = events or {}
    registered = (
        dict(zip(ahead, forecast["registration"].astype(float), strict=True))
        if "registration" in forecast
        else {}
    )
    rows = []
    for (level, unit, grade, year), value in ahead.items():
        if grade not in first:
            continue
        event = float(known.get((level, unit, grade, year), 0.0))
        added = registered.get((level, unit, grade, year), 0.0)
        entry_year = year - steps[grade]
        entry = (level, unit, first[grade], entry_year)
        is_ahead = entry in ahead
        entrants = (
            float(ahead[entry]) - float(known.get(entry, 0.0)) - registered.get(entry, 0.0)
            if is_ahead
            else float(stood.get(entry, 0))
        )
        birth_year = entry_year - lag_of[first[grade]]
        of_unit = births.get(birth_unit.get((level, unit), ""), {})
        born = of_unit.get(birth_year)
        is_known = born is not None
        if born is None and of_unit and birth_year > max(of_unit):
            born = of_unit[max(of_unit)]
        rest = float(value) - event - added
        if born and entrants > 0 and rest > 0:
            row: tuple[Any, ...] = (
                birth_year,
                float(born),
                is_known,
                entrants,
                is_ahead,
                entrants / born,
                rest / entrants,
                added,
                event,
            )
        else:
            row = (birth_year, None, False, None, is_ahead, None, None, added, float(value) - added)
        rows.append((level, unit, grade, year, entry_year, *row, float(value)))
    return pd.DataFrame(rows, columns=PART_COLUMNS)
