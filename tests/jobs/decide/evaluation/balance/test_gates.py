"""The judge of gates: pass or fail, the first gate that fails, and special cases of rules of schools."""

from __future__ import annotations

from datetime import date
from fractions import Fraction

import pytest

from jobs.decide.evaluation.balance import gates, resource, split, standard
from jobs.decide.evaluation.balance.gates import RuleState, Verdict
from jobs.decide.evaluation.balance.values import SchoolStage
from jobs.declare import standards
from jobs.settings import UserError

ON = date(2025, 1, 1)
QUALITY = standard.read(standard.QUALITY_2017, ON)
PRESCHOOL = standard.read(standard.PRESCHOOL_2020, ON)
ALL_MET = [RuleState(rule.rule_code, rule.stage, "met") for rule in QUALITY.gate_rules]


def with_state(rule_code: str, state: str, stage: str | None = None) -> list[RuleState]:
    return [
        s._replace(state=state) if s.rule_code == rule_code and stage in (None, s.stage) else s
        for s in ALL_MET
    ]


def test_the_law_is_there_whole() -> None:
    assert QUALITY.gates == ("eligibility", "resource", "government", "quality", "satisfaction", "veto")
    of_gate = {gate: [r.rule_code for r in QUALITY.gate_rules if r.gate == gate] for gate in QUALITY.gates}
    assert list(dict.fromkeys(of_gate["eligibility"])) == ["PRE_YEARS", "E2", "E3", "E4", "E5"]
    assert {code.rstrip("abcd") for code in of_gate["government"]} == {f"G{n}" for n in range(1, 16)}
    assert {code.rstrip("ab") for code in of_gate["quality"]} == {f"Q{n}" for n in range(1, 10)}
    assert QUALITY.indicators == tuple(f"R{n}" for n in range(1, 8))
    assert of_gate["veto"] == ["V1", "V2", "V3", "V4"]
    assert PRESCHOOL.gates == ("access",)


def test_a_district_that_meets_every_rule_passes() -> None:
    assert gates.judge(ALL_MET, QUALITY) == Verdict("pass", "", "", "")


@pytest.mark.parametrize("state", ["not_met", "not_collected"])
@pytest.mark.parametrize("rule", dict.fromkeys(r.rule_code for r in QUALITY.gate_rules))
def test_each_rule_fails_a_district_by_itself(rule: str, state: str) -> None:
    gate = next(r.gate for r in QUALITY.gate_rules if r.rule_code == rule)
    assert gates.judge(with_state(rule, state), QUALITY) == Verdict("fail", gate, rule, state)


def test_a_rule_without_a_state_is_not_collected() -> None:
    left = [s for s in ALL_MET if (s.rule_code, s.stage) != ("R3_cv", "junior")]
    assert gates.judge(left, QUALITY) == Verdict("fail", "resource", "R3_cv", "not_collected")
    (added,) = set(gates.complete(left, QUALITY)) - set(left)
    assert added[:3] == ("R3_cv", "junior", "not_collected")
    assert len(gates.complete([], QUALITY)) == len(QUALITY.gate_rules)


def test_a_rule_that_does_not_apply_is_no_failure() -> None:
    assert gates.judge(with_state("G13a", "not_applicable"), QUALITY).verdict == "pass"


def test_in_a_gate_what_is_not_met_is_named_before_what_is_not_collected() -> None:
    changed = {"G2": "not_collected", "G14": "not_met", "Q1": "not_met"}
    states = [s._replace(state=changed.get(s.rule_code, "met")) for s in ALL_MET]
    assert gates.judge(states, QUALITY) == Verdict("fail", "government", "G14", "not_met")


def test_an_unknown_rule_is_our_mistake() -> None:
    with pytest.raises(ValueError, match="G99"):
        gates.judge([RuleState("G99", "both", "met")], QUALITY)


@pytest.mark.parametrize(
    ("code", "stage", "value", "is_item_met", "state"),
    [
        ("PRE_YEARS", "both", 3, None, "met"),
        ("G11a", "both", "9.9999", None, "not_met"),
        ("Q9b", "both", "0.15", None, "not_met"),  # must be less
        ("Q9b", "both", 0.1499, None, "met"),
        ("G8", "both", 1.0, False, "not_met"),  # the part that no number measures
        ("G8", "both", None, None, "not_collected"),
        ("G1", "both", None, True, "met"),
        ("V1", "both", None, False, "not_met"),
        ("G1", "both", None, None, "not_collected"),
        ("E2", "junior", 0.5, None, "met"),
    ],
)
def test_the_state_of_a_rule_from_its_value(
    code: str, stage: str, value: object, is_item_met: bool | None, state: str
) -> None:
    assert gates.state_of_value(QUALITY.rule(code, stage), value, is_item_met=is_item_met).state == state


@pytest.mark.parametrize(
    ("code", "stage", "value", "facts", "reason"),
    [
        ("G3c", "primary", 73, {"built_year": 2016}, "built_2016"),
        ("G3d", "junior", 67, {"built_year": 2000}, "built_2016"),
        ("G3c", "primary", 54, {"is_rural": 1, "largest_class": 29, "built_year": 2020}, "small_rural_room"),
        ("G3d", "junior", 61, {"is_rural": 1, "largest_class": 29}, "small_rural_room"),
        ("G4a", "primary", 2400, {"built_year": 2010}, "built_2010"),
        ("G4a", "junior", 2400, {"migrant_share": Fraction("50.1")}, "mostly_migrant"),
        ("G4b", "both", 3000, {"built_year": 2010}, "built_2010"),
    ],
)
def test_each_special_case_of_a_rule_flips_its_state(
    code: str, stage: str, value: int, facts: dict[str, Fraction], reason: str
) -> None:
    rule = QUALITY.rule(code, stage)
    assert gates.state_of_school(rule, value, {}, stage, ON).state == "not_met"
    found = gates.state_of_school(rule, value, facts, stage, ON)
    assert (found.state, found.reason) == ("met", reason)
    worse = value + 1 if rule.operator == "le" else value - 1
    assert gates.state_of_school(rule, worse, facts, stage, ON).state == "not_met"


