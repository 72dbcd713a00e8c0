"""What the columns of marts can hold (`expectations/ranges.yaml`): least and most, order, one value alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from functools import cache
from typing import Any

from jobs.declare.model import ContractError
from jobs.files import parse_yaml
from jobs.settings import EXPECTATIONS

FILE = EXPECTATIONS / "ranges.yaml"
_NUMBERS = ("integer", "bigint", "double", "decimal")


def told(mart: str, columns: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    """What is declared of each column of a mart (name -> type in DuckDB), as `meta` of its YAML.

    `between`: [least, most]. `at_most`: columns that it never exceeds. `may_be_single`: why one value alone,
    or none, is no fault. Raises ContractError for a number without a range.
    """
    found: dict[str, dict[str, Any]] = {name: {} for name in columns}
    for name, kind in columns.items():
        if is_number(kind):
            found[name]["between"] = _between(mart, name)
    for lower, upper in _pairs():
        if lower in columns and upper in columns:
            found[lower].setdefault("at_most", []).append(upper)
    for name in columns:
        if (reason := first(_declared()["single"], mart, name)) is not None:
            found[name]["may_be_single"] = reason
    return found


def is_number(kind: str) -> bool:
    """Whether a DuckDB type is one of numbers."""
    return kind.lower().startswith(_NUMBERS)


def unused(marts: Mapping[str, Sequence[str]]) -> list[str]:
    """Declared names that fit no column of any mart (name -> its columns)."""
    named = [(mart, column) for mart, columns in marts.items() for column in columns]
    patterns = [*_declared()["values"], *_declared()["single"]]
    idle = [p for p in patterns if not any(fits(p, mart, column) for mart, column in named)]
    together = [{*columns} for columns in marts.values()]
    idle += [f"{a} <= {b}" for a, b in _pairs() if not any({a, b} <= columns for columns in together)]
    return idle


def _between(mart: str, column: str) -> list[float | None]:
    found = first(_declared()["values"], mart, column)
    if found is None:
        found = _fields().get(column, {}).get("refuse_outside")
    if found is None:
        raise ContractError(f"{mart}.{column}: a number without a range. Declare it in {FILE.name}")
    least, most = found
    return [least, most]


def _pairs() -> list[tuple[str, str]]:
    """Every two columns of a list, first and later: a mart may lack those between them."""
    return [
        (lower, upper)
        for listed in _declared()["orders"]
        for at, lower in enumerate(listed)
        for upper in listed[at + 1 :]
    ]


def first(declared: Mapping[str, Any], mart: str, column: str) -> Any:
    """What the first name that fits a column declares; None where none fits."""
    return next((what for pattern, what in declared.items() if fits(pattern, mart, column)), None)


def fits(pattern: str, mart: str, column: str) -> bool:
    """Whether a declared name, with `*` and perhaps its mart before it, means a column of a mart."""
    return fnmatchcase(f"{mart}.{column}" if "." in pattern else column, pattern)


@cache
def _declared() -> dict[str, Any]:
    declared: dict[str, Any] = parse_yaml(FILE.read_text("utf-8"))
    return declared


@cache
def _fields() -> dict[str, dict[str, Any]]:
    fields: dict[str, dict[str, Any]] = parse_yaml((EXPECTATIONS / "fields.yaml").read_text("utf-8"))
    return fields
