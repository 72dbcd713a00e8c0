"""The ladder of grades: stages, their grades in order, and years from birth to each grade."""

from __future__ import annotations

import pandas as pd

from jobs import declare
from jobs.settings import Settings


def ladder_years() -> dict[str, int]:
    """Grade -> its year on the ladder."""
    return {row["code"]: int(row["ladder_year"]) for row in declare.code_list("grade").rows}


def stage_grades() -> dict[str, list[str]]:
    """Each stage's grades, lowest first."""
    found: dict[str, list[str]] = {}
    for row in sorted(declare.code_list("grade").rows, key=lambda r: int(r["ladder_year"])):
        found.setdefault(row["stage_code"], []).append(row["code"])
    return found


def stage_spans() -> dict[str, list[str]]:
    """Stage -> its years on the ladder, as the forecast labels grades."""
    ladder = ladder_years()
    return {stage: [str(ladder[g]) for g in grades] for stage, grades in stage_grades().items()}


def grade_lags(settings: Settings) -> dict[str, int]:
    """Years from birth to each grade: the site's `entry_lag` is that of its `entry_grade`."""
    ladder = ladder_years()
    entry = ladder[settings.places.entry_grade]
    return {grade: settings.places.entry_lag + year - entry for grade, year in ladder.items()}


def lowest_lag(settings: Settings, counts: pd.DataFrame) -> int:
    """Years from birth to the lowest grade that the site counts."""
    key = {year: grade for grade, year in ladder_years().items()}[int(counts["grade"].min())]
    return max(grade_lags(settings)[key], 0)
