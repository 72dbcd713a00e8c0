"""What it would take: optima known by hand and by trying everything; the exact judge takes each answer."""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Iterator
from datetime import date
from fractions import Fraction
from pathlib import Path

import pytest

from jobs.decide.evaluation.balance import resource, standard, takes_costs
from jobs.decide.evaluation.balance.coefficients import Spread
from jobs.decide.evaluation.balance.takes import Takes, applied, takes, takes_school
from jobs.decide.evaluation.balance.takes_model import MANY, Kind
from jobs.decide.evaluation.balance.takes_solve import raised
from jobs.decide.evaluation.balance.values import SchoolStage
from jobs.settings import UserError

ON = date(2025, 1, 1)
QUALITY = standard.read(standard.QUALITY_2017, ON)
COSTS = takes_costs.read(ON)
PER_1000 = {
    "qualified_teachers": 42,
    "backbone_teachers": 10,
    "pe_arts_teachers": 9,
    "teaching_area_m2": 4500,
    "sports_area_m2": 7500,
    "equipment_value_yuan": 2_000_000,
    "multimedia_classrooms": 23,
}


def school(name: str, pupils: int = 1000, district: str = "d", **changed: int | Fraction) -> SchoolStage:
    """A primary school exactly on every threshold, but for what is changed."""
    amounts = {key: Fraction(value * pupils, 1000) for key, value in PER_1000.items()}
    return SchoolStage(district, name, "primary", pupils, {**amounts, **changed})


def passes(schools: list[SchoolStage]) -> bool:
    found = resource.evaluate(schools, QUALITY, ON)
    return {c.verdict for c in found.coefficients} | {v.verdict for v in found.schools} <= {
        "pass",
        "not_applicable",
    }


def solved(*schools: SchoolStage) -> Takes:
    found = takes(schools, QUALITY, COSTS, ON)
    assert passes(applied(schools, found.changes))
    assert found.cost_yuan == sum(change.cost_yuan for change in found.changes)
    return found


def told(found: Takes) -> list[tuple[object, ...]]:
    return [(c.school, c.change, c.quantity, c.amount, c.other_school, c.cost_yuan) for c in found.changes]


def test_a_district_that_passes_takes_nothing() -> None:
    found = solved(school("a"), school("b"))
    assert (found.changes, found.cost_yuan) == ([], 0)
    assert found.groups[0].verdict == "pass"


def test_teachers_move_where_that_is_cheaper_than_hiring() -> None:
    found = solved(school("a", backbone_teachers=20), school("b", backbone_teachers=7))
    # 8.5 of 10 would do for the one that misses: 9 teachers, so that two move.
    assert told(found) == [
        ("a", "give", "backbone_teachers", 2, "b", 0),
        ("b", "receive", "backbone_teachers", 2, "a", 240_000),
    ]


def test_teachers_are_hired_where_nobody_can_leave() -> None:
    found = solved(school("a"), school("b", backbone_teachers=7, sports_area_m2=6_500))
    # One of two may be missed: 500 m² to pass R5 and 2 teachers, or 3 teachers. The giver may miss, too.
    assert told(found) == [
        ("a", "give", "backbone_teachers", 1, "b", 0),
        ("b", "receive", "backbone_teachers", 1, "a", 120_000),
        ("b", "add", "backbone_teachers", 1, "", 1_250_000),
        ("b", "add", "sports_area_m2", 1_000, "", 1_000_000),
    ]


def test_a_wide_coefficient_is_brought_to_its_limit() -> None:
    """40 and 7.5 m² a pupil: (40 − x) / (40 + x) is at most a half from x = 40/3 on, so 5,834 m²."""
    found = solved(school("a", sports_area_m2=40_000), school("b"))
    assert told(found) == [("b", "add", "sports_area_m2", 5_834, "", 5_834_000)]
    assert found.groups[0].bound_yuan == pytest.approx(5_833_333, rel=1e-5)


def test_one_school_passes_by_itself() -> None:
    found = takes_school(school("a", backbone_teachers=3, multimedia_classrooms=1), QUALITY, COSTS, ON)
    # 9 teachers or 20 rooms would do for the one that may be missed.
    assert told(found) == [
        ("a", "add", "backbone_teachers", 6, "", 7_500_000),
        ("a", "add", "multimedia_classrooms", 22, "", 1_760_000),
    ]


def test_what_cannot_be_told_is_not_told() -> None:
    unknown = school("b", backbone_teachers=0, books=0)
    lacking = SchoolStage("d", "a", "primary", 1000, {**unknown.quantities, "sports_area_m2": None})
    found = takes([lacking, unknown], QUALITY, COSTS, ON)
    assert (found.groups[0].verdict, found.changes) == ("not_collected", [])
    empty = takes([SchoolStage("d", "a", "primary", 0, {})], QUALITY, COSTS, ON)
    assert empty.groups[0].verdict == "not_applicable"


def test_districts_and_stages_are_apart() -> None:
    """The surplus of another district, or of the junior schools, helps nobody."""
    ample = school("c", district="e", backbone_teachers=15)
    junior = SchoolStage("d", "j", "junior", 100, dict.fromkeys(PER_1000, 300_000))
    found = solved(school("a", backbone_teachers=8), school("b"), ample, junior)
    assert {change.change for change in found.changes} == {"give", "receive"}
    assert {change.school for change in found.changes} == {"a", "b"}


