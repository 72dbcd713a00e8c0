"""The protocol's figures of the place forecast beside simple methods, and its speed.

    python benchmarks/places/backtest.py [--only us|nyc|speed]

Each simple method gets intervals from its own earlier errors by lead (quantiles of |truth / forecast − 1|
over all units), so that the score compares like with like.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from jobs.decide.places.forecast import COLUMNS, backtest_frame, score
from jobs.decide.places.input_file import read_births, read_enrollment
from jobs.decide.places.panel import Floats, Panel, build_panel

DATA = Path(__file__).parents[2] / "infra" / "data" / "places"
Method = Callable[[Panel, int, int], Floats]


def persistence(panel: Panel, i: int, horizon: int) -> Floats:
    """Today's pupils for ever, [lead, unit, grade], as every method has them."""
    return np.repeat(panel.pupils[i][None], horizon, axis=0)


def progression(span: int) -> Method:
    """Grade progression by the unit's mean ratio of the last `span` transitions; intakes stand."""

    def method(panel: Panel, i: int, horizon: int) -> Floats:
        now = panel.pupils[i]
        stayed, behind = np.zeros_like(now), np.zeros_like(now)
        for t in range(i, max(0, i - span), -1):
            if not (panel.in_file[t] and panel.in_file[t - 1]):
                break
            stayed[:, 1:] += panel.pupils[t][:, 1:]
            behind[:, 1:] += panel.pupils[t - 1][:, :-1]
        ratio = np.where(behind > 0, stayed / np.maximum(behind, 1), 0)
        return _walk(now, ratio, horizon)

    return method


def discounted_progression(panel: Panel, i: int, horizon: int) -> Floats:
    """Progression by a discounted ratio, 60 pupils of the system's ratio added to each unit's."""
    now = panel.pupils[i]
    stayed, behind = np.zeros_like(now), np.zeros_like(now)
    for t in range(1, i + 1):
        if panel.in_file[t] and panel.in_file[t - 1]:
            before = np.zeros_like(now)
            before[:, 1:] = panel.pupils[t - 1][:, :-1]
            both = (before > 0) & (panel.pupils[t] > 0)
            stayed = np.where(both, 0.6 * stayed + panel.pupils[t], stayed)
            behind = np.where(both, 0.6 * behind + before, behind)
    overall = (stayed.sum(0) + 1) / (behind.sum(0) + 1)
    return _walk(now, (stayed + 60 * overall) / (behind + 60), horizon)


def _walk(now: Floats, ratio: Floats, horizon: int) -> Floats:
    fed = np.zeros(now.shape, dtype=bool)
    fed[:, 1:] = (now[:, :-1] > 0) & (now[:, 1:] > 0)
    out, current = [], now
    for _ in range(horizon):
        moved = np.zeros_like(now)
        moved[:, 1:] = current[:, :-1] * ratio[:, 1:]
        current = np.where(fed, moved, now)
        out.append(current)
    return np.stack(out)


METHODS: dict[str, Method] = {
    "persistence": persistence,
    "progression, 1 year": progression(1),
    "progression, 3 years": progression(3),
    "progression, 5 years": progression(5),
    "progression, discounted": discounted_progression,
}


def simple_frame(panel: Panel, method: Method, origins: range, horizon: int) -> pd.DataFrame:
    """Unit totals by a simple method in the columns of a back-test."""
    made = {i: method(panel, i, horizon).sum(2) for i in range(1, len(panel.years)) if panel.in_file[i]}
    totals = panel.pupils.sum(2)
    frames = []
    for origin in origins:
        i = panel.index_of(origin)
        if i is None:
            continue
        units = np.flatnonzero(panel.listed[i])
        for h in range(horizon):
            errors = [
                np.abs(totals[s + h + 1][use] / made[s][h][use] - 1)
                for s in made
                if s + h + 1 <= i and panel.in_file[s + h + 1]
                for use in [(made[s][h] > 0) & (totals[s + h + 1] > 0)]
            ]
            widths = np.quantile(np.concatenate(errors), [0.8, 0.9]) if errors else np.array([0.1, 0.15])
            value = made[i][h][units]
            frame = {"origin": origin, "level": "unit", "unit": [panel.units[u] for u in units]}
            frame |= {"grade": "all", "year": origin + h + 1, "lead": h + 1, "forecast": value}
            for share, width in zip((80, 90), widths, strict=True):
                frame |= {f"lower_{share}": value * max(0, 1 - width), f"upper_{share}": value * (1 + width)}
            frames.append(pd.DataFrame(frame))
    return pd.concat(frames).reindex(columns=COLUMNS)


def compare(
    name: str, pupils: pd.DataFrame, births: pd.DataFrame | None, origins: range, horizon: int
) -> None:
    panel = build_panel(pupils)
    begun = time.monotonic()
    tables = {"edulake": score(backtest_frame(pupils, births, origins, horizon), pupils)}
    seconds = time.monotonic() - begun
    for label, method in METHODS.items():
        tables[label] = score(simple_frame(panel, method, origins, horizon), pupils)
    print(f"\n{name}: origins {origins[0]}–{origins[-1]}, {seconds:.0f} s")
    for column, title, factor in (
        ("mape", "mean absolute percentage error of unit totals", 1),
        ("coverage_80", "% inside the 80 % interval", 100),
        ("coverage_90", "% inside the 90 % interval", 100),
        ("interval_score_80", "mean interval score, 80 %, in % of the truth", 1),
        ("interval_score_90", "mean interval score, 90 %, in % of the truth", 1),
    ):
        values = pd.DataFrame({label: t.set_index("lead")[column] * factor for label, t in tables.items()})
        print(f"\n{title}, by lead\n{values.T.round(2).to_string()}")


def speed() -> None:
    """2,000 schools × 13 grades × 7 origins, ten years of history before the first."""
    rng = np.random.default_rng(7)
    schools, grades = 2000, 13
    counts = np.repeat(rng.lognormal(4.2, 0.5, (schools, 1)), grades, axis=1)
    years = []
    for year in range(2000, 2017):
        counts[:, 1:] = counts[:, :-1] * rng.normal(0.99, 0.05, (schools, grades - 1))
        counts[:, 0] *= rng.normal(1, 0.08, schools)
        frame = pd.DataFrame(np.rint(counts), columns=range(grades)).assign(year=year)
        frame["unit"] = [f"school {k:04d}" for k in range(schools)]
        frame["parent_unit"] = [f"district {k % 40:02d}" for k in range(schools)]
        years.append(frame.melt(["unit", "parent_unit", "year"], var_name="grade", value_name="enrollment"))
    pupils = pd.concat(years, ignore_index=True)
    begun = time.monotonic()
    rows = len(backtest_frame(pupils, None, range(2010, 2017)))
    print(f"\nspeed: {len(pupils):,} lines to {rows:,} rows in {time.monotonic() - begun:.1f} s")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", choices=["us", "nyc", "speed"])
    only = parser.parse_args().only
    if only in (None, "us"):
        pupils = read_enrollment(DATA / "us_states_enrollment.csv.gz")
        births = read_births(DATA / "us_states_births.csv.gz")
        compare("US states", pupils, births, range(1990, 2017), 6)
    if only in (None, "nyc"):
        pupils = read_enrollment(DATA / "nyc_schools_enrollment.csv.gz")
        # COVID: the protocol's targets end in 2019.
        compare("New York schools", pupils[pupils["year"] < "2020"], None, range(2016, 2019), 3)
    if only in (None, "speed"):
        speed()


if __name__ == "__main__":
    main()
