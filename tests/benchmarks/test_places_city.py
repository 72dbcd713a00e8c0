"""The lake's forecast on the truth of two small cities: near what can be known, in intervals that mean it."""

from __future__ import annotations

import pandas as pd
import pytest

from benchmarks.places import city as benchmark
from jobs.decide.places import decided_rows, job
from jobs.lake import window
from jobs.publish import release
from jobs.settings import Settings
from synthetic.city.faults import SETS
from synthetic.city.part import City
from synthetic.city.schools import make_schools

STAGES = ("kindergarten", "primary", "junior", "senior")


@pytest.fixture(scope="module")
def told() -> pd.DataFrame:
    return benchmark.graded_cities(0.02, range(9401, 9403))


@pytest.fixture(scope="module")
def table(told: pd.DataFrame) -> pd.DataFrame:
    return benchmark.scores(told)


def as_text(rows: pd.DataFrame) -> list[str]:
    return sorted(rows.astype(str).agg("|".join, axis=1))


def test_the_benchmark_grades_what_a_lake_publishes(lake: Settings) -> None:
    city = City(make_schools(0.002, 7), 0.002, 7, benchmark.YEARS, SETS["standard"])
    table = "decision_places__forecast"
    made = decided_rows.exact(table, job.decided(lake, city.newest, benchmark.known_rows(city))[table])
    with window.opened(lake, release.published_day(lake), window.newest_known(lake), [table]) as opened:
        published = opened.frame(f"select * from {opened.of('in_force', table)}")
    assert as_text(made) == as_text(published[made.columns])
