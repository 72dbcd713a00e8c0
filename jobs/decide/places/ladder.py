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


def entry_lags(settings: Settings, counts: pd.DataFrame) -> dict[str, int]:
    """Years from birth to the grades that births predict, by their years on the ladder: the lowest grade that
    the site counts, and its `entry_grade`."""
    ladder, lags = ladder_years(), grade_lags(settings)
    counted = set(counts["grade"].astype(int))
    entries = [g for g, year in ladder.items() if year == min(counted) or g == settings.places.entry_grade]
    return {str(ladder[g]): max(lags[g], 0) for g in entries if ladder[g] in counted}
