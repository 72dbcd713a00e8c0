"""When newer data is due of what stands behind a mart, by the site's reporting calendar."""

from __future__ import annotations

from datetime import date
from pathlib import Path

from jobs import settings as site
from jobs.publish import next_update
from jobs.publish.published_models import Model

NAMES = ("fct_enrollment_grade", "fct_places_gap", "fct_fitness_school_year", "dim_metric", "fct_of_nobody")


def days(home: Path, name: str, as_of: date) -> dict[str, str | None]:
    models = {mart: Model(mart, "city") for mart in NAMES}
    found = next_update.told(site.load(name, home=home), models, as_of)
    return {mart: model.next_update for mart, model in found.items()}


def test_a_mart_waits_for_the_first_of_its_datasets(tmp_path: Path) -> None:
    autumn, winter = (days(tmp_path, "beijing", day) for day in (date(2025, 9, 1), date(2025, 11, 20)))
    # Registers are due in September, results of tests by the end of December, and births in March.
    assert str(autumn["fct_enrollment_grade"]).startswith("2025-09")
    assert str(winter["fct_fitness_school_year"]) == "2025-12-31"
    assert str(winter["fct_enrollment_grade"]) > "2025-12-31"
    assert str(winter["fct_places_gap"]) <= str(winter["fct_enrollment_grade"])
    for found in (autumn, winter):
        assert found["dim_metric"] is None, "no dataset stands behind it"
        assert found["fct_of_nobody"] is None


def test_it_is_always_a_day_to_come(tmp_path: Path) -> None:
    as_of = date(2026, 3, 31)
    assert all(day is None or day > as_of.isoformat() for day in days(tmp_path, "beijing", as_of).values())


def test_a_site_without_a_calendar_tells_no_day(tmp_path: Path) -> None:
    assert set(days(tmp_path, "nyc", date(2025, 11, 20)).values()) == {None}
