"""Simple methods on every level of a city: the rows that `benchmarks.places.city` sets beside the lake's."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd

from benchmarks.places.backtest import METHODS, Method
from jobs import settings as site_settings
from jobs.decide.places.ladder import grade_lags, ladder_years, stage_grades
from jobs.decide.places.panel import Floats, Panel, build_panel
from synthetic.city.figures import FUTURE_YEARS, LAST_YEAR
from synthetic.city.ladder import grades

LEVELS = ("city", "district", "area", "school")
KEY = ["level", "unit_code", "grade_key", "school_year_start"]


def summed(rows: pd.DataFrame, units: pd.DataFrame) -> pd.DataFrame:
    """Rows of schools and grades as rows of every level, and of grades, stages and all."""
    stage_of = {key: stage for stage, keys in stage_grades().items() for key in keys}
    named = rows.merge(units, on="school")
    spans = [named, named.assign(grade_key=named["grade_key"].map(stage_of)), named.assign(grade_key="all")]
    return pd.concat(
        [
            span.groupby([level, *KEY[2:]], as_index=False)["pupils"]
            .sum()
            .rename(columns={level: "unit_code"})
            .assign(level=level)[[*KEY, "pupils"]]
            for span in spans
            for level in LEVELS
        ]
    )


def with_births(lag_of: dict[str, int], born: pd.DataFrame, entry: tuple[str, ...]) -> Method:
    """Progression of three years in which entrants of some grades are births times their share of births in
    the last three autumns; births past the last known year are those of that year."""
    table = born.pivot_table(index="year", columns="unit", values="births").sort_index()
    table["total"] = table.sum(axis=1)
    walk = METHODS["progression, 3 years"]

    def method(panel: Panel, i: int, horizon: int) -> Floats:
        out = walk(panel, i, horizon)
        for key in entry:
            g = panel.grades.index(str(ladder_years()[key]))
            for u, unit in enumerate(panel.units):
                if unit not in table:
                    continue
                of = table[unit]
                known = of[of.index <= panel.years[i] - 1]

                def births_behind(year: int, known: pd.Series = known, lag: int = lag_of[key]) -> float:
                    return float(known[min(max(year - lag, known.index[0]), known.index[-1])])

                past = range(max(0, i - 2), i + 1)
                share = sum(panel.pupils[t, u, g] for t in past) / sum(
                    births_behind(int(panel.years[t])) for t in past
                )
                entrants = [births_behind(int(panel.years[i]) + h) * share for h in range(1, horizon + 1)]
                _enter(out, panel, i, u, g, entrants)
        return out

    return method


def _enter(out: Floats, panel: Panel, i: int, u: int, g: int, entrants: list[float]) -> None:
    """Put entrants into grade g of a unit, and scale the cohorts that follow them."""
    before = np.array(out[:, u])
    for h, count in enumerate(entrants):
        ratio = count / before[h, g] if before[h, g] > 0 else 1.0
        for step in range(min(len(out) - h, out.shape[2] - g)):
            if step and panel.pupils[i, u, g + step] == 0:
                break
            out[h + step, u, g + step] *= ratio


def simple_rows(counts: pd.DataFrame, units: pd.DataFrame, born: pd.DataFrame) -> Iterator[pd.DataFrame]:
    """Forecasts (KEY, lead, method, forecast, lower_80, upper_80) of the simple methods on each level."""
    horizon, keys = len(FUTURE_YEARS), [grade.key for grade in grades()]
    settings = site_settings.load("beijing")
    births_method = with_births(grade_lags(settings), born, ("K1", "P1"))
    rows = counts.rename(columns={"unit": "school", "grade": "grade_key", "year": "school_year_start"})
    rows = rows.rename(columns={"enrollment": "pupils"})[["school", "grade_key", *KEY[3:], "pupils"]]
    every = summed(rows, units)
    spans: dict[str, Sequence[str]] = {**stage_grades(), "all": keys, **{k: [k] for k in keys}}
    for level in LEVELS:
        own = every[(every["level"] == level) & every["grade_key"].isin(keys)]
        own = own.rename(columns={"unit_code": "unit", "school_year_start": "year", "pupils": "enrollment"})
        panel = build_panel(
            own.assign(grade=own["grade_key"].map(ladder_years()))[["unit", "year", "grade", "enrollment"]]
        )
        methods = dict(METHODS)
        if level in ("city", "district"):
            methods["progression, 3 years, births"] = births_method
        for name, method in methods.items():
            yield from _of_method(panel, level, name, method, horizon, spans)


def _of_method(
    panel: Panel, level: str, name: str, method: Method, horizon: int, spans: dict[str, Sequence[str]]
) -> Iterator[pd.DataFrame]:
    """Forecasts of the newest year by one method, with the widths that held 80 % of its earlier errors."""
    made = np.stack([method(panel, i, horizon) for i in range(2, len(panel.years))])
    at = {g: n for n, g in enumerate(panel.grades)}
    ladder = ladder_years()
    last = len(panel.years) - 1
    for span, own in spans.items():
        of = [at[str(ladder[g])] for g in own]
        truth, told = panel.pupils[:, :, of].sum(2), made[:, :, :, of].sum(3)
        for h in range(horizon):
            errors = [
                np.abs(truth[i + 2 + h + 1] / np.maximum(told[i, h], 1e-9) - 1)[told[i, h] > 0]
                for i in range(len(told) - h - 1)
                if i + 2 + h + 1 <= last
            ]
            width = np.quantile(np.concatenate(errors), 0.8) if errors else 0.1
            value = told[-1, h]
            yield pd.DataFrame(
                {
                    "level": level,
                    "unit_code": panel.units,
                    "grade_key": span,
                    "school_year_start": LAST_YEAR + h + 1,
                    "method": name,
                    "forecast": value,
                    "lower_80": value * max(0, 1 - width),
                    "upper_80": value * (1 + width),
                }
            )