def test_the_edges_of_special_cases_are_outside() -> None:
    for code, value, facts in (
        ("G3c", 73, {"built_year": 2017}),
        ("G3c", 54, {"is_rural": 1, "largest_class": 30}),
        ("G4a", 2400, {"built_year": 2011}),
        ("G4a", 2400, {"migrant_share": 50}),
    ):
        rule = QUALITY.rule(code, "primary")
        assert gates.state_of_school(rule, value, facts, "primary", ON).state == "not_met"


def test_boarding_schools_are_left_out_of_nearby_entry() -> None:
    rule = QUALITY.rule("G13a", "primary")
    found = gates.state_of_school(rule, 50, {"is_boarding_school": 1}, "primary", ON)
    assert (found.state, found.reason) == ("not_applicable", "boarding")
    assert gates.state_of_school(rule, 50, {"is_boarding_school": 0}, "primary", ON).state == "not_met"


def test_the_resource_part_gives_states_for_the_judge() -> None:
    ample = dict.fromkeys(QUALITY.quantities, 2_000_000)
    rows = [SchoolStage("d", n, s, 500, ample) for n in "ab" for s in standard.STAGES]
    balance = resource.evaluate(rows, QUALITY, ON)
    others = [s for s in ALL_MET if not s.rule_code.endswith("_cv") and not s.rule_code.startswith("RULE")]
    others = [s for s in others if s.rule_code != "E4"]
    states = [*others, *balance.states("d"), balance.eligible("d")]
    assert gates.judge(states, QUALITY).verdict == "pass"
    assert balance.states("elsewhere") == []
    assert balance.eligible("elsewhere").state == "not_collected"
    # One school less: its coefficients do not apply. No junior school: nor do the rules of schools.
    alone = resource.evaluate([r for r in rows if (r.school, r.stage) == ("a", "primary")], QUALITY, ON)
    found = {(s.rule_code, s.stage): (s.state, s.reason) for s in alone.states("d")}
    assert found["R1_cv", "primary"] == ("not_applicable", "one_school")
    assert found["RULE_6_OF_7", "primary"] == ("met", "")
    assert found["RULE_6_OF_7", "junior"] == ("not_applicable", "no_school")
    rows.append(
        SchoolStage("d", "c", "primary", 500, {**ample, "backbone_teachers": 0, "pe_arts_teachers": 0})
    )
    worse = resource.evaluate(rows, QUALITY, ON)
    assert (
        gates.judge([*others, *worse.states("d"), worse.eligible("d")], QUALITY).first_failed_gate
        == "eligibility"
    )


def test_schools_alone_fail_the_resource_gate() -> None:
    """Coefficients hold, one school of many misses two thresholds by little."""
    ample = dict.fromkeys(QUALITY.quantities, 2_000_000) | {"backbone_teachers": 5, "pe_arts_teachers": 5}
    few = {**ample, "backbone_teachers": 4, "pe_arts_teachers": 4}
    rows = [SchoolStage("d", n, s, 480, ample) for n in "abc" for s in standard.STAGES]
    rows.append(SchoolStage("d", "x", "primary", 480, few))
    balance = resource.evaluate(rows, QUALITY, ON)
    assert balance.eligible("d").state == "met"
    states = {(s.rule_code, s.stage): s for s in balance.states("d")}
    assert states["RULE_6_OF_7", "primary"][2:] == ("not_met", 5, 6.0, "schools:1")
    assert states["RULE_85", "primary"].state == "not_met"  # 4 of 480 are 83 % of 1 a hundred
    assert states["RULE_6_OF_7", "junior"].state == "met"


def test_combined_schools_are_split_by_weight() -> None:
    """The worked example of the source: 166 and 210 pupils, 23,226 books."""
    of_stage = split.split({"primary": 166, "junior": 210}, {"books": 23_226, "computers": None}, ON)
    assert [int(of_stage[s]["books"] + Fraction(1, 2)) for s in ("primary", "junior")] == [9712, 13514]
    assert sum(of_stage[s]["books"] for s in of_stage) == 23_226
    assert of_stage["primary"]["computers"] is None


def test_shares_of_all_kinds_of_combined_schools() -> None:
    twelve = split.shares({"primary": 100, "junior": 100, "senior": 100}, ON)
    assert twelve == {
        "primary": Fraction(100, 342),
        "junior": Fraction(110, 342),
        "senior": Fraction(132, 342),
    }
    assert split.shares({"junior": 120, "senior": 100}, ON)["junior"] == Fraction(1, 2)
    assert split.shares({"primary": 10, "junior": 0}, ON) == {"primary": 1, "junior": 0}
    no_senior = split.shares({"primary": 110, "junior": 100, "senior": 0}, ON)
    assert no_senior == {"primary": Fraction(1, 2), "junior": Fraction(1, 2), "senior": 0}
    with pytest.raises(UserError, match="primary, senior, x"):
        split.shares({"primary": 1, "senior": 1, "x": 1}, ON)


def test_every_row_of_the_standards_says_where_it_is_from() -> None:
    for name in ("balance_rules", "balance_split_weights", "balance_special_cases"):
        rows = standards.rows(f"evaluation/{name}")
        assert rows
        assert all(r["source"] and r["confidence"] in {"verified", "secondary", "from_memory"} for r in rows)
