"""Find the constants of `synthetic.city.fitness`: levels by stage and sex for 2024, shift of each year.

    python -m benchmarks.city_calibration.fit_fitness

Draws the pupils of one roll, scores them with the national tables, and bisects. Prints what to paste.
"""

from __future__ import annotations

import argparse

import numpy as np
import pyarrow as pa

from jobs.decide.fitness import score
from synthetic.city import fitness
from synthetic.city.ladder import J1, S1, grades
from synthetic.city.life import live
from synthetic.city.numbers import Stream, stream
from synthetic.city.schools import make_schools
from synthetic.city.sittings import SCHOOL_SPREAD, bodies_of

COLUMNS = {
    "height": "height_cm",
    "weight": "weight_kg",
    "vital_capacity": "vital_capacity_ml",
    "run_50m": "run_50m_s",
    "sit_and_reach": "sit_and_reach_cm",
    "rope_skip_1min": "rope_skip_1min_count",
    "sit_up_1min": "sit_up_1min_count",
    "standing_long_jump": "standing_long_jump_cm",
    "pull_up": "pull_up_count",
    "shuttle_run_50x8": "shuttle_run_50x8_s",
    "run_1000m": "run_1000m_s",
    "run_800m": "run_800m_s",
}
REFERENCE_YEAR = 2024


def totals(bodies: fitness.Bodies, measures: dict[str, fitness.Floats]) -> fitness.Floats:
    """Total scores by the national tables."""
    codes = np.array([int(g.fitness_code or 0) for g in grades()])
    columns = {"grade_code": pa.array(codes[bodies.grade]), "sex_code": pa.array(bodies.sex)}
    for code, values in measures.items():
        columns[COLUMNS[code]] = pa.array([None if np.isnan(v) else f"{v:.1f}" for v in values.tolist()])
    scored = score.score(pa.table(columns))["total_score"].to_pylist()
    return np.array([np.nan if total is None else float(total) for total in scored])


def good_share(bodies: fitness.Bodies, year: int, rows: np.ndarray | None = None) -> float:
    """Share of 优良 of these pupils, all of them measured."""
    part = bodies if rows is None else fitness.Bodies(*(getattr(bodies, f)[rows] for f in vars(bodies)))
    made = fitness.measure(part, year, np.random.default_rng(5))
    return float((totals(part, made) >= 80).mean())


def bisect(share_at: object, target: float, low: float, high: float) -> float:
    for _ in range(9):
        middle = (low + high) / 2
        low, high = (middle, high) if share_at(middle) < target else (low, middle)  # type: ignore[operator]
    return round((low + high) / 2, 2)


def main() -> None:
    schools = make_schools(0.02, 11)
    population = live(schools, (REFERENCE_YEAR, REFERENCE_YEAR), 11)
    roll = population.rolls[REFERENCE_YEAR, 1]
    rng = stream(11, Stream.FITNESS, 0)
    lift = SCHOOL_SPREAD * rng.standard_normal(len(schools))[roll.school]
    bodies = bodies_of(population.people, roll, lift)
    stage = np.where(bodies.grade >= S1, "senior", np.where(bodies.grade >= J1, "junior", "primary"))
    for year in fitness.GOOD_SHARE:
        fitness._YEAR_SHIFT[year] = 0.0
    for (name, sex), target in fitness.STAGE_GOOD_SHARE.items():
        rows = np.flatnonzero((stage == name) & (bodies.sex == sex))

        def at_level(level: float, key: tuple[str, int] = (name, sex), rows: np.ndarray = rows) -> float:
            fitness._LEVEL[key] = level
            return good_share(bodies, REFERENCE_YEAR, rows)

        fitness._LEVEL[name, sex] = bisect(at_level, target, 0.0, 25.0)
    print("_LEVEL =", fitness._LEVEL)
    for year, target in fitness.GOOD_SHARE.items():

        def at_shift(shift: float, year: int = year) -> float:
            fitness._YEAR_SHIFT[year] = shift
            return good_share(bodies, year)

        fitness._YEAR_SHIFT[year] = bisect(at_shift, target, -12.0, 6.0)
    print("_YEAR_SHIFT =", fitness._YEAR_SHIFT)


if __name__ == "__main__":
    argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0]).parse_args()
    main()
