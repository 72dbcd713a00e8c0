"""The review of classes graded on the city's truth: precision and recall by score, seed by seed.

    python -m benchmarks.fitness.review --scale 0.05 --seeds 1,2,3

Each seed makes a city in memory, hands its results in with the standard faults and without any, reviews the
last year with the year before and the recheck beside it, and prints what was found.
"""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path

import numpy as np
import pandas as pd

from jobs.decide.fitness.review import FALSE_DISCOVERY, Review, review
from jobs.decide.fitness.review_frame import COLUMN
from synthetic.city.fabrications import fabricate
from synthetic.city.faults import Faults, parse
from synthetic.city.figures import districts
from synthetic.city.ladder import grades
from synthetic.city.life import lives
from synthetic.city.part import City, Part
from synthetic.city.recheck import recheck
from synthetic.city.schools import make_schools
from synthetic.city.sittings import Sittings, first_sittings
from synthetic.city.writers import Landing

YEARS = (2024, 2025)


def year_of(
    scale: float, seed: int, faults: str
) -> tuple[dict[int, pd.DataFrame], dict[int, pd.DataFrame], pd.DataFrame]:
    """Results and rechecks by year as the lake would hold them, and the truth."""
    rates = parse(faults)
    city = City(make_schools(scale, seed), scale, seed, YEARS, rates)
    results: dict[int, list[pd.DataFrame]] = {}
    rechecks: dict[int, list[pd.DataFrame]] = {}
    truth = []
    for year, population in lives(city.schools, city.years, city.seed):
        for number in range(len(districts())):
            part = Part(city, year, number, population, Landing(Path()), {}, faults=Faults(dict(rates), seed))
            roll = part.roll()
            assert roll is not None
            first = first_sittings(part.people, roll, city.schools, seed, number)
            handed_in = fabricate(part, first)
            on_roll = pd.Series(roll.school, index=roll.person)
            results.setdefault(year, []).append(_table(part, handed_in, on_roll))
            rows, measures = recheck(part, first)
            again = dataclasses.replace(first.take(rows), measures=measures)
            rechecks.setdefault(year, []).append(_table(part, again, on_roll))
            columns, lines = part.truth.tables["fabrications"]
            truth.append(pd.DataFrame(lines, columns=columns))
    return (
        {year: pd.concat(parts) for year, parts in results.items()},
        {year: pd.concat(parts) for year, parts in rechecks.items()},
        pd.concat(truth),
    )


def _table(part: Part, sittings: Sittings, on_roll: pd.Series) -> pd.DataFrame:
    roll = sittings.roll
    codes = np.array([int(g.fitness_code or 0) for g in grades()])
    school_on_roll = on_roll.reindex(roll.person).to_numpy()
    return pd.DataFrame(
        {
            "school_code": np.array(part.schools.codes)[roll.school],
            "class_code": [f"{codes[g]}{k:02d}" for g, k in zip(roll.grade, roll.klass, strict=True)],
            "fitness_grade_code": codes[roll.grade],
            "sex_code": np.where(part.people.is_male[roll.person], 1, 2),
            "pupil_key": roll.person,
            "line_number": np.arange(len(roll)) + 2,
            "is_on_roll_of_school": school_on_roll == roll.school,
        }
        | {COLUMN[code]: values for code, values in sittings.measures.items()}
    )


def graded(found: Review, truth: pd.DataFrame) -> pd.DataFrame:
    """Classes with the kind of what was made up in them (null: nothing), by score."""
    kinds = truth.set_index(["school_code", "class_code"])["kind"]
    return found.classes.join(kinds, on=["school_code", "class_code"])


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--scale", type=float, default=0.05)
    parser.add_argument("--seeds", default="1,2,3")
    parser.add_argument(
        "--missed", action="store_true", help="Tell the classes that were missed or wrongly flagged."
    )
    given = parser.parse_args()
    whole = []
    for seed in (int(s) for s in given.seeds.split(",")):
        for faults in ("standard", "none"):
            results, rechecks, truth = year_of(given.scale, seed, faults)
            now = truth[truth["school_year_start"] == str(YEARS[1])]
            found = review(results[YEARS[1]], results[YEARS[0]], rechecks[YEARS[1]])
            rows = graded(found, now).assign(seed=seed, faults=faults)
            whole.append(rows)
            flagged, made = rows["is_flagged"], rows["kind"].notna()
            hit = int((flagged & made).sum())
            if faults == "standard":
                print(
                    f"seed {seed}: {len(rows)} classes, {int(made.sum())} made up or damaged, "
                    f"{int(flagged.sum())} flagged: precision {hit / max(flagged.sum(), 1):.3f}, "
                    f"recall {hit / max(made.sum(), 1):.3f}"
                )
                if given.missed:
                    print(rows[flagged != made].drop(columns=["seed", "faults"]).to_string())
            else:
                print(f"seed {seed}: without fabrication {flagged.mean():.2%} of {len(rows)} classes flagged")
    table = pd.concat(whole)
    standard = table[table["faults"] == "standard"].sort_values("p_value")
    print(f"\nall seeds, standard rate, by score (flagged: q < {FALSE_DISCOVERY:g})")
    made = standard["kind"].notna().to_numpy()
    print("  recall  precision  least score")
    for recall in (0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.95, 1.0):
        need = int(np.ceil(recall * made.sum()))
        at = int(np.searchsorted(np.cumsum(made), need))
        print(f"  {recall:6.2f}  {need / (at + 1):9.3f}  {standard['suspicion_score'].iloc[at]:11.2f}")
    print("\n  kind                          classes  flagged")
    for kind, rows in standard[made].groupby("kind"):
        print(f"  {kind:28}  {len(rows):7}  {rows['is_flagged'].mean():7.2f}")


if __name__ == "__main__":
    main()
