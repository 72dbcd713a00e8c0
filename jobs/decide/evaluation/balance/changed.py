"""What it would take, as rows: the cheapest changes of each district and stage that fails the resource part.

Rows in: the stages that the law judges, and the judged resource part of 2017. Rows out: one a school and
change; one without a school for a group of which nothing can be told.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

from jobs.decide.evaluation.balance import takes_costs
from jobs.decide.evaluation.balance.resource import Balance
from jobs.decide.evaluation.balance.takes import Change, takes
from jobs.decide.evaluation.balance.values import FAIL, NOT_COLLECTED, SchoolStage

# Schools of all failing groups that a run has time for (some 15 ms each); the smallest groups come first, and
# `./edulake evaluation takes` has time for the rest.
MOST_SCHOOLS = 1500
NO_ANSWER, TOO_MANY = "no_answer", "too_many_schools"


def changes(stages: Sequence[SchoolStage], balance: Balance, on: date) -> list[dict[str, Any]]:
    """The rows of all groups that fail; a group that passes takes nothing and has no row."""
    costs = takes_costs.read(on)
    rows, spent = [], 0
    failing = _failing(balance)
    of_group = {group: [row for row in stages if (row.district, row.stage) == group] for group in failing}
    for group in sorted(failing, key=lambda group: (len(of_group[group]), group)):
        mine = of_group[group]
        spent += len(mine)
        if spent > MOST_SCHOOLS:
            rows.append(_untold(group, TOO_MANY))
            continue
        try:
            taken = takes(mine, balance.standard, costs, on)
        except ArithmeticError:
            rows.append(_untold(group, NO_ANSWER))
            continue
        if taken.groups[0].verdict == NOT_COLLECTED:
            rows.append(_untold(group, NOT_COLLECTED))
        rows += [_row(change, taken.groups[0].bound_yuan) for change in taken.changes]
    return rows


def _failing(balance: Balance) -> list[tuple[str, str]]:
    of_schools = [(v.school.district, v.school.stage) for v in balance.schools if v.verdict == FAIL]
    of_coefficients = [(c.district, c.stage) for c in balance.coefficients if c.verdict == FAIL]
    return sorted({*of_schools, *of_coefficients})


def _row(change: Change, bound: float) -> dict[str, Any]:
    return {
        "district_code": change.district,
        "stage_code": change.stage,
        "school_code": change.school,
        "change_kind": change.change,
        "resource": change.quantity,
        "amount": change.amount,
        "other_school_code": change.other_school or None,
        "cost_yuan": change.cost_yuan,
        "least_cost_yuan": bound,
        "missing_reason": None,
    }


def _untold(group: tuple[str, str], reason: str) -> dict[str, Any]:
    names = ("school_code", "change_kind", "resource", "amount", "other_school_code", "cost_yuan")
    blank = dict.fromkeys((*names, "least_cost_yuan"))
    return {"district_code": group[0], "stage_code": group[1], **blank, "missing_reason": reason}
