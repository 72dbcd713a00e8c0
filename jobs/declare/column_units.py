"""The unit of each number in the lake and its marts, in both languages (`expectations/column_units.yaml`)."""

from __future__ import annotations

from fnmatch import fnmatchcase
from functools import cache
from typing import Any

from jobs.declare.contracts import load
from jobs.declare.model import ContractError
from jobs.files import parse_yaml
from jobs.settings import EXPECTATIONS

FILE = EXPECTATIONS / "column_units.yaml"
Words = tuple[str, str]


def unit_of(column: str) -> Words:
    """The unit of a column that holds numbers: its field's, else the first pattern's that fits.

    Raises ContractError where nothing declares it.
    """
    if unit := _fields().get(column):
        return str(_declared()["fields"].get(unit, unit)), unit
    for pattern, (zh, en) in _declared()["columns"].items():
        if fnmatchcase(column, pattern):
            return zh, en
    raise ContractError(f"{column}: a number without a unit. Declare it in {FILE.name}")


def code_title(code_list: str) -> Words:
    """What a code list is of: the columns that it explains, or what is declared. Raises ContractError."""
    for contract in load().values():
        for column in contract.columns:
            if column.codes == code_list:
                return column.zh, column.en
    if code_list not in _declared()["codes"]:
        raise ContractError(f"code list {code_list}: nothing says what it is of. Declare it in {FILE.name}")
    zh, en = _declared()["codes"][code_list]
    return zh, en


@cache
def added() -> dict[str, Words]:
    """What the columns mean that the lake adds to those of a contract."""
    return {name: (zh, en) for name, (zh, en) in _declared()["added"].items()}


@cache
def _fields() -> dict[str, str]:
    return {c.name: c.unit for contract in load().values() for c in contract.columns if c.unit}


@cache
def _declared() -> dict[str, Any]:
    declared: dict[str, Any] = parse_yaml(FILE.read_text("utf-8"))
    return declared
