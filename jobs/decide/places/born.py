"""Births behind the entrants of each year, as the forecast reads them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from jobs.decide.places.model.level import births_of
from jobs.decide.places.panel import BIRTH_LOOKBACK, build_panel

WHOLE = "total"  # the unit under which the births of all stand


def cohort_births(
    enrollment: pd.DataFrame, births: pd.DataFrame, lags: Mapping[str, int], horizon: int
) -> pd.DataFrame:
    """Births of each entering cohort: `unit` (units and parents with births, and WHOLE), `grade` entered,
    `year` of entry (of the file and `horizon` years on), `births`, and `is_known`: no trend stands for them.

    A cohort is born in two calendar years; how much of it in the earlier one makes entrants per birth
    steadiest. Raises InputError."""
    panel = build_panel(enrollment, births)
    of_grade = {panel.grades.index(g): lag for g, lag in lags.items() if g in panel.grades}
    levels = births_of(panel, of_grade)
    t = len(panel.years) - 1
    frames = []
    for names, born in (
        (panel.units, levels.units),
        (panel.parents, levels.parents),
        ([WHOLE], levels.total),
    ):
        if born is None:
            continue
        seen = born.as_known(t, horizon)
        for grade, lag in of_grade.items():
            for at in range(t + horizon + 1):
                year = at + BIRTH_LOOKBACK - lag
                both = born.counts[year - 1 : year + 1]
                known = len(both) == 2 and np.isfinite(both).all(0)
                rows = {"unit": names, "grade": panel.grades[grade], "year": int(panel.years[0]) + at}
                frames.append(
                    pd.DataFrame({**rows, "births": born.behind(seen, grade, at, t), "is_known": known})
                )
    columns = ["unit", "grade", "year", "births", "is_known"]
    made = pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=columns)
    return made.dropna(subset=["births"]).drop_duplicates(["unit", "grade", "year"])
