"""The city against the published figures, at the scale of the demonstration."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.city_calibration.compare import comparisons
from synthetic.city import fitness
from synthetic.city.figures import YEARS, births, city_pupils, districts, published_cells, published_totals
from synthetic.city.ladder import GRADES_OF, J1, P1, STAGES
from synthetic.city.life import Population, live
from synthetic.city.schools import Schools, district_births, district_pupils, make_schools, year_index
from synthetic.city.sittings import bodies_of

SCALE = 0.02


@pytest.fixture(scope="module")
def schools() -> Schools:
    return make_schools(SCALE, 7)


@pytest.fixture(scope="module")
def population(schools: Schools) -> Population:
    return live(schools, (2024, 2025), 7)


def test_published_stage_totals_are_met(schools: Schools) -> None:
    totals = schools.pupils.sum(axis=0)
    compared = 0
    for (stage, year), published in published_totals().items():
        if stage in STAGES and year in YEARS:
            made = totals[year_index(year), list(GRADES_OF[stage])].sum()
            # Each grade is rounded once: at most half a pupil of the small city a grade.
            assert abs(made - published * SCALE) <= 0.5 * len(GRADES_OF[stage]) + 0.5, (stage, year)
            compared += 1
    assert compared >= 18
    both = totals[:, P1:].sum(axis=1)
    for year in (2023, 2024):
        assert both[year_index(year)] == pytest.approx(published_totals()["all_basic", year] * SCALE, abs=6.5)


def test_published_grades_are_met() -> None:
    cells = {key: n for key, n in published_cells().items() if key[0] in YEARS}
    assert len(cells) >= 22
    for (year, grade), published in cells.items():
        assert city_pupils()[year_index(year), grade] == pytest.approx(published, rel=0.002)


def test_a_cohort_moves_up_without_a_break() -> None:
    """Years between published ones are made: no grade may swell or shrink by more than the wave explains."""
    table = city_pupils()
    onward = [g for g in range(P1, 14) if g + 1 not in (J1, 12)]
    ratio = table[1:, [g + 1 for g in onward]] / table[:-1, onward]
    assert ratio.min() > 0.78
    assert ratio.max() < 1.30


def test_district_shares_follow_the_published_ones() -> None:
    primary = district_pupils(1.0, 7)[:, year_index(2021), :][:, list(GRADES_OF["primary"])].sum(axis=1)
    by_code = dict(zip([d.code for d in districts()], primary.tolist(), strict=True))
    for code, published in (("110108", 186638), ("110105", 162918), ("110102", 108159), ("110119", 13176)):
        assert by_code[code] == pytest.approx(published, rel=0.04), code


def test_births_add_up_to_the_city(schools: Schools) -> None:
    table = district_births(SCALE)
    assert table.sum(axis=0).tolist() == [round(n * SCALE) for n in births().values()]
    assert (table > 0).all()


def test_every_district_has_every_kind_of_school_with_pupils() -> None:
    for scale in (0.002, SCALE):
        schools = make_schools(scale, 7)
        kinds = np.array(schools.kinds)
        for number in range(16):
            here = schools.district == number
            for stage in STAGES:
                open_ones = schools.pupils[here & (kinds == stage), -1].sum(axis=1)
                assert open_ones.max() > 0, (scale, number, stage)


def test_school_count_and_sizes_are_plausible(schools: Schools) -> None:
    assert 70 <= len(schools) <= 110
    assert 3300 <= len(make_schools(1.0, 7)) <= 3700
    size = schools.pupils[:, -1].sum(axis=1)
    assert size.max() < 3000
    assert np.median(size[size > 0]) > 150


def test_non_local_share_of_primary_pupils(population: Population) -> None:
    """25.5 % in 2020 and falling: about a fifth in 2025."""
    roll = population.rolls[2025, 1]
    primary = roll.person[roll.grade < J1]
    assert 0.17 < population.people.is_migrant[primary].mean() < 0.25


def test_pull_ups_pile_up_at_nought_to_two(population: Population) -> None:
    made, bodies = _measured(population, 2025)
    boys = made["pull_up"][(bodies.grade >= J1) & (bodies.sex == 1)]
    assert 0.10 < (boys == 0).mean() < 0.35
    assert (boys <= 2).mean() > 0.45
    assert np.isnan(made["pull_up"][bodies.sex == 2]).all()
    heavy = bodies.build > 1.0
    rows = (bodies.grade >= J1) & (bodies.sex == 1)
    assert made["pull_up"][rows & heavy].mean() < 0.7 * made["pull_up"][rows & ~heavy].mean()


@pytest.mark.parametrize(("year", "published"), [(2024, 0.775), (2025, 0.803)])
def test_share_of_good_and_excellent(population: Population, year: int, published: float) -> None:
    from benchmarks.city_calibration.fit_fitness import totals

    made, bodies = _measured(population, year)
    assert (totals(bodies, made) >= 80).mean() == pytest.approx(published, abs=0.02)


def test_comparison_page_holds_its_bounds() -> None:
    rows = comparisons(SCALE, 7)
    assert len(rows) >= 40
    assert [row for row in rows if not row.holds] == []


def _measured(population: Population, year: int) -> tuple[dict[str, fitness.Floats], fitness.Bodies]:
    roll = population.rolls[year, 1]
    rng = np.random.default_rng(3)
    lift = 1.8 * rng.standard_normal(200)[roll.school]
    bodies = bodies_of(population.people, roll, lift)
    return fitness.measure(bodies, year, rng), bodies


def test_the_future_goes_on_from_the_last_year(schools: Schools) -> None:
    """Cohorts move up; first grades follow the births that are already known."""
    now, future = schools.pupils[:, -1].sum(axis=0), schools.future.sum(axis=0)
    assert future.shape == (6, 15)
    path = np.concatenate([now[None], future])
    for grade in (*range(P1, 8), 9, 10, 12, 13):
        ratio = path[1:, grade + 1] / path[:-1, grade]
        assert ((ratio > 0.85) & (ratio < 1.03)).all(), grade
    known = births()
    cohorts = [known[year - 7] / 3 + known[year - 6] * 2 / 3 for year in range(2026, 2031)]
    ratio = future[:5, P1] / SCALE / cohorts
    assert ((ratio > 0.88) & (ratio < 1.06)).all()
    assert len(set(np.round(ratio, 3))) > 1, "a future that follows the births exactly"
    other = make_schools(SCALE, 8).future.sum(axis=0)
    assert (other != future).any()
    assert (make_schools(SCALE, 8).pupils.sum(axis=0) == schools.pupils.sum(axis=0)).all()


def test_the_wave_of_births_passes_through_the_stages(schools: Schools) -> None:
    """The largest cohort, which entered in 2023, is in every grade the largest when it gets there."""
    path = np.concatenate([schools.pupils, schools.future], axis=1).sum(axis=0)
    peak = {grade: 2015 + int(path[:, grade].argmax()) for grade in range(P1, J1 + 3)}
    assert peak == {grade: 2023 + grade - P1 for grade in range(P1, J1 + 3)}
    assert path[year_index(2023), P1] > 1.2 * path[year_index(2025), P1]
    entered = path[year_index(2023), P1]
    assert path[2028 - 2015, P1 + 5] == pytest.approx(entered, rel=0.12)
