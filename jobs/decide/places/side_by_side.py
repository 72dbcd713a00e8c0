"""Two scenarios side by side, and the cheapest mix that closes what one of them lacks.

`./edulake places scenario` and the API answer from here, both with a base that they read from a release.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import pandas as pd

from jobs.decide.places import scenario
from jobs.decide.places.scenario import KEY, Base, Lever, Mix
from jobs.declare import standards

FIGURES = ["pupils", "places", "gap", "shortage_probability", "surplus_probability"]


@dataclass(frozen=True)
class Place:
    """What is meant of the rows: a district, stage and school year; None: each."""

    district: str | None = None
    stage: str | None = None
    year: int | None = None

    def of(self, rows: pd.DataFrame) -> pd.DataFrame:
        """The rows that are meant."""
        held = pd.Series(True, index=rows.index)
        for column, value in zip(KEY, (self.district, self.stage, self.year), strict=True):
            if value is not None:
                held &= rows[column] == value
        return rows[held]


def compare(base: Base, against: Sequence[Lever], levers: Sequence[Lever], day: date) -> pd.DataFrame:
    """One row a district, stage and year (KEY): FIGURES under `against`, and under `levers`, named
    `…_against` and `…_scenario`. `day`: whose warning levels say when places stand idle. UserError for levers
    that cannot be.
    """
    levels = standards.frame("places/warning_levels", day, needed=True)
    idle = float(levels.loc[levels["direction"] == "surplus", "least_gap_share"].min())
    first, second = (scenario.apply(base, chosen, idle) for chosen in (against, levers))
    return first.merge(second, on=KEY, suffixes=("_against", "_scenario"))


@dataclass(frozen=True)
class Closed:
    """How a gap is closed: places lacking, the cheapest mix, what each lever gives at most, the norms."""

    shortage: int
    mix: Mix
    most: dict[str, int]
    norms: pd.DataFrame


def close(both: pd.DataFrame, district: str, stage: str, year: int, day: date) -> Closed:
    """The cheapest mix for a district, stage and year under the second scenario of `compare`. UserError for
    a place that no row tells of.
    """
    norms = standards.frame("places/levers", day, needed=True)
    told = both[KEY].assign(**{name: both[f"{name}_scenario"] for name in FIGURES})
    most = scenario.limits(told, district, stage, year, norms)
    lacking = -float(Place(district, stage, year).of(told)["gap"].iloc[0])
    shortage = max(int(-(-lacking // 1)), 0)
    return Closed(shortage, scenario.cheapest(shortage, most, norms), most, norms)
