"""What would it take: the cheapest changes with which the resource part of a district passes.

Rows in: `SchoolStage` as the judge takes them, with any number of districts. Rows out: `Change`,
one a school and change, and a `Taken` a district and stage with cost, bound and verdict. Every answer is
applied and judged again by the exact judge before it is given out. Stages are apart: teachers move between
schools of one district and one stage. Each kind of teacher is counted by itself: who is a backbone teacher
and teaches arts is two.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from fractions import Fraction
from typing import NamedTuple

from jobs.decide.evaluation.balance import resource
from jobs.decide.evaluation.balance.resource import Balance
from jobs.decide.evaluation.balance.special import Number
from jobs.decide.evaluation.balance.standard import SHARE_OF_REST, STAGES, Standard
from jobs.decide.evaluation.balance.takes_costs import Cost
from jobs.decide.evaluation.balance.takes_model import Answer, Kind
from jobs.decide.evaluation.balance.takes_solve import solve
from jobs.decide.evaluation.balance.values import (
    FAIL,
    NOT_APPLICABLE,
    NOT_COLLECTED,
    PASS,
    SchoolStage,
    SchoolVerdict,
)

# Kinds of changes. A teacher who moves is received by one school and given by another: the cost is with the
# one who receives.
RECEIVE, GIVE, ADD = "receive", "give", "add"
# Above this, whole numbers are decided by rounding up: one square meter or yuan is nothing there.
_COARSE = {"equipment_value_yuan": 10_000, "teaching_area_m2": 10, "sports_area_m2": 10}


class Change(NamedTuple):
    """One change of one school: so much more (or, for `give`, less) of a quantity."""

    district: str
    school: str
    stage: str
    change: str  # receive, give, add
    quantity: str
    amount: int
    other_school: str  # of a teacher who moves
    cost_yuan: Number


class Taken(NamedTuple):
    """What it takes in one district and stage."""

    district: str
    stage: str
    verdict: str  # before: pass, fail, not_applicable, not_collected
    cost_yuan: Number
    bound_yuan: float  # no set of changes costs less
    schools_touched: int


@dataclass(frozen=True)
class Takes:
    """Changes of all groups, and one summary row a group."""

    changes: list[Change]
    groups: list[Taken]

    @property
    def cost_yuan(self) -> Number:
        return sum(group.cost_yuan for group in self.groups)


def takes(schools: Iterable[SchoolStage], standard: Standard, costs: Mapping[str, Cost], on: date) -> Takes:
    """The cheapest changes for each district and stage to pass the resource part of 2017.

    A group that passes takes nothing; one with a quantity that was not collected cannot be told.
    """
    given = list(schools)
    before = resource.evaluate(given, standard, on)
    changes: list[Change] = []
    groups: list[Taken] = []
    for district in dict.fromkeys(s.district for s in given):
        for stage in STAGES:
            judged = [v for v in before.schools if (v.school.district, v.school.stage) == (district, stage)]
            if not judged:
                continue
            made, taken = _group(judged, _verdict(before, district, stage), standard, costs, on)
            changes += made
            groups.append(taken)
    return Takes(changes, groups)


def takes_school(school: SchoolStage, standard: Standard, costs: Mapping[str, Cost], on: date) -> Takes:
    """The cheapest additions with which one school passes by itself; nobody is moved to it."""
    (judged,) = resource.evaluate([school], standard, on).schools
    made, taken = _group([judged], judged.verdict, standard, costs, on)
    return Takes(made, [taken])


def applied(schools: Sequence[SchoolStage], changes: Iterable[Change]) -> list[SchoolStage]:
    """The schools after the changes, in the same order."""
    more: dict[tuple[str, str, str], dict[str, int]] = {}
    for change in changes:
        amounts = more.setdefault((change.district, change.school, change.stage), {})
        sign = -1 if change.change == GIVE else 1
        amounts[change.quantity] = amounts.get(change.quantity, 0) + sign * change.amount
    return [
        replace(
            school,
            quantities=_sum(school.quantities, more.get((school.district, school.school, school.stage), {})),
        )
        for school in schools
    ]


def _sum(now: Mapping[str, Number | None], more: Mapping[str, int]) -> dict[str, Number | None]:
    return {name: None if amount is None else amount + more.get(name, 0) for name, amount in now.items()}


def _verdict(balance: Balance, district: str, stage: str) -> str:
    """The verdict of the resource part of one district and stage."""
    rows = [c.verdict for c in balance.coefficients if (c.district, c.stage) == (district, stage)]
    rows += [v.verdict for v in balance.schools if (v.school.district, v.school.stage) == (district, stage)]
    return next((verdict for verdict in (FAIL, NOT_COLLECTED, PASS) if verdict in rows), NOT_APPLICABLE)


def _group(
    judged: Sequence[SchoolVerdict], verdict: str, standard: Standard, costs: Mapping[str, Cost], on: date
) -> tuple[list[Change], Taken]:
    counted = sorted((v for v in judged if not v.reason), key=lambda v: v.school.school)
    first = judged[0].school
    is_known = all(value.quantity is not None for v in counted for value in v.values.values())
    if verdict != FAIL or not is_known:
        state = verdict if is_known else NOT_COLLECTED
        return [], Taken(first.district, first.stage, state, 0, 0.0, 0)
    kinds = [_kind(code, counted, standard, costs, on) for code in standard.indicators]
    schools = [v.school for v in counted]
    answer = solve([s.pupils for s in schools], kinds)
    changes = _changes(schools, kinds, answer, costs)
    after = resource.evaluate(applied(schools, changes), standard, on)
    if _verdict(after, first.district, first.stage) != PASS:
        raise ArithmeticError(f"{first.district} {first.stage} does not pass after its changes")
    cost = sum(change.cost_yuan for change in changes)
    touched = len({change.school for change in changes})
    bound = min(answer.bound, float(cost))
    return changes, Taken(first.district, first.stage, FAIL, cost, bound, touched)


def _kind(
    code: str, counted: Sequence[SchoolVerdict], standard: Standard, costs: Mapping[str, Cost], on: date
) -> Kind:
    stage = counted[0].school.stage
    rule, limit = standard.rule(code, stage), standard.limit(code, stage)
    share = standard.rule(SHARE_OF_REST, stage).threshold or Fraction(1)
    cost = costs[rule.quantity]
    now, full, rest, most = [], [], [], []
    for verdict in counted:
        value, own = verdict.values[code], verdict.school.quantities[rule.quantity]
        has = value.quantity if value.quantity is not None else 0
        wanted = (value.threshold or Fraction(0)) * verdict.school.pupils / rule.per
        now.append(has)
        full.append(math.ceil(wanted - has))
        rest.append(math.ceil(wanted * share - has))
        most.append(math.floor(own or 0) if cost.move is not None and len(counted) > 1 else 0)
    return Kind(
        code,
        rule.quantity,
        now,
        full,
        rest,
        most,
        float(cost.add),
        None if cost.move is None else float(cost.move),
        limit.threshold if limit is not None and len(counted) > 1 else None,
        _COARSE.get(rule.quantity, 1),
    )


def _changes(
    schools: Sequence[SchoolStage], kinds: Sequence[Kind], answer: Answer, costs: Mapping[str, Cost]
) -> list[Change]:
    """The changes of an answer: who gives is paired with who receives, in the order of schools."""
    found: list[Change] = []
    for kind, received, given in zip(kinds, answer.received, answer.given, strict=True):
        cost = costs[kind.quantity]
        gets = [[at, max(x - y, 0)] for at, (x, y) in enumerate(zip(received, given, strict=True)) if x > y]
        gives = [[at, y - x] for at, (x, y) in enumerate(zip(received, given, strict=True)) if y > x]
        for receiver in gets:
            while receiver[1] and gives:
                giver = gives[0]
                count = min(receiver[1], giver[1])
                ends = schools[receiver[0]], schools[giver[0]]
                price = count * (cost.move or 0)
                found.append(_change(ends[0], RECEIVE, kind.quantity, count, ends[1].school, price))
                found.append(_change(ends[1], GIVE, kind.quantity, count, ends[0].school, 0))
                receiver[1] -= count
                giver[1] -= count
                if not giver[1]:
                    gives.pop(0)
            if receiver[1]:
                price = receiver[1] * cost.add
                found.append(_change(schools[receiver[0]], ADD, kind.quantity, receiver[1], "", price))
        if gives:
            raise ArithmeticError(f"{kind.quantity}: more is given than received")
    order = {school.school: at for at, school in enumerate(schools)}
    return sorted(found, key=lambda change: order[change.school])


def _change(school: SchoolStage, change: str, quantity: str, amount: int, other: str, cost: Number) -> Change:
    return Change(school.district, school.school, school.stage, change, quantity, amount, other, cost)
