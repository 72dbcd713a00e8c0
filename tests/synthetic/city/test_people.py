"""Pupils: numbers nobody can have, one place at a time, one grade a year."""

from __future__ import annotations

import numpy as np
import pytest

from synthetic.city.identities import identity_numbers, pupil_numbers
from synthetic.city.ladder import J1, K3, P1, S3
from synthetic.city.life import Population, live
from synthetic.city.schools import make_schools, year_index
from synthetic.city.staff import staff_of
from synthetic.city.words import FAMILY, NAME_NUMBERS, person_names

# GB 11643: weights 2^(17-i) mod 11, said here once more and in another way than the generator does.
WEIGHTS = [pow(2, 17 - i, 11) for i in range(17)]


@pytest.fixture(scope="module")
def population() -> Population:
    return live(make_schools(0.01, 3), (2023, 2025), 3)


def test_numbers_check_and_cannot_be_issued(population: Population) -> None:
    people = population.people
    numbers = identity_numbers(people, np.arange(len(people)))
    assert len(set(numbers)) == len(people) > 15_000
    for number, is_male in zip(numbers, people.is_male.tolist(), strict=True):
        remainder = (12 - sum(int(d) * w for d, w in zip(number, WEIGHTS, strict=False))) % 11
        assert number[17] == ("X" if remainder == 10 else str(remainder)), number
        assert number.startswith("99"), "provinces are 11 to 82, and 91: 99 is nowhere"
        assert int(number[16]) % 2 == is_male
    assert len({number[:6] for number in numbers}) > 1000


def test_a_pupil_stands_on_a_roll_once(population: Population) -> None:
    assert set(population.rolls) == {(2023, 1), (2023, 2), (2024, 1), (2024, 2), (2025, 1)}
    for roll in population.rolls.values():
        assert len(np.unique(roll.person)) == len(roll) > 10_000


def test_schools_hold_what_the_plan_says(population: Population) -> None:
    schools = make_schools(0.01, 3)
    for year in (2023, 2024, 2025):
        roll = population.rolls[year, 1]
        held = np.zeros((len(schools), 15), int)
        np.add.at(held, (roll.school, roll.grade), 1)
        assert (held[:, P1:] == schools.pupils[:, year_index(year), P1:]).all()


def test_everybody_moves_up_one_grade(population: Population) -> None:
    before, after = population.rolls[2024, 1], population.rolls[2025, 1]
    _, old, new = np.intersect1d(before.person, after.person, return_indices=True)
    assert len(old) > 0.85 * len(before)
    assert (after.grade[new] == before.grade[old] + 1).all()
    assert not np.isin(before.person[before.grade == S3], after.person).any()
    stayed = after.school[new] == before.school[old]
    assert (after.klass[new] == before.klass[old])[stayed].all()
    assert population.move_count > 0


def test_second_term_keeps_the_grade(population: Population) -> None:
    first, second = population.rolls[2024, 1], population.rolls[2024, 2]
    _, old, new = np.intersect1d(first.person, second.person, return_indices=True)
    assert (first.grade[old] == second.grade[new]).all()
    moved = first.school[old] != second.school[new]
    assert 0 < moved.sum() < 0.02 * len(first)
    following = population.rolls[2025, 1]
    gone = set(first.person.tolist()) - set(second.person.tolist())
    assert gone
    assert not gone & set(following.person.tolist())


def test_ages_fit_grades(population: Population) -> None:
    roll = population.rolls[2025, 1]
    born = (
        population.people.birth[roll.person].astype("datetime64[D]").astype("datetime64[Y]").astype(int)
        + 1970
    )
    age = 2025 - born - (roll.grade - P1)
    assert set(np.unique(age)) <= {6, 7, 8}
    assert 0.6 < (age == 6).mean() < 0.7  # born January to August


def test_names_are_invented() -> None:
    """The hundred commonest surnames cover most of the country; none of ours is among the first of them."""
    common = set(
        "王李张刘陈杨黄赵吴周徐孙马朱胡郭何林高罗郑梁谢宋唐许韩冯邓曹彭曾肖田董潘袁蔡蒋余于杜叶程苏魏吕丁任卢"
    )
    assert not common & set(FAMILY)
    names = person_names(np.arange(0, NAME_NUMBERS, 997))
    assert all(2 <= len(name) <= 3 for name in names)


def test_kindergarten_children_become_pupils(population: Population) -> None:
    """Most of a first grade was in a kindergarten of its district a year before, under the same identity."""
    schools = make_schools(0.01, 3)
    nursery, following = population.nurseries[2023, 1], population.rolls[2024, 1]
    held = np.zeros((len(schools), 15), int)
    np.add.at(held, (nursery.school, nursery.grade), 1)
    assert (held[:, :P1] == schools.pupils[:, year_index(2023), :P1]).all()
    leaving = nursery.person[nursery.grade == K3]
    first = following.person[following.grade == P1]
    both, at, to = np.intersect1d(nursery.person, following.person, return_indices=True)
    assert (nursery.grade[at] == K3).all()
    assert (following.grade[to] == P1).all()
    assert len(both) > 0.85 * len(first)
    assert len(both) > 0.8 * len(leaving)
    same = schools.district[nursery.school[at]] == schools.district[following.school[to]]
    assert 0.75 < same.mean() < 1


def test_temporary_numbers_give_way_to_lasting_ones(population: Population) -> None:
    people = population.people
    seen: dict[int, list[str]] = {}
    for year, term in sorted(population.rolls):
        roll = population.rolls[year, term]
        for person, number in zip(
            roll.person.tolist(), pupil_numbers(people, roll.person, year, term), strict=True
        ):
            assert len(number) == 19
            seen.setdefault(person, []).append(number)
    changed = [numbers for numbers in seen.values() if len(set(numbers)) > 1]
    assert changed
    for numbers in seen.values():
        assert not [n for n in numbers[1:] if n[0] == "L"], "a lasting number was lost again"
        assert len(set(numbers[1:])) <= 1
    assert {numbers[0][0] for numbers in changed} == {"L"}
    assert all(numbers[0][7:15] == numbers[1][7:15] for numbers in changed), "the day of birth stays"


def test_boarders_are_as_many_as_their_stage_has(population: Population) -> None:
    roll = population.rolls[2025, 1]
    boards = population.people.boards(roll.person, roll.grade)
    assert boards[roll.grade < J1].mean() < 0.02
    assert boards[roll.grade > J1 + 2].mean() == pytest.approx(0.2, abs=0.03)
    before = population.rolls[2024, 1]
    _, old, new = np.intersect1d(before.person, roll.person, return_indices=True)
    left = population.people.boards(before.person[old], before.grade[old]) & ~boards[new]
    assert not left.any()


def test_staff_keep_their_posts_and_share_no_number() -> None:
    schools = make_schools(1.0, 3)
    numbers: list[str] = []
    for district in range(16):
        staff = staff_of(schools, 3, district, 2025)
        numbers += staff.numbers()
        last = schools.of_district(district)[-1]
        assert set(staff.school.tolist()) <= set(range(int(schools.of_district(district)[0]), int(last) + 1))
    assert len(numbers) > 200_000
    assert len(set(numbers)) == len(numbers)
    assert all(number[6:10] < "2000" for number in numbers), "a pupil could have it"
    before, after = (set(staff_of(schools, 3, 5, year).numbers()) for year in (2024, 2025))
    assert 0.85 < len(before & after) / len(before) < 0.99
