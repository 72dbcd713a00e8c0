"""The code lists behind columns of marts: which codes are valid, and what they mean."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any

from portal.problems import ProblemError


def meanings(column: str) -> Mapping[str, str]:
    """Code -> its Chinese name, for a column whose list the contracts declare; else nothing."""
    names = _lists()
    if column in names:
        return names[column]
    return names["district_code"] if column.endswith("_district_code") else {}


def unknown(column: str, values: Iterable[Any]) -> list[str]:
    """The values that the column's list does not have; none where it has no list."""
    known = meanings(column)
    return [value for value in values if value not in known] if known else []


def refused(column: str, shown: Iterable[str]) -> ProblemError:
    """A code that neither the column's list nor the table knows. A valid one may have no rows."""
    most = [*dict.fromkeys([*shown, *meanings(column)])]
    listed = ", ".join(most[:40]) + (" …" if len(most) > 40 else "")
    return ProblemError(
        422,
        "unknown-code",
        "没有这个代码",
        f"{column}: its list has no such code. Codes: {listed}",
        detail_zh=f"{column}：代码表中没有这个代码。可用代码：{listed}",
    )


@cache
def _lists() -> dict[str, dict[str, str]]:
    """Column -> its codes with their names; of several lists, all of their codes."""
    # Contracts load Arrow, which an answer without filters does without.
    from jobs import declare
    from jobs.declare import codes

    found: dict[str, dict[str, str]] = {}
    open_columns = set()
    for contract in declare.load().values():
        for field in contract.columns:
            if not field.codes or field.codes == "yes_no":
                continue
            if codes.is_open(field):
                open_columns.add(field.name)
            found[field.name] = codes.meanings(field) | found.get(field.name, {})
    return {name: listed for name, listed in found.items() if name not in open_columns}