def _answers(kind: str, schools: list[SchoolStage], span: range) -> Iterator[tuple[frozenset[int], float]]:
    """Every change of one kind within the span: which schools then miss it (by little), and its cost."""
    index = (
        ("qualified_teachers", "backbone_teachers", "pe_arts_teachers").index(kind) if "teach" in kind else 6
    )
    rule = QUALITY.rule(QUALITY.indicators[index], "primary")
    threshold = rule.threshold or Fraction(0)
    cost = COSTS[kind]
    for change in itertools.product(span, repeat=len(schools)):
        after = [Fraction(s.quantities[kind] or 0) + d for s, d in zip(schools, change, strict=True)]
        up, down = sum(d for d in change if d > 0), -sum(d for d in change if d < 0)
        if min(after) < 0 or down > up or (down and cost.move is None):
            continue
        shares = [x * rule.per / s.pupils / threshold for x, s in zip(after, schools, strict=True)]
        spread = Spread(after, [s.pupils for s in schools])
        if min(shares) < Fraction("0.85") or (spread.applies and not spread.within(Fraction(1, 2))):
            continue
        yuan = (up - down) * cost.add + down * (cost.move or 0)
        yield frozenset(at for at, share in enumerate(shares) if share < 1), float(yuan)


def _cheapest(schools: list[SchoolStage]) -> float:
    """The least cost, by trying all changes of three kinds; no school may miss two."""
    tables = []
    for kind, span in (
        ("backbone_teachers", range(-4, 6)),
        ("pe_arts_teachers", range(-4, 6)),
        ("multimedia_classrooms", range(10)),
    ):
        least: dict[frozenset[int], float] = {}
        for missed, yuan in _answers(kind, schools, span):
            least[missed] = min(yuan, least.get(missed, yuan))
        tables.append(least.items())
    return min(
        sum(yuan for _, yuan in chosen)
        for chosen in itertools.product(*tables)
        if sum(len(missed) for missed, _ in chosen) == len(frozenset().union(*(m for m, _ in chosen)))
    )


@pytest.mark.parametrize("seed", range(12))
def test_the_answer_is_the_best_of_all_that_can_be_tried(seed: int) -> None:
    chance = random.Random(seed)
    schools = [
        school(
            name,
            pupils,
            backbone_teachers=chance.randint(0, 6),
            pe_arts_teachers=chance.randint(0, 5),
            multimedia_classrooms=Fraction(chance.randint(4, 30), 2),
        )
        for name, pupils in zip("abc", (chance.randint(100, 400) for _ in "abc"), strict=True)
    ]
    found = solved(*schools)
    assert float(found.cost_yuan) == pytest.approx(_cheapest(schools), rel=1e-6)
    assert all(g.bound_yuan <= float(g.cost_yuan) for g in found.groups)
    again = takes([*schools[1:], schools[0]], QUALITY, COSTS, ON)
    assert again.changes == found.changes, "the order of the rows is nothing"


def test_a_large_group_with_wide_coefficients_passes_near_its_bound() -> None:
    chance = random.Random(5)
    schools = []
    for at in range(MANY + 20):
        pupils = chance.randint(200, 1500)
        amounts = {k: int(v * pupils / 1000 * chance.lognormvariate(0.1, 0.6)) for k, v in PER_1000.items()}
        schools.append(SchoolStage("d", f"s{at:02}", "primary", pupils, amounts))
    before = resource.evaluate(schools, QUALITY, ON)
    assert "fail" in {c.verdict for c in before.coefficients}
    (group,) = solved(*schools).groups
    assert group.bound_yuan <= float(group.cost_yuan) <= 1.03 * group.bound_yuan


@pytest.mark.parametrize("limit", ["0.5", "0.05"])
def test_without_the_solver_schools_are_raised_to_one_level(limit: str) -> None:
    """40 and 7.5 a pupil of 1,000 pupils each: the least level of the second is 40 (1 − L) / (1 + L)."""
    kind = Kind("R5", "x", [40_000, 7_500], [0, 0], [0, 0], [0, 0], 1.0, None, Fraction(limit), 1)
    share = (1 - Fraction(limit)) / (1 + Fraction(limit))
    assert raised([1000, 1000], kind) == [0, math.ceil(40_000 * share - 7_500)]
    persons = Kind("R2", "x", [0, 0, 9], [1, 2, -5], [1, 2, -5], [0, 0, 9], 1.0, 1.0, Fraction(limit), 1)
    received = raised([90, 170, 300], persons)
    after = [now + got for now, got in zip(persons.now, received, strict=True)]
    assert Spread(after, [90, 170, 300]).within(Fraction(limit))


def test_costs_of_a_bureau_replace_ours(tmp_path: Path) -> None:
    path = tmp_path / "costs.csv"
    path.write_text("quantity,change,yuan_per_unit\nbackbone_teachers,move,5000000\n", encoding="utf-8")
    costs = takes_costs.read(ON, path)
    assert costs["backbone_teachers"] == (1_250_000, 5_000_000)
    assert costs["sports_area_m2"].move is None
    dear = takes([school("a", backbone_teachers=20), school("b", backbone_teachers=7)], QUALITY, costs, ON)
    assert {change.change for change in dear.changes} == {"add"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("quantity,change\n", "no column yuan_per_unit"),
        ("quantity,change,yuan_per_unit\nbooks,add,1\n", "no cost of 'add' 'books'"),
        ("quantity,change,yuan_per_unit\nsports_area_m2,add,-1\n", "is negative"),
        ("quantity,change,yuan_per_unit\nsports_area_m2,add,0\n", "a change costs something"),
        ("quantity,change,yuan_per_unit\n" + "sports_area_m2,add,1\n" * 2, "stands twice"),
    ],
)
def test_wrong_costs_are_told(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "c.csv").write_text(text, encoding="utf-8")
    with pytest.raises(UserError, match=message):
        takes_costs.read(ON, tmp_path / "c.csv")
