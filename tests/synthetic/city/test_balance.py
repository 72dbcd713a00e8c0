"""Districts whose verdict is known: who they are at each scale, and that files and truth say the same."""

from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from jobs import declare
from jobs.declare import codes, standards
from jobs.reading import reader
from synthetic.city.balance import PRESCHOOL, PROFILES, QUALITY, facts_of, profiles, pupils_of, threshold
from synthetic.city.figures import districts
from synthetic.city.mended import marked_within
from synthetic.city.premises import register_columns
from synthetic.city.schools import Schools, make_schools
from synthetic.city.staff import backbone, staff_of, subjects
from synthetic.city.write import CitySummary

City = tuple[Path, CitySummary]
GATES = ("eligibility", "resource", "government", "quality", "satisfaction", "veto")
YEAR = 2025


@pytest.fixture(scope="module")
def schools() -> Schools:
    """Those of the default demonstration."""
    return make_schools(0.02, 7)


def rows(city: City, dataset: str) -> list[dict[str, str]]:
    """All rows of a dataset's files, by the contract's names and with our codes; no blank cells."""
    contract, found = declare.load()[dataset], []
    known = {c.name: codes.spellings_of(c) for c in contract.columns if c.codes}
    for file in sorted(city[0].glob(f"{contract.feed}/*/*/*")):
        reading = reader.read(file, declare.datasets_of(contract.feed))
        if reading.contract is contract:
            found += [
                {
                    name: known.get(name, {}).get(declare.fold(cells[at]), str(cells[at]))
                    for name, at in reading.positions.items()
                    if at < len(cells) and cells[at]
                }
                for _, cells in reading.lines
            ]
    return found


def test_each_gate_has_a_district_that_fails_by_it_and_some_pass(schools: Schools) -> None:
    found = profiles(schools, YEAR)
    assert len(found) == len(districts())
    assert {p.gate for p in found if not p.passes} == set(GATES)
    assert sum(p.passes for p in found) >= 5
    assert {"not_met", "not_collected"} == {p.state for p in found if not p.passes}
    names = Counter(p.name for p in found)
    assert {"over_dense", "small_rural", "on_the_edge", "even_enough", "uneven"} <= names.keys()
    assert max(n for name, n in names.items() if name != "passes") == 1


@pytest.mark.parametrize(("scale", "seed"), [(0.02, 3), (0.05, 7), (0.1, 11)])
def test_a_profile_goes_to_a_district_that_it_fits(scale: float, seed: int) -> None:
    some = make_schools(scale, seed)
    for number, profile in enumerate(profiles(some, YEAR)):
        facts = facts_of(some, number, YEAR)
        assert profile.fits(facts)
        assert facts.is_too_large == (profile.name == "too_large")


def test_rules_of_profiles_are_rules_of_the_standard() -> None:
    gate_of = {
        row["rule_code"]: row["gate"]
        for row in standards.rows("evaluation/balance_rules")
        if row["standard"] == QUALITY
    }
    assert all(gate_of[p.rule] == p.gate for p in PROFILES if not p.passes)


def test_premises_meet_the_thresholds_but_for_what_a_profile_breaks(schools: Schools) -> None:
    """Rooms, grounds and equipment of schools of one stage, counted again from the register."""
    short: Counter[str] = Counter()
    for number, profile in enumerate(profiles(schools, YEAR)):
        register = register_columns(schools, 7, YEAR, number)
        here = schools.of_district(number)
        for stage, kind in (("primary", "21"), ("junior", "31")):
            pupils = pupils_of(schools, here, stage, YEAR)
            for at, school in enumerate(here.tolist()):
                if register["school_type_code"][at] != kind or not pupils[at]:
                    continue
                indoor = register["indoor_sports_area_m2"][at]
                has = {
                    "R4": register["teaching_area_m2"][at] - indoor,
                    "R5": register["sports_area_m2"][at],
                    "R6": register["equipment_value_yuan"][at],
                    "R7": register["multimedia_classroom_count"][at] * 100,
                }
                shares = {rule: amount / pupils[at] / threshold(rule, stage) for rule, amount in has.items()}
                missing = {rule: share for rule, share in shares.items() if share < 1}
                if missing:
                    short[profile.name] += len(missing)
                    assert school == facts_of(schools, number, YEAR).primaries[0]
                if profile.name == "on_the_edge" and missing:
                    assert missing == {"R6": pytest.approx(0.85, abs=1e-12)}
                if profile.name == "below_85" and missing:
                    assert missing == {"R6": pytest.approx(0.845)}
    assert short == {"two_short": 2, "below_85": 1, "on_the_edge": 1, "over_dense": 1}


