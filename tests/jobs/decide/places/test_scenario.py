"""Rules of scenarios: what each lever moves and what it leaves alone, and the cheapest mix by trying all."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest

from jobs.decide.places.scenario import Base, apply, cheapest, limits, parse
from jobs.declare import standards
from jobs.settings import UserError

YEARS = range(2026, 2030)
DISTRICTS, STAGES = ("A", "B"), ("kindergarten", "primary")


def base() -> Base:
    keys = list(itertools.product(DISTRICTS, STAGES, YEARS))
    rows = pd.DataFrame(keys, columns=["district_code", "stage_code", "school_year_start"])
    rows = rows.assign(forecast=1000.0, spread=20.0, existing=900.0)
    parts = rows[["district_code", "stage_code", "school_year_start"]].assign(
        product=600.0,
        is_birth_known=rows["school_year_start"] < 2028,
        is_entrant_forecast=rows["school_year_start"] > 2026,
    )
    chance = {2026: 0.0, 2027: 0.6, 2028: 0.9, 2029: 1.0}
    projects = pd.DataFrame(
        [
            {
                "project_code": "X",
                "district_code": "A",
                "stage_code": "primary",
                "place_count": 100,
                "chance": chance,
            }
        ]
    )
    return Base(rows, parts, projects, {("A", "primary"): 30, ("B", "primary"): 20})


def gaps(*levers: str) -> dict[tuple[str, str, int], float]:
    made = apply(base(), [parse(lever) for lever in levers])
    keys = made[["district_code", "stage_code", "school_year_start"]].itertuples(index=False, name=None)
    return dict(zip(keys, made["gap"], strict=True))


def moved(*levers: str) -> dict[tuple[str, str, int], float]:
    """What the levers change, of the gaps that they change."""
    before, after = gaps(), gaps(*levers)
    return {key: round(after[key] - before[key], 6) for key in before if abs(after[key] - before[key]) > 1e-9}


def test_without_levers_projects_count_by_their_chance() -> None:
    assert [gaps()["A", "primary", year] for year in YEARS] == pytest.approx([-100, -40, -10, 0])
    assert gaps()["B", "primary", 2029] == -100


def test_births_act_on_cohorts_whose_births_are_not_known_and_entry_on_those_to_enter() -> None:
    expected = {(d, s, y): 60.0 for d in DISTRICTS for s in STAGES for y in (2028, 2029)}
    assert moved("births -10%") == expected
    one = {("B", "primary", year): -30.0 for year in (2027, 2028, 2029)}
    assert moved("entry +5% district=B stage=primary") == one


def test_two_levers_on_births_and_entry_multiply() -> None:
    both = moved("births -10%", "entry +10%")
    assert both["A", "primary", 2029] == pytest.approx(-(0.9 * 1.1 - 1) * 600)
    assert both["A", "primary", 2027] == pytest.approx(-60)


def test_class_size_gives_places_by_classes_from_its_year() -> None:
    assert moved("class_size 2 stage=primary from=2028 district=A") == {
        ("A", "primary", 2028): 60.0,
        ("A", "primary", 2029): 60.0,
    }


def test_premises_shift_and_catchment_take_nothing_from_nowhere() -> None:
    assert moved("premises 50 district=A stage=primary from=2029") == {("A", "primary", 2029): 50.0}
    shift = moved("shift 50 district=A stage=primary from_stage=kindergarten from=2029")
    assert shift == {("A", "primary", 2029): 50.0, ("A", "kindergarten", 2029): -50.0}
    redrawn = moved("catchment 30 district=A to=B stage=primary from=2029")
    assert redrawn == {("A", "primary", 2029): 30.0, ("B", "primary", 2029): -30.0}


def test_a_project_delayed_opens_later_and_one_moved_opens_elsewhere() -> None:
    assert moved("delay 1 project=X") == {
        ("A", "primary", 2027): -60.0,
        ("A", "primary", 2028): -30.0,
        ("A", "primary", 2029): -10.0,
    }
    there = moved("move project=X to=B")
    assert there["B", "primary", 2029] == 100.0
    assert there["A", "primary", 2029] == -100.0


def test_chances_follow_the_gap() -> None:
    before = apply(base(), [])
    after = apply(base(), [parse("premises 300 district=B stage=primary from=2026")])
    helped = (before["district_code"] == "B") & (before["stage_code"] == "primary")
    assert (before["shortage_probability"][helped] > 0.99).all()
    assert (after["shortage_probability"][helped] < 0.01).all()
    assert before[~helped].equals(after[~helped])


@pytest.mark.parametrize(
    "text",
    [
        "",
        "wish 3",
        "births",
        "births ten%",
        "premises 50 stage=primary",
        "births -10% colour=red",
        "births -120%",
        "class_size 2 stage=primary stage=junior",
    ],
)
def test_what_is_no_lever_is_refused_with_a_way_out(text: str) -> None:
    with pytest.raises(UserError) as refused:
        parse(text)
    assert "births -10%" in refused.value.way_out or "leaves" in refused.value.way_out


def test_unknown_project_and_places_that_do_not_stand_are_refused() -> None:
    with pytest.raises(UserError, match="no project"):
        gaps("delay 1 project=Y")
    with pytest.raises(UserError, match="more places are moved"):
        gaps("shift 950 district=A stage=primary from_stage=kindergarten from=2026")


@pytest.mark.parametrize(
    ("lever", "word"),
    [
        ("premises 400 district=Z stage=primary from=2027", "district Z"),
        ("births -10% district=Z", "district Z"),
        ("catchment 10 district=A to=Z stage=primary from=2027", "to Z"),
        ("move project=X to=Z", "to Z"),
        ("class_size 2 stage=high", "stage high"),
        ("shift 9 district=A stage=primary from_stage=high from=2027", "from_stage high"),
        ("premises 400 district=A stage=primary from=2031", "2031"),
    ],
)
def test_a_lever_on_a_place_that_is_not_there_is_refused_and_not_ignored(lever: str, word: str) -> None:
    with pytest.raises(UserError, match=word):
        gaps(lever)


def test_a_project_is_delayed_by_whole_years() -> None:
    with pytest.raises(UserError, match="part of a year"):
        parse("delay 0.5 project=X")
    assert parse("delay -1 project=X").amount == -1


def by_trying(shortage: int, most: dict[str, int], table: pd.DataFrame) -> float:
    """The least cost over every mix of blocks."""
    names = table["lever"].tolist()
    blocks, costs = table["block_places"].tolist(), table["cost_per_place_yuan"].tolist()
    counts = [range(most[name] // block + 1) for name, block in zip(names, blocks, strict=True)]
    best = np.inf
    for taken in itertools.product(*counts):
        if sum(n * b for n, b in zip(taken, blocks, strict=True)) >= shortage:
            best = min(best, sum(n * b * c for n, b, c in zip(taken, blocks, costs, strict=True)))
    return best


def test_the_mix_is_the_cheapest_of_all() -> None:
    rng = np.random.default_rng(5)
    for _ in range(25):
        table = pd.DataFrame(
            {
                "lever": ["one", "two", "three"],
                "cost_per_place_yuan": rng.integers(1, 50, 3).astype(float),
                "block_places": rng.integers(1, 40, 3),
            }
        )
        most = {name: int(rng.integers(0, 120)) for name in table["lever"]}
        reach = sum(most[n] // b * b for n, b in zip(table["lever"], table["block_places"], strict=True))
        shortage = int(rng.integers(1, 200))
        found = cheapest(shortage, most, table)
        if reach < shortage:
            assert found.lacking == shortage - reach
            assert sum(found.places.values()) == reach
        else:
            assert found.lacking == 0
            assert sum(found.places.values()) >= shortage
            assert found.cost_yuan == pytest.approx(by_trying(shortage, most, table))
        assert all(found.places[name] <= most[name] for name in found.places)


def test_no_shortage_costs_nothing_and_levers_reach_as_far_as_the_settings_say() -> None:
    from datetime import date

    table = standards.frame("places/levers", date(2025, 11, 20), needed=True)
    assert cheapest(0, {"build": 100}, table).places == {}
    result = apply(base(), [parse("premises 400 district=B stage=primary from=2026")])
    found = limits(result, "A", "primary", 2026, table)
    assert found["class_size"] == 90
    assert found["catchment"] == 150  # half of the 300 idle places of B
    assert found["stage_move"] == 0  # the kindergartens of A are full too
    mix = cheapest(100, found, table)
    assert mix.places == {"catchment": 100}
    with pytest.raises(UserError, match="no places are known"):
        limits(result, "C", "primary", 2026, table)
