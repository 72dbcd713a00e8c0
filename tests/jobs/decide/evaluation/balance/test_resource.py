"""The resource part of the law: school verdicts and coefficients, by hand and against a plain reading."""

from __future__ import annotations

import math
from datetime import date
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jobs.decide.evaluation.balance import resource, standard
from jobs.decide.evaluation.balance.coefficients import Spread, mean_within
from jobs.decide.evaluation.balance.resource import Coefficient
from jobs.decide.evaluation.balance.values import SchoolStage, exact, judge_school
from jobs.settings import UserError

ON = date(2025, 1, 1)
QUALITY = standard.read(standard.QUALITY_2017, ON)
BASIC = standard.read(standard.BASIC_2012, ON)
# What a primary school of 1,000 pupils needs exactly.
PRIMARY = {
    "qualified_teachers": 42,
    "backbone_teachers": 10,
    "pe_arts_teachers": 9,
    "teaching_area_m2": 4500,
    "sports_area_m2": 7500,
    "equipment_value_yuan": 2_000_000,
    "multimedia_classrooms": 23,
}


def school(pupils: int = 1000, name: str = "a", stage: str = "primary", **changed: object) -> SchoolStage:
    """A primary school that meets every threshold exactly, but for what is changed."""
    amounts = {key: exact(Fraction(value * pupils, 1000)) for key, value in PRIMARY.items()}
    amounts |= {key: exact(value) for key, value in changed.items() if key in PRIMARY and value is not None}
    amounts |= {key: None for key, value in changed.items() if key in PRIMARY and value is None}
    facts = {key: exact(value) for key, value in changed.items() if key not in PRIMARY}
    return SchoolStage("d", name, stage, pupils, amounts, facts)


def of(balance: resource.Balance, code: str, stage: str = "primary") -> Coefficient:
    return next(c for c in balance.coefficients if (c.indicator_code, c.stage) == (code, stage))


def test_a_school_exactly_on_every_threshold_passes() -> None:
    verdict = judge_school(school(), QUALITY, ON)
    assert (verdict.met_count, verdict.lowest_share, verdict.verdict) == (7, 1.0, "pass")


def test_21_teachers_of_500_pupils_are_4_2_a_hundred() -> None:
    value = judge_school(school(500, qualified_teachers=21), QUALITY, ON).values["R1"]
    assert (value.value, value.is_met) == (4.2, True)
    assert judge_school(school(501, qualified_teachers=21), QUALITY, ON).values["R1"].is_met is False


@pytest.mark.parametrize(
    ("changed", "met", "lowest", "verdict"),
    [
        ({"sports_area_m2": "6375"}, 6, 0.85, "pass"),  # 85 % of 7.5, exactly
        ({"sports_area_m2": "6374.999999999"}, 6, 0.85, "fail"),
        ({"sports_area_m2": "7499.99", "backbone_teachers": "9.99"}, 5, 0.999, "fail"),
        ({"sports_area_m2": 0}, 6, 0.0, "fail"),
    ],
)
def test_six_of_seven_and_the_rest_at_85_percent(
    changed: dict[str, object], met: int, lowest: float, verdict: str
) -> None:
    found = judge_school(school(**changed), QUALITY, ON)
    assert (found.met_count, found.lowest_share, found.verdict) == (met, pytest.approx(lowest), verdict)


def test_junior_schools_have_thresholds_of_their_own() -> None:
    found = judge_school(school(stage="junior"), QUALITY, ON)
    missed = {code for code, value in found.values.items() if not value.is_met}
    assert missed == {"R1", "R4", "R5", "R6", "R7"}


