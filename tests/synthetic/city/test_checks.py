"""Incidents at the rates that are stated, and safe campuses as the city's own checks have them."""

from __future__ import annotations

from collections import Counter
from datetime import date

import pytest

from synthetic.city.checks import safe_campuses
from synthetic.city.figures import data_rows
from synthetic.city.hazards import make_hazards
from synthetic.city.illness import terms
from synthetic.city.incidents import _drawn, kinds
from synthetic.city.numbers import Stream, stream
from synthetic.city.schools import Schools, make_schools, year_index

NEWEST = date(2025, 11, 20)
YEAR = 2024


@pytest.fixture(scope="module")
def schools() -> Schools:
    return make_schools(0.1, 5)


@pytest.fixture(scope="module")
def counted(schools: Schools) -> Counter[str]:
    """Incidents of one school year, drawn ones and those of hazards."""
    found: Counter[str] = Counter()
    for number in range(16):
        for _, term, days, _ in terms((YEAR, YEAR), NEWEST):
            rng = stream(5, Stream.INCIDENT, number, YEAR, term)
            found.update(i.kind for i in _drawn(rng, schools, 5, number, YEAR, days))
        hazards = make_hazards(schools, 5, number, YEAR, NEWEST)
        found.update(h.incident_kind for h in hazards if h.incident_day)
    return found


def test_rare_incidents_are_rare(schools: Schools, counted: Counter[str]) -> None:
    """A fire in a school is one in ten thousand of pupils and years, not one in six schools."""
    assert len(schools) > 300
    for kind in ("fire", "missing_person", "school_bus", "food_borne", "electric_shock"):
        assert counted[kind] <= 6, kind
    assert counted["sports_injury"] > 20 * counted["fire"]


def test_incidents_come_at_the_stated_rates(schools: Schools, counted: Counter[str]) -> None:
    thousands = schools.pupils[:, year_index(YEAR)].sum() / 1000
    stated = sum(kind.per_1000_pupil_years for kind in kinds())
    assert 0.7 * stated < sum(counted.values()) / thousands < 1.6 * stated


def test_every_rate_has_a_day_and_a_source() -> None:
    for row in data_rows("incident_rates.csv"):
        assert row["source"]
        assert date.fromisoformat(row["valid_from"])
        assert row["confidence"] in ("verified", "secondary", "from_memory", "ours")


def test_a_district_states_the_safe_campuses_of_its_own_checks(schools: Schools) -> None:
    day = date(2025, 11, 10)
    found = [safe_campuses(schools, 5, number, day, NEWEST) or (0, 1) for number in range(16)]
    met, all_of_them = map(sum, zip(*found, strict=True))
    assert safe_campuses(schools, 5, 0, date(2021, 12, 31), NEWEST) is None, "no guards were required yet"
    assert 0.9 < met / all_of_them < 1.0, "most schools do what is asked, not all"