@pytest.mark.parametrize(("name", "least", "most"), [("uneven", 0.55, 0.57), ("even_enough", 0.495, 0.5)])
def test_equipment_of_primary_schools_differs_as_the_profile_says(
    schools: Schools, name: str, least: float, most: float
) -> None:
    number = [p.name for p in profiles(schools, YEAR)].index(name)
    here = schools.of_district(number)
    pupils = pupils_of(schools, here, "primary", YEAR).astype(float)
    value = np.array(register_columns(schools, 7, YEAR, number)["equipment_value_yuan"])
    taught = pupils > 0
    each, weight = value[taught] / pupils[taught], pupils[taught] / pupils.sum()
    mean = (weight * each).sum()
    coefficient = np.sqrt((weight * (each - mean) ** 2).sum()) / mean
    assert least < coefficient <= most


def test_marks_move_as_little_as_they_must() -> None:
    marked = np.array([True, True, True, False, False, True])
    group = np.array([0, 0, 0, 1, 1, 2])
    least, most = np.array([0, 0, 0, 1, 1, 1]), np.array([2, 2, 2, 2, 2, 1])
    order = np.array([0.3, 0.1, 0.2, 0.9, 0.5, 0.7])
    found = marked_within(marked, group, least, most, order)
    assert found.tolist() == [False, True, True, False, True, True]


def test_truth_says_what_districts_state(faultless: City) -> None:
    with (faultless[0].parent / "truth" / "balance_district.csv").open(encoding="utf-8") as lines:
        truth = list(csv.DictReader(lines))
    assert Counter(row["standard"] for row in truth) == {QUALITY: 16, PRESCHOOL: 16}
    items = [item for item in rows(faultless, "supervision_item") if item["supervision_year"] == str(YEAR)]
    assert {item["district_code"] for item in items} == {d.code for d in districts()}
    assert all("item_value" in item or "is_item_met" in item for item in items)
    of_rule = {(item["district_code"], item["rule_code"]): item for item in items}
    told: dict[str, tuple[str, str | None]] = {
        "silent": ("item_value", None),
        "key_classes": ("is_item_met", "0"),
        "grave_incident": ("is_item_met", "0"),
        "not_kept": ("item_value", "94.9"),
        "dissatisfied": ("item_value", "84.9"),
        "recognized_late": ("item_value", "2"),
    }
    seen = set()
    for row in truth:
        assert bool(row["first_failed_rule"]) == (row["verdict"] == "fail")
        if row["profile"] in told:
            column, value = told[row["profile"]]
            assert of_rule.get((row["district_code"], row["first_failed_rule"]), {}).get(column) == value
            seen.add(row["profile"])
    assert seen == told.keys()


@pytest.mark.parametrize("seed", [7, 11])
def test_teachers_of_every_school_are_enough_and_even(seed: int) -> None:
    """Seed 11 has a district with a junior school of some thirty pupils: one teacher there is many."""
    some = make_schools(0.02, seed)
    for number in range(len(districts())):
        staff = staff_of(some, seed, number, YEAR)
        pe_arts = np.isin(
            np.array(subjects(some, staff, YEAR), object), ("physical_education", "music", "fine_arts")
        )
        named = np.isin(np.array(backbone(some, staff, YEAR), object), ("national", "city", "district"))
        here = some.of_district(number)
        for at, stage in ((1, "primary"), (2, "junior")):
            pupils = pupils_of(some, here, stage, YEAR)
            for rule, marked in (("R2", named), ("R3", pe_arts)):
                of_stage = staff.school[marked & (staff.stage == at)]
                each = np.array([(of_stage == s).sum() for s in here[pupils > 0]]) / pupils[pupils > 0]
                assert (100 * each >= threshold(rule, stage)).all()
                weight = pupils[pupils > 0] / pupils.sum()
                mean = (weight * each).sum()
                assert np.sqrt((weight * (each - mean) ** 2).sum()) / mean < 0.40