def test_one_large_and_one_small_school_tell_weighted_from_unweighted() -> None:
    """900 pupils with 9 rooms, 100 with 9: mean 1.8, S² = (900·0.8² + 100·7.2²)/1000 = 5.76, so 2.4 / 1.8."""
    rooms = [school(900, "a", multimedia_classrooms=9), school(100, "b", multimedia_classrooms=9)]
    row = of(resource.evaluate(rooms, QUALITY, ON), "R7")
    assert row.mean == 1.8
    assert row.coefficient == pytest.approx(4 / 3)
    assert (row.verdict, row.below_count) == ("fail", 1)
    # The plain deviation over schools is 4 of a mean of 5: 0.8.
    rooms = [school(1900, "a", multimedia_classrooms=38), school(100, "b", multimedia_classrooms=4)]
    row = of(resource.evaluate(rooms, QUALITY, ON), "R7")
    assert row.coefficient == pytest.approx(math.sqrt(0.19) / 2.1)
    assert row.verdict == "pass"  # unweighted 1/3; weighted 0.2076


def test_a_coefficient_of_exactly_a_half_passes() -> None:
    """Equal schools with 1 and 3: mean 2, S 1."""
    tied = Spread([1, 3], [100, 100])
    assert tied.coefficient == 0.5
    assert tied.within(Fraction(1, 2))
    beyond = Spread([exact("0.9999999999999"), 3], [100, 100])
    assert not beyond.within(Fraction(1, 2))
    # 0.45 is no binary float: 11 and 29 of 20 are 0.45 from their mean.
    assert Spread([11, 29], [7, 7]).within(Fraction("0.45"))
    assert not Spread([11, exact("29.000000000000001")], [7, 7]).within(Fraction("0.45"))


def test_what_does_not_apply() -> None:
    alone = resource.evaluate([school()], QUALITY, ON)
    assert {(c.verdict, c.coefficient) for c in alone.coefficients} == {("not_applicable", None)}
    assert alone.schools[0].verdict == "pass"
    none = resource.evaluate([school(name=n, multimedia_classrooms=0) for n in "ab"], QUALITY, ON)
    assert of(none, "R7")[3:] == (0.0, None, 2.3, 0.5, 2, 2, "not_applicable")
    empty = resource.evaluate([school(0)], QUALITY, ON)
    assert (empty.schools[0].verdict, empty.schools[0].reason) == ("not_applicable", "no_pupils")
    assert of(empty, "R1")[3:] == (None, None, 4.2, 0.5, 0, 0, "not_applicable")


def test_a_school_without_pupils_is_in_no_mean() -> None:
    with_empty = [school(name="a"), school(name="b"), school(0, "c", multimedia_classrooms=50)]
    row = of(resource.evaluate(with_empty, QUALITY, ON), "R7")
    assert (row.mean, row.coefficient, row.school_count) == (2.3, 0.0, 2)


def test_what_was_not_collected_is_no_pass() -> None:
    two = [school(name="a", books=0), school(name="b", multimedia_classrooms=None)]
    balance = resource.evaluate(two, QUALITY, ON)
    assert of(balance, "R7").verdict == "not_collected"
    assert balance.schools[1].verdict == "not_collected"
    fails = judge_school(school(multimedia_classrooms=None, sports_area_m2=1), QUALITY, ON)
    assert fails.verdict == "fail"


@pytest.mark.parametrize(
    ("base", "flip", "before", "after"),
    [
        # R5 at 84 %: the extra grounds of a school in an over-dense center bring it to 85 %.
        ({"sports_area_m2": 6300, "extra_sports_area_m2": 75}, {"is_over_dense_center": 1}, "fail", "pass"),
        ({}, {"is_special_or_vocational": 1}, "pass", "not_applicable"),
    ],
)
def test_each_special_case_flips_one_verdict(
    base: dict[str, object], flip: dict[str, object], before: str, after: str
) -> None:
    assert judge_school(school(**base), QUALITY, ON).verdict == before
    assert judge_school(school(**{**base, **flip}), QUALITY, ON).verdict == after


@pytest.mark.parametrize(("pupils", "counts"), [(49, False), (50, True), (99, True), (100, False)])
@pytest.mark.parametrize("flag", ["is_rural", "is_teaching_point"])
def test_small_rural_schools_count_shared_pe_and_arts_teachers(pupils: int, counts: bool, flag: str) -> None:
    lacking = {"pe_arts_teachers": 0, "shared_pe_arts_teachers": 1}
    assert judge_school(school(pupils, **lacking), QUALITY, ON).verdict == "fail"
    found = judge_school(school(pupils, **lacking, **{flag: 1}), QUALITY, ON)
    if flag == "is_teaching_point" and pupils < 50:
        assert (found.verdict, found.reason) == ("not_applicable", "small_point")
    else:
        assert found.verdict == ("pass" if counts else "fail")


