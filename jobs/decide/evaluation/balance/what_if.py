"""What if my figures: a school or district puts its own numbers in place of a file's, and sees the verdict.

Nothing here reads or writes a lake, and every row that goes out says that it is no published figure.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

from jobs.decide.evaluation.balance import resource, school_file
from jobs.decide.evaluation.balance.resource import Balance
from jobs.decide.evaluation.balance.special import Number
from jobs.decide.evaluation.balance.standard import Standard
from jobs.decide.evaluation.balance.values import SchoolStage
from jobs.decide.evaluation.balance.verdict_file import shown
from jobs.settings import UserError
from jobs.site import nearest

CHANGED = ("school", "stage", "quantity", "value")
COLUMNS = (
    *("is_what_if", "district", "school", "stage", "indicator", "value_before", "value_after"),
    *("verdict_before", "verdict_after"),
)


def changed(path: Path, schools: Sequence[SchoolStage], standard: Standard) -> list[SchoolStage]:
    """The schools with the numbers of a file: `school,stage,quantity,value`, and `district` where a name is
    in two. A quantity may be `pupils`. Raises UserError with all faults of the file.
    """
    heading, lines = school_file.read_lines(path)
    if missing := [name for name in CHANGED if name not in heading]:
        raise UserError(
            f"{path}, line 1: there is no column {', '.join(missing)}.",
            f"Name the columns in the first line: {','.join(CHANGED)}",
        )
    found = list(schools)
    seen: set[tuple[int, str]] = set()
    faults = []
    for line, cells in lines:
        row = dict(zip(heading, [*cells, *[""] * len(heading)], strict=False))
        at, problem = _place(row, found)
        quantity, value = row["quantity"], school_file.number(row["value"])
        known = ("pupils", *standard.quantities)
        if quantity not in known:
            problem = problem or f"column quantity: unknown {quantity!r}{nearest(quantity, known)}"
        elif isinstance(value, str):
            problem = problem or f"column value: {row['value']!r} {value}"
        elif quantity == "pupils" and not isinstance(value, int):
            problem = problem or f"column value: {row['value']!r} is not a whole number"
        elif (at, quantity) in seen:
            problem = problem or f"{quantity} of {row['school']!r} is changed twice"
        if problem or isinstance(value, str):
            faults.append(f"{path}, line {line}: {problem}")
            continue
        seen.add((at, quantity))
        found[at] = _with(found[at], quantity, value)
    if not lines:
        faults.append(f"{path}: there is no change in it")
    school_file.refuse(faults)
    return found


def _place(row: dict[str, str], schools: Sequence[SchoolStage]) -> tuple[int, str]:
    """Where the row's school stands, or what is wrong with the row."""
    district = row.get("district", "")
    stage = school_file.STAGE_NAMES.get(row["stage"].lower(), row["stage"])
    places = [
        at
        for at, school in enumerate(schools)
        if (school.school, school.stage) == (row["school"], stage) and district in ("", school.district)
    ]
    if not places:
        return -1, f"there is no school {row['school']!r} with stage {row['stage']!r} in the input"
    if len(places) > 1:
        return -1, f"{row['school']!r} is in {len(places)} districts: add a column district"
    return places[0], ""


def _with(school: SchoolStage, quantity: str, value: Number) -> SchoolStage:
    if quantity == "pupils":
        return replace(school, pupils=int(value))
    return replace(school, quantities={**school.quantities, quantity: value})


def compare(
    before: Sequence[SchoolStage], after: Sequence[SchoolStage], standard: Standard, on: date
) -> tuple[Balance, Balance]:
    """Both balances, of the districts in which some number was changed."""
    districts = {new.district for old, new in zip(before, after, strict=True) if old is not new}
    pair = [[s for s in schools if s.district in districts] for schools in (before, after)]
    return resource.evaluate(pair[0], standard, on), resource.evaluate(pair[1], standard, on)


def rows(before: Balance, after: Balance) -> Iterator[tuple[Any, ...]]:
    """Rows of `COLUMNS`: coefficients by district, stage and indicator; then what changed of each school."""
    for old, new in zip(before.coefficients, after.coefficients, strict=True):
        key = (1, old.district, None, old.stage, old.indicator_code)
        yield (*key, shown(old.coefficient), shown(new.coefficient), old.verdict, new.verdict)
    for was, now in zip(before.schools, after.schools, strict=True):
        if was.school is now.school:
            continue
        school = was.school
        for code in before.standard.indicators:
            first, second = was.values.get(code), now.values.get(code)
            pair = [value.value if value else None for value in (first, second)]
            if pair[0] != pair[1]:
                met = [None if v is None or v.is_met is None else _MET[v.is_met] for v in (first, second)]
                yield (1, school.district, school.school, school.stage, code, *map(shown, pair), *met)
        whole = (1, school.district, school.school, school.stage, None)
        yield (*whole, was.met_count, now.met_count, was.verdict, now.verdict)


_MET = {True: "pass", False: "fail"}