def test_private_schools_and_teaching_points_are_outside_the_scope_of_2012() -> None:
    amounts = dict.fromkeys(BASIC.quantities, 1)
    for facts, reason in (({"is_public": 0}, "not_public"), ({"is_teaching_point": 1}, "teaching_point")):
        found = judge_school(SchoolStage("d", "a", "primary", 500, amounts, facts), BASIC, ON)
        assert (found.verdict, found.reason) == ("not_applicable", reason)
    assert judge_school(school(is_public=0), QUALITY, ON).verdict == "pass"


@pytest.mark.parametrize(("high", "verdict"), [(33, "pass"), ("33.0000000000001", "fail")])
def test_the_composite_of_2012_is_the_plain_mean_of_eight_coefficients(high: object, verdict: str) -> None:
    """Two equal schools with 7 and 33 of each: coefficient 13 / 20, on the limit of primary schools."""
    low, top = dict.fromkeys(BASIC.quantities, 7), dict.fromkeys(BASIC.quantities, exact(high))
    two = [SchoolStage("d", n, "primary", 300, q) for n, q in (("a", low), ("b", top))]
    rows = resource.evaluate(two, BASIC, ON).coefficients
    assert [row.indicator_code for row in rows] == [*BASIC.indicators, "B_COMPOSITE"]
    assert rows[-1].coefficient == pytest.approx(0.65)
    assert (rows[-1].verdict, rows[-1].limit) == (verdict, 0.65)
    assert {row.verdict for row in rows[:-1]} == {"not_applicable"}


def test_a_mean_of_roots_on_the_limit_is_decided() -> None:
    """√2/2 and 1 − √2/2 of two spreads: irrational, and their mean is a half."""
    one, other = Spread([1, 3], [1, 1]), Spread([1, 1, 4], [1, 1, 1])
    assert other.square == Fraction(1, 2)
    assert mean_within([one, one], Fraction(1, 2))
    assert not mean_within([one, other], Fraction(6035533905932737, 10**16))  # (1/2 + √½) / 2 is larger
    assert mean_within([one, other], Fraction(6035533905932738, 10**16))


_NUMBERS = st.decimals(0, 10_000, places=2, allow_nan=False).map(exact)
_SCHOOLS = st.lists(st.tuples(_NUMBERS, st.integers(1, 3000)), min_size=2, max_size=8)


@settings(max_examples=200, deadline=None)
@given(_SCHOOLS)
def test_coefficients_agree_with_fractions(schools: list[tuple[Fraction, int]]) -> None:
    spread = Spread([x for x, _ in schools], [p for _, p in schools])
    heads = sum(p for _, p in schools)
    mean = Fraction(sum(x for x, _ in schools)) / heads
    assert spread.mean() == pytest.approx(float(mean))
    assert spread.applies == (mean > 0)
    if mean:
        square = sum(p * (Fraction(x) / p - mean) ** 2 for x, p in schools) / heads / mean**2
        assert spread.square == square
        assert spread.coefficient == pytest.approx(math.sqrt(square), rel=1e-12)
        assert spread.within(Fraction("0.5")) == (square <= Fraction("0.25"))


def test_split_fractions_of_many_schools_stay_exact() -> None:
    """Quantities with a large common denominator: the same coefficient as of their floats."""
    amounts = [Fraction(10_000 + i, 10_007 + 2 * i) for i in range(200)]
    pupils = [100 + i for i in range(200)]
    spread = Spread(amounts, pupils)
    assert spread.coefficient == pytest.approx(math.sqrt(spread.square), rel=1e-12)


def test_unknown_standards_and_days_are_told() -> None:
    with pytest.raises(UserError, match="did you mean `quality_balance_2017`"):
        standard.read("quality_balance_2018", ON)
    with pytest.raises(UserError, match="begins on 2017-04-19"):
        standard.read(standard.QUALITY_2017, date(2016, 1, 1))
